"""What the tests share: a clock that stands still, a key, cheap settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from app.core.config import Environment, Settings
from app.core.security import Cost

TEST_KEY = "test-only-key-0123456789-abcdefghijklmnop"
OTHER_KEY = "another-test-key-9876543210-zyxwvutsrqp"
PASSWORD = "correct horse battery"
CHEAP = Cost(log2_n=4)
START = 1_700_000_000.0


@dataclass
class FakeClock:
    """Time that passes only when a test says so."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def make_settings(folder: Path, **changes: object) -> Settings:
    base = Settings(
        jwt_secret_key=TEST_KEY,
        database_path=folder / "auth.sqlite3",
        scrypt_log2_n=CHEAP.log2_n,
        environment=Environment.TEST,
        git_sha="abc1234",
    )
    return replace(base, **changes)

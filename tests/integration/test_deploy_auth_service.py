"""The real auth-service as releases behind a link, with its own smoke specification: good builds stay, bad ones go."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration import test_smoke_auth_service as smoke_run
from integration.deploy_kit import Site, site
from integration.test_smoke_auth_service import AUTH_SERVICE, PASSWORD

python = smoke_run.python  # the fixture

FAULTS = {
    "errors": {"FAULT_ERROR_SHARE": "1"},
    "open": {"FAULT_AUTH": "removed"},
    "slow": {"FAULT_SLOW_SECONDS": "0.5"},
    "old-version": {"FAULT_VERSION": "0000"},
    "database": {"FAULT_DATABASE": "down"},
    "crash": {"FAULT_START": "crash"},
}


@pytest.fixture
def shop(python: Path, tmp_path: Path) -> Iterator[Site]:
    env = {
        "PATH": os.environ["PATH"],
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "SMOKE_PASSWORD": PASSWORD,
        "DATABASE_PATH": str(tmp_path / "auth.sqlite3"),
        "ENVIRONMENT": "test",
        "SCRYPT_LOG2_N": "4",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    make = [str(python), "-m", "app.manage", "create-user", "smoke", "--password-env", "SMOKE_PASSWORD"]
    subprocess.run(make, cwd=AUTH_SERVICE, env=env, check=True, capture_output=True, timeout=60)
    argv = [str(python), "-m", "uvicorn", "app.faulty:app", "--port"]
    with site(tmp_path, {"argv": argv, "cwd": str(AUTH_SERVICE), "env": env, "faults": FAULTS}) as made:
        own = (AUTH_SERVICE / ".github" / "ci-kit-smoke.yml").read_text(encoding="utf-8")
        own = own.replace("timeout: 60s", "timeout: 3s").replace('"${GITHUB_SHA}"}', '"${GITHUB_SHA}", timeout: 2s}')
        ours = made.spec[made.spec.index("rollback: ") :]
        made.spec = own + ours
        made.password = PASSWORD
        yield made


def test_good_builds_are_promoted_and_every_bad_one_is_taken_back(shop: Site) -> None:
    assert shop.deploy("b0", "none", "--variables", "SMOKE_USER=smoke").code == 0
    for number, fault in enumerate(FAULTS, 1):
        shop.run_id = number
        done = shop.deploy(f"b{number}", fault, "--variables", "SMOKE_USER=smoke")
        assert done.code == 10, f"{fault}: {done.log}"
        assert shop.live == "b0-none"
        assert [run["ok"] for run in done.report["smoke"]] == [False, True], fault
        assert len(shop.slack.messages) == number
    assert shop.deploy("b9", "none", "--variables", "SMOKE_USER=smoke").code == 0
    assert shop.live == "b9-none"

"""What may be reused of an earlier run's verdicts, after PIT's rules for incremental analysis, made stricter.

Killed: only a hint. The one test that noticed the mutant runs again, and all others when it does not notice it any more.
Survived: reused when nothing that could have changed the answer has changed: the covering tests, their files, every other
file but tests, and what is installed. `error`, `pending` and `no-coverage` are never kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ci_kit import report
from ci_kit.selective_mutation.cache_check import is_covering, is_entry
from ci_kit.selective_mutation.covering import Covering
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.reading import read_json
from ci_kit.selective_mutation.verdicts import Verdict

SCHEMA = "ci-kit/mutation-cache/1"
MOST_BYTES = 500_000_000
ENGINE = "ci-kit 2, mutmut 3.8.1"  # raise it when verdicts or their making change


@dataclass(frozen=True)
class State:
    """What a run was made of. `files` are the digests of the copied files, `environment` that of what is installed."""

    files: Mapping[str, str]
    environment: str

    @cached_property
    def everything(self) -> str:
        """One digest of all of it."""
        return digest(self.environment, *(f"{name} {found}" for name, found in sorted(self.files.items())))

    def around(self, covering: Covering) -> str:
        """The digest of everything but the files of tests."""
        tests = {test.file for test in covering.tests}
        kept = (f"{name} {found}" for name, found in sorted(self.files.items()) if name not in tests)
        return digest(self.environment, *kept)

    def tests(self, covering: Covering, numbers: Iterable[int]) -> str:
        """The digest of tests: their ids and the content of their files."""
        chosen = [covering.tests[number] for number in numbers]
        files = sorted({test.file for test in chosen})
        return digest(*(test.id for test in chosen), *(f"{name} {self.files.get(name, '')}" for name in files))


@dataclass
class Cache:
    """Entries by the mutant's key; `covering` is the last unmutated run's, with the digest of what it was made of."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    covering: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: Path | None) -> Cache:
        """An absent or broken file is an empty cache: it costs time, never a wrong verdict."""
        try:
            data = read_json(path, MOST_BYTES) if path else None
        except (OSError, ValueError, RecursionError):
            return cls()
        if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("entries"), dict):
            return cls()
        entries = {key: entry for key, entry in data["entries"].items() if is_entry(entry)}
        covering = data.get("covering")
        return cls(entries, covering if is_covering(covering) else None)

    def write(self, path: Path) -> None:
        """As a whole or not at all."""
        report.write_json(path, {"schema": SCHEMA, "entries": self.entries, "covering": self.covering})

    def killer(self, key: str) -> str | None:
        """The test that noticed this mutant the last time."""
        entry = self.entries.get(key, {})
        found = entry.get("killer") if entry.get("status") in {"killed", "timeout"} else None
        return found if isinstance(found, str) else None

    def was_stopped(self, key: str) -> bool:
        """Whether this mutant was stopped at its time limit the last time."""
        return self.entries.get(key, {}).get("status") == "timeout"

    def survivor(self, key: str, around: str, tests: str) -> tuple[str, ...] | None:
        """The tests that did not notice it, where that still holds."""
        entry = self.entries.get(key, {})
        if entry.get("status") != "survived" or (entry.get("around"), entry.get("of-tests")) != (around, tests):
            return None
        found = entry.get("tests")
        return tuple(map(str, found)) if isinstance(found, list) else None

    def keep(self, key: str, verdict: Verdict, around: str, tests: str) -> None:
        """Remember a verdict that was reached."""
        if verdict.detected and verdict.killer is not None:
            self.entries[key] = {"status": verdict.status, "killer": verdict.killer}
        elif verdict.status == "survived":
            entry = {"status": "survived", "around": around, "of-tests": tests, "tests": list(verdict.tests)}
            self.entries[key] = entry
        elif verdict.status != "pending":
            self.entries.pop(key, None)


def key_of(mutant: Mutant, environment: str) -> str:
    """By engine, interpreter and packages, and the mutant's id, which holds path, function, operator and both texts."""
    return digest(ENGINE, environment, mutant.id, _function_text(mutant))


def _function_text(mutant: Mutant) -> str:
    """The original text of the lines around: from the function's first line to the changed ones."""
    lines = mutant.original.split("\n")
    return "\n".join(lines[max(mutant.function_line - 1, 0) : mutant.last_line])


def digest(*parts: str) -> str:
    """Of texts, each by itself."""
    found = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape")
        found.update(b"%d " % len(raw) + raw)
    return found.hexdigest()[:32]

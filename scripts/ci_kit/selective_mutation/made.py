"""The mutants of one file, and the file in which they are kept until its text or the engine changes."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ci_kit import report
from ci_kit.selective_mutation.cache import ENGINE, digest
from ci_kit.selective_mutation.mutants import Ignored, Mutant

SCHEMA = "ci-kit/mutants/1"
FILE = "mutants.json"
_TEXT = "original"  # the same for all mutants of a file


@dataclass(frozen=True)
class Made:
    """What `Generated` has, of one file."""

    path: str
    mutants: Sequence[Mutant]
    dropped: Counter[str]
    unmutated: Sequence[tuple[int, int]]
    ignored: Sequence[Ignored]

    def to_json(self) -> dict[str, Any]:
        """Without the file's text, and each mutant as a list of its fields' values."""
        return {
            "path": self.path,
            "mutants": [[getattr(mutant, name) for name in _NAMES] for mutant in self.mutants],
            "dropped": dict(self.dropped),
            "unmutated": [list(place) for place in self.unmutated],
            "ignored": [asdict(each) for each in self.ignored],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], text: str) -> Made:
        """From `to_json` and the file's text. Raises `KeyError`, `TypeError` or `ValueError` for something else."""
        mutants = [Mutant(**dict(zip(_NAMES, values, strict=True)), original=text) for values in data["mutants"]]
        return cls(
            str(data["path"]),
            mutants,
            Counter(data["dropped"]),
            [(int(first), int(last)) for first, last in data["unmutated"]],
            [Ignored(**each) for each in data["ignored"]],
        )


_NAMES = tuple(each.name for each in fields(Mutant) if each.name != _TEXT)


@dataclass
class MadeBefore:
    """What was made in the run before, by everything that it depends on; `now` is what this run asked for."""

    entries: Mapping[str, Any] = field(default_factory=dict)
    now: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> MadeBefore:
        """An absent or broken file holds nothing."""
        try:
            data = json.loads(path.read_text(encoding="utf-8")) if path else {}
        except (OSError, ValueError):
            return cls()
        if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("entries"), dict):
            return cls()
        return cls(data["entries"])

    def find(self, key: str, text: str) -> Made | None:
        """What was made for a key."""
        try:
            found = Made.from_json(self.entries[key], text)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        self.now[key] = self.entries[key]
        return found

    def keep(self, key: str, made: Made) -> None:
        """For the next run."""
        self.now[key] = made.to_json()

    def write(self, path: Path) -> None:
        """Only what this run asked for: nothing grows with the number of runs."""
        if self.now.keys() != self.entries.keys():
            report.write_json(path, {"schema": SCHEMA, "entries": self.now})


def key_of(path: str, text: str, wanted: frozenset[int] | None, per_line: int | None) -> str:
    """By engine, the kit's own interpreter (whose compiler says what is equal), and all that is asked for."""
    lines = "all" if wanted is None else " ".join(map(str, sorted(wanted)))
    return digest(ENGINE, _this_room(), sys.version, path, text, lines, str(per_line))


@functools.cache
def _this_room() -> str:
    """The digest of the code that makes mutants, and of more: of all beside this file."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return digest(*(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files))

"""The quarantine file: tests that run and are reported but do not gate, each with an owner, a reason and a last day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ci_kit import schema
from ci_kit.errors import CallerMistake
from ci_kit.yaml_file import read_yaml

DEFAULT = ".github/ci-kit-quarantine.yml"
LONGEST_DAYS = 366
SHOWN = 20
FORMAT = "Each entry has id, owner, reason and expires (a day such as 2030-01-31)."


@dataclass(frozen=True)
class Entry:
    """One quarantined test, or all that match a pattern. It holds through the day `expires`."""

    id: str
    owner: str
    reason: str
    expires: date
    line: int

    @property
    def is_pattern(self) -> bool:
        """Whether it can cover more than one test."""
        return "*" in self.id or "?" in self.id

    def covers(self, test: str) -> bool:
        """Whether it speaks of this test. Brackets are plain characters: they stand in the ids of parametrized tests."""
        return self.id == test or (self.is_pattern and _pattern(self.id).fullmatch(test) is not None)


@dataclass(frozen=True)
class Quarantine:
    """The entries that hold today, and those whose day is over: they have no effect and are an error."""

    file: str = ""
    entries: tuple[Entry, ...] = ()
    expired: tuple[Entry, ...] = ()

    def matches(self, tests: Iterable[str]) -> dict[Entry, tuple[str, ...]]:
        """For each entry, expired ones included, the tests it covers; the first entry that covers a test has it."""
        found: dict[Entry, list[str]] = {entry: [] for entry in (*self.entries, *self.expired)}
        exact = {entry.id: entry for entry in reversed((*self.entries, *self.expired))}
        patterns = [entry for entry in found if entry.is_pattern]
        for test in tests:
            entry = exact.get(test) or next((one for one in patterns if one.covers(test)), None)
            if entry is not None:
                found[entry].append(test)
        return {entry: tuple(names) for entry, names in found.items()}

    def matches_held(self, tests: Iterable[str]) -> list[tuple[str, ...]]:
        """The tests of the entries that hold."""
        return [names for entry, names in self.matches(tests).items() if entry not in self.expired]


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in text), re.DOTALL)


def read_quarantine(workspace: Path, name: str, today: date) -> Quarantine:
    """Read the file `name` of the workspace; the default file need not be there.

    Raises `CallerMistake` with file and line for a path outside the workspace, what is not in the form of the schema
    `quarantine`, days that do not exist or are more than a year away, and an id that stands twice.
    """
    path = workspace / name
    if not path.resolve().is_relative_to(workspace.resolve()):
        raise CallerMistake(
            f"test.quarantine: {name} is outside the repository.", next_step="Name a file inside the repository."
        )
    if not path.is_file():
        if name != DEFAULT:
            raise CallerMistake(f"test.quarantine: there is no file {name}.", next_step="Correct the path.")
        return Quarantine()
    document = read_yaml(path, name)
    if document.data is None:
        return Quarantine(name)
    wrong = [
        (document.line(p.place), f"{schema.dotted(p.place)}: {p.message}" if p.place else p.message)
        for p in _problems(document.data)
    ]
    if wrong:
        raise _mistake(name, wrong)
    entries = []
    seen: set[str] = set()
    for index, data in enumerate(document.data):
        line = document.line((index,))
        expires = _day(data["expires"])
        if expires is None or (expires - today).days > LONGEST_DAYS:
            what = "is no day of the calendar" if expires is None else "is more than a year away"
            wrong.append((document.line((index, "expires")), f"expires: {data['expires']} {what}"))
        elif data["id"] in seen:
            wrong.append((line, f"{data['id']} stands twice"))
        else:
            entries.append(Entry(data["id"], data["owner"], data["reason"], expires, line))
        seen.add(data["id"])
    if wrong:
        raise _mistake(name, wrong)
    return Quarantine(
        name,
        tuple(entry for entry in entries if entry.expires >= today),
        tuple(entry for entry in entries if entry.expires < today),
    )


def _problems(data: object) -> list[schema.Problem]:
    return list(schema.problems(data, schema.load("quarantine")))


def _mistake(name: str, wrong: list[tuple[int, str]]) -> CallerMistake:
    (line, first), *rest = wrong
    more = "".join(f"\n{name}:{at}: {text}." for at, text in rest[:SHOWN])
    return CallerMistake(f"{first}.{more}", next_step=FORMAT, file=name, line=line)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

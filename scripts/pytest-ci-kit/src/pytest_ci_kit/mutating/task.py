"""What the kit asks for, as read from the task file, and the mutated text of a job."""

from __future__ import annotations

import io
import json
import tokenize
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

Task = Dict[str, Any]


class Change(NamedTuple):
    """One change of one file: `length` characters from `start` give way to `after`."""

    path: str
    start: int
    length: int
    after: str

    @classmethod
    def of(cls, job: Mapping[str, Any]) -> Change:
        """The change of a job."""
        return cls(job["path"], job["start"], job["length"], job["after"])

    def applied(self, text: str) -> str:
        """The changed text."""
        return text[: self.start] + self.after + text[self.start + self.length :]

    def lines(self, text: str) -> Tuple[int, int]:
        """First and last changed line of `text`, from 1."""
        first = text.count("\n", 0, self.start) + 1
        return first, first + text.count("\n", self.start, self.start + self.length)


class Text(NamedTuple):
    """A source file: its text, newlines as they are, and the encoding that it declares."""

    text: str
    encoding: str

    @classmethod
    def read(cls, path: Path) -> Text:
        """Raises `SyntaxError` for an unknown encoding, `UnicodeDecodeError` for bytes that do not fit it."""
        raw = path.read_bytes()
        encoding = tokenize.detect_encoding(io.BytesIO(raw).readline)[0]
        return cls(raw.decode(encoding), encoding)


def read_task(path: str) -> Task:
    """The task file."""
    task: Task = json.loads(Path(path).read_text(encoding="utf-8"))
    return task


def tests_of(task: Task, job: Mapping[str, Any]) -> List[int]:
    """The numbers of the tests that a job is to run, in the order of the collection."""
    if "tests" in job:
        return list(job["tests"])
    numbers: List[int] = task["sets"][job["set"]]
    return numbers

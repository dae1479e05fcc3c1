"""What each leg brought to the number: the lines of the report that it ran, and those that no other leg ran.

Read from the proven copies, whose tables are coverage's own (https://coverage.readthedocs.io/en/latest/dbschema.html)
and unchanged: asking `CoverageData` for the lines of each file of each leg costs more than the whole analysis.
"""

from __future__ import annotations

import contextlib
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverage.numbits import numbits_to_nums

from ci_kit.coverage_combine.proof import Proven
from ci_kit.plan import Leg

Lines = Mapping[str, int]
"""File → the lines that were run, as a bit set: bit n is line n."""

_ARCS = "SELECT file_id, group_concat(fromno) || ',' || group_concat(tono) FROM arc GROUP BY file_id"
_LINES = "SELECT file_id, numbits FROM line_bits"
KEPT = 4


@dataclass(frozen=True)
class Contribution:
    """One leg's part of the covered lines (statements, as the report counts them).

    `files` are those of which it ran any line, `alone` the lines that no other leg ran.
    """

    leg: Leg
    files: int
    lines: int
    alone: int


def contributions(
    proven: Sequence[Proven], places: Mapping[str, str], report: Mapping[str, Mapping[str, Any]]
) -> tuple[Contribution, ...]:
    """Read what each leg ran; one entry for each of `proven`, in its order.

    `places` maps a path as measured to the file of the `report`, which is the "files" of coverage's JSON.
    """
    reading = _Reading(places, report)
    return compare([(leg.delivery.leg, reading.leg(leg.copies)) for leg in proven])


def compare(legs: Sequence[tuple[Leg, Lines]]) -> tuple[Contribution, ...]:
    """Count each leg's lines, and those that it ran alone."""
    once: dict[str, int] = defaultdict(int)
    twice: dict[str, int] = defaultdict(int)
    for _, ran in legs:
        for path, lines in ran.items():
            if again := once[path] & lines:
                twice[path] |= again
            once[path] |= lines
    return tuple(
        Contribution(
            leg,
            sum(lines != 0 for lines in ran.values()),
            sum(lines.bit_count() for lines in ran.values()),
            sum((lines & ~twice.get(path, 0)).bit_count() for path, lines in ran.items()),
        )
        for leg, ran in legs
    )


class _Reading:
    """Turns what data files hold into lines of the report. Most legs ran the same lines of a file, on its import."""

    def __init__(self, places: Mapping[str, str], report: Mapping[str, Mapping[str, Any]]) -> None:
        self._places = places
        self._report = report
        self._known: dict[str, dict[str | bytes, int]] = defaultdict(dict)

    def leg(self, copies: Iterable[Path]) -> Lines:
        found: dict[str, int] = defaultdict(int)
        for copy in copies:
            for path, held in _held(copy):
                place = self._places.get(path, path)
                if place in self._report:
                    found[place] |= self._lines(place, held)
        return found

    def _lines(self, place: str, held: str | bytes) -> int:
        known = self._known[place]
        lines = known.get(held)
        if lines is None:
            lines = covered(self._report[place], _numbers(held))
            if len(known) < KEPT:
                known[held] = lines
        return lines


def _held(copy: Path) -> Iterator[tuple[str, str | bytes]]:
    """Each measured path with its line numbers, as SQLite can hand them over fastest."""
    with contextlib.closing(sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        paths = dict(database.execute("SELECT id, path FROM file"))
        for query in (_ARCS, _LINES):
            for file, held in database.execute(query):
                if held and file in paths:
                    yield paths[file], held


def _numbers(held: str | bytes) -> Iterable[int]:
    if isinstance(held, bytes):
        return numbits_to_nums(held)
    return map(int, filter(str.isdecimal, set(held.split(","))))  # entering and leaving are negative


def covered(part: Mapping[str, Any], ran: Iterable[int]) -> int:
    """The covered statements of a file (its `part` of the report) to which the lines `ran` belong, as a bit set.

    A line inside a statement of several counts for that statement: it is the last that starts before it.
    """
    executed = set(part["executed_lines"])
    starts: list[int] = []
    lines = 0
    for line in ran:
        start = line
        if line not in executed:
            starts = starts or sorted((*executed, *part["missing_lines"], *part["excluded_lines"]))
            at = bisect_right(starts, line)
            start = starts[at - 1] if at else 0
            if start not in executed:
                continue
        lines |= 1 << start
    return lines

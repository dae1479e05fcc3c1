"""The coverage records of the history as one text: a few kB a record for 2,000 files.

From one commit to the next few files change, so what is known of a file (its counts and what is not covered) is written
once for all records that share it, and a record is mostly a list of such numbers. The whole is deflated, in base64: only
who asks for coverage unpacks it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ci_kit.history_coverage import CoverageRecord, FileRecord, Range

MOST_COMMITS = 20
MOST_RECORDS = 40
MOST_RAW_BYTES = 16_000_000
"""Unpacked. Above it, the oldest records are dropped."""
MOST_LINES = 1_000_000
"""Of one file."""
MOST_COUNTED = 1_000_000_000
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT = 200
_LONGEST_PATH = 4096


def read_records(packed: str) -> tuple[tuple[CoverageRecord, ...], str | None]:
    """The records, oldest first; none and a note that says why when the text is not what `pack` writes."""
    if not packed:
        return (), None
    try:
        return unpack(packed), None
    except (ValueError, RecursionError, MemoryError) as error:
        why = str(error)[:200] or type(error).__name__
        return (), f"The coverage of earlier commits cannot be used, so this run does without it: {why}."


def add_record(packed: str, record: CoverageRecord) -> str:
    """The packed records with this one, which takes the place of an earlier one of the same commit and legs.

    Raises `ValueError` for a record that could not be read again.
    """
    before, _ = read_records(packed)
    same = (record.commit, record.legs)
    found = [*(known for known in before if (known.commit, known.legs) != same), record]
    commits = list(dict.fromkeys(known.commit for known in reversed(found)))[:MOST_COMMITS]
    packed = pack([known for known in found if known.commit in commits][-MOST_RECORDS:])
    unpack(packed)
    return packed


def pack(records: Sequence[CoverageRecord]) -> str:
    """The text that `unpack` reads; without the oldest records when they would not fit into `MOST_RAW_BYTES`."""
    raw = _raw(records)
    while len(raw) > MOST_RAW_BYTES and records:
        records = records[1:]
        raw = _raw(records)
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii") if records else ""


def unpack(packed: str) -> tuple[CoverageRecord, ...]:
    """The records. Raises `ValueError` for anything that `pack` does not write."""
    inflate = zlib.decompressobj()
    try:
        # A few bytes can stand for gigabytes, so no more is inflated than may be.
        raw = inflate.decompress(base64.b64decode(packed, validate=True), MOST_RAW_BYTES + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"records that cannot be read ({error})") from error
    if len(raw) > MOST_RAW_BYTES or not inflate.eof:
        raise ValueError("records that are cut off or too large")
    data = json.loads(raw.decode("utf-8"))
    paths, files, records = _parts(data, {"paths": list, "files": list, "records": list})
    if len(records) > MOST_RECORDS or not all(_is_path(path) for path in paths) or len(set(paths)) != len(paths):
        raise ValueError("records in another form")
    "\n".join(paths).encode()  # half a character would break every later writer
    known = [_file(file, len(paths)) for file in files]
    return tuple(_record(record, paths, known) for record in records)


def _raw(records: Sequence[CoverageRecord]) -> bytes:
    states = sorted({(path, file) for record in records for path, file in record.files.items()}, key=_order)
    paths = sorted({path for path, _ in states})
    of_path = {path: index for index, path in enumerate(paths)}
    of_state = {state: index for index, state in enumerate(states)}
    data = {
        "paths": paths,
        "files": [_file_data(of_path[path], file) for path, file in states],
        "records": [_record_data(record, of_state) for record in records],
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def _order(state: tuple[str, FileRecord]) -> tuple[object, ...]:
    path, file = state
    return path, file.lines, file.branches, file.missing_lines, file.missing_branches


def _file_data(path: int, file: FileRecord) -> list[Any]:
    """Numbers as distances, which are small and alike: from the range before, and from a branch's start to its end."""
    lines: list[int] = []
    end = 0
    for first, last in file.missing_lines:
        lines += (first - end, last - first)
        end = last
    branches: list[int] = []
    before = 0
    for start, to in file.missing_branches:
        branches += (start - before, to - start)
        before = start
    return [path, file.lines, file.branches, lines, branches]


def _record_data(record: CoverageRecord, of_state: Mapping[tuple[str, FileRecord], int]) -> dict[str, Any]:
    return {
        "commit": record.commit,
        "at": record.at,
        "python": record.python,
        "coverage": record.coverage,
        "branch": record.branch,
        "legs": sorted(record.legs),
        "components": {name: list(record.components[name]) for name in sorted(record.components)},
        "files": list(_runs(sorted(of_state[state] for state in record.files.items()))),
    }


def _runs(numbers: Iterable[int]) -> Iterator[int]:
    """Rising numbers as gap and length, by turns: 0, 1, 2, 7 is 0, 3, 4, 1 (nothing left out, three taken, …)."""
    end = first = 0
    length = 0
    for number in numbers:
        if length and number == first + length:
            length += 1
            continue
        if length:
            yield from (first - end, length)
            end = first + length
        first, length = number, 1
    if length:
        yield from (first - end, length)


def _parts(data: object, wanted: Mapping[str, type]) -> list[Any]:
    if not isinstance(data, dict) or data.keys() != wanted.keys():
        raise ValueError(f"expected the keys {', '.join(wanted)}")
    if wrong := [key for key, kind in wanted.items() if type(data[key]) is not kind]:
        raise ValueError(f"{wrong[0]} of another kind")
    return [data[key] for key in wanted]


def _is_path(path: object) -> bool:
    return isinstance(path, str) and 0 < len(path) <= _LONGEST_PATH


def _numbers(values: object, least: int = 0, most: int = MOST_LINES) -> list[int]:
    """A list of whole numbers in pairs."""
    if not isinstance(values, list) or len(values) % 2 or not set(map(type, values)) <= {int}:
        raise ValueError("expected pairs of whole numbers")
    if values and not least <= min(values) <= max(values) <= most:
        raise ValueError("a number that cannot be")
    return values


def _file(data: object, paths: int) -> tuple[int, FileRecord]:
    if not isinstance(data, list) or len(data) != 5 or not set(map(type, data[:3])) <= {int}:
        raise ValueError("a file in another form")
    path, lines, branches, packed_lines, packed_branches = data
    if not (0 <= path < paths and 0 <= lines <= MOST_LINES and 0 <= branches <= MOST_LINES):
        raise ValueError("a file in another form")
    ranges: list[Range] = []
    end = 0
    numbers = iter(_numbers(packed_lines))
    for gap, length in zip(numbers, numbers, strict=True):
        if not gap:
            raise ValueError("ranges that overlap")
        first, end = end + gap, end + gap + length
        ranges.append((first, end))
    pairs: list[Range] = []
    before = 0
    numbers = iter(_numbers(packed_branches, -2 * MOST_LINES))
    for gap, to in zip(numbers, numbers, strict=True):
        if gap < 0:
            raise ValueError("branches in no order")
        before += gap
        pairs.append((before, before + to))
    found = FileRecord(lines, branches, tuple(ranges), tuple(pairs))
    twice = any(one == other for one, other in pairwise(pairs))
    if end > MOST_LINES or before > MOST_LINES or twice or found.covered_lines < 0 or found.covered_branches < 0:
        raise ValueError("more is uncovered than counts")
    return path, found


def _record(data: object, paths: Sequence[str], known: Sequence[tuple[int, FileRecord]]) -> CoverageRecord:
    kinds = {"commit": str, "at": str, "python": str, "coverage": str, "branch": bool, "legs": list, "components": dict,
             "files": list}  # fmt: skip
    commit, at, python, coverage, branch, legs, components, runs = _parts(data, kinds)
    if not _COMMIT.fullmatch(commit) or not all(
        isinstance(text, str) and len(text) <= _SHORT for text in (at, python, coverage, *legs, *components)
    ):
        raise ValueError("a record with another text")
    "\n".join((at, python, coverage, *legs, *components)).encode()
    numbered: dict[str, FileRecord] = {}
    taken = end = 0
    numbers = iter(_numbers(runs))
    for gap, length in zip(numbers, numbers, strict=True):
        end, taken = end + gap + length, taken + length
        if end > len(known):
            raise ValueError("a record of files that are not there")
        numbered.update((paths[path], file) for path, file in known[end - length : end])
    if len(numbered) != taken:
        raise ValueError("a record that names a file twice")
    return CoverageRecord(
        commit=commit,
        at=at,
        files=numbered,
        legs=frozenset(legs),
        branch=branch,
        python=python,
        coverage=coverage,
        components={name: _component(pair) for name, pair in components.items()},
    )


def _component(pair: object) -> tuple[int, int]:
    covered, counted = _numbers(pair, most=MOST_COUNTED) if isinstance(pair, list) and len(pair) == 2 else (1, 0)
    if covered > counted:
        raise ValueError("a component with more covered than counts")
    return covered, counted

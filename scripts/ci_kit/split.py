"""Deal tests to shards so that the slowest shard ends as early as it can, with few files opened in more than one shard.

Whole files go longest first to the least loaded shard (LPT: Graham, "Bounds on multiprocessing timing anomalies", 1969).
A file that is larger than a fraction of a shard's share is cut into contiguous chunks first. The fraction begins at a
whole share and is halved as long as the result is not near the lower bound, so no file is cut finer than it pays.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ci_kit.discovery import TestFile
from ci_kit.share import Part, Share

SECONDS_PER_TEST = 0.2
"""Of a test, while nothing at all was recorded."""
FILE_SECONDS = 0.02
"""Of opening a file, in each shard that does: collecting it and its module's set-up. Recorded times do not hold it."""
FRACTIONS = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32)
NEAR = 1.005
"""A slowest shard within this factor of the lower bound is good enough."""
CLASS_WINDOW = 0.75
"""A chunk may end this much of its size early, so that it ends with a class."""

Recorded = Mapping[str, Mapping[str, float]]
"""For each file the seconds of its tests by node id, in collection order."""


@dataclass(frozen=True)
class Work:
    """A file and what it takes: `recorded` tests, and `unrecorded` seconds for the tests without a record."""

    path: str
    recorded: Mapping[str, float]
    unrecorded: float
    tests: float

    @property
    def seconds(self) -> float:
        """All of it, without opening the file."""
        return self.tests + self.unrecorded


@dataclass(frozen=True)
class _Piece:
    """Something to deal: `ids[start:stop]` of `work`, or all of it. `seconds` is with opening the file."""

    work: Work
    seconds: float
    start: int = 0
    stop: int = -1
    rest: bool = True


def mean_seconds(recorded: Recorded) -> float:
    """The mean over all recorded tests; what a test without a record is taken for."""
    count = sum(map(len, recorded.values()))
    # fsum: the order of the files must not matter, not even in the last digit.
    return math.fsum(sum(tests.values()) for tests in recorded.values()) / count if count else SECONDS_PER_TEST


def works(files: Sequence[TestFile], recorded: Recorded) -> list[Work]:
    """What each file takes, sorted by path.

    A test without a record takes the mean of all records; in a file that has some, the mean of those and of one such
    test, because the tests of a slow file are slow.
    """
    mean = mean_seconds(recorded)
    found = []
    for file in sorted(files, key=lambda file: file.path):
        known = recorded.get(file.path, {})
        tests = sum(known.values())
        each = (tests + mean) / (len(known) + 1)
        found.append(Work(file.path, known, max(0, file.tests - len(known)) * each, tests))
    return found


def longest_seconds(found: Sequence[Work]) -> float:
    """The longest thing that cannot be cut: a recorded test, or what a file holds beside its record."""
    return max((max(work.unrecorded, *work.recorded.values(), 0.0) for work in found), default=0.0)


def deal(files: Sequence[TestFile], recorded: Recorded, count: int) -> tuple[Share, ...]:
    """Deal all tests of `files` to `count` shares, some of which may be empty.

    Every file is whole in one share, or cut into parts that name each recorded test once, one of them with `rest`. The
    same input gives the same answer, whatever the order of the files.
    """
    found = works(files, recorded)
    fair = sum(work.seconds for work in found) / count
    bound = max(fair, longest_seconds(found))
    best: list[list[_Piece]] = []
    slowest = math.inf
    for fraction in FRACTIONS:
        dealt = _longest_first([piece for work in found for piece in _cut(work, fair * fraction)], count)
        now = max((_load(pieces) for pieces in dealt), default=0.0)
        if now < slowest:
            best, slowest = dealt, now
        if slowest <= bound * NEAR or count == 1:
            break
    return tuple(map(_share, best))


def _load(pieces: Sequence[_Piece]) -> float:
    return sum(piece.seconds for piece in pieces)


def _longest_first(pieces: Sequence[_Piece], count: int) -> list[list[_Piece]]:
    dealt: list[list[_Piece]] = [[] for _ in range(count)]
    heap = [(0.0, index) for index in range(count)]
    for piece in sorted(pieces, key=lambda piece: (-piece.seconds, piece.work.path, piece.start)):
        load, index = heapq.heappop(heap)
        dealt[index].append(piece)
        heapq.heappush(heap, (load + piece.seconds, index))
    return dealt


def _cut(work: Work, limit: float) -> Iterator[_Piece]:
    """The whole file, or contiguous chunks of about equal length, at most `limit` unless a single test is longer."""
    if work.seconds <= limit or len(work.recorded) + (work.unrecorded > 0) < 2:
        yield _Piece(work, work.seconds + FILE_SECONDS)
        return
    ids = list(work.recorded)
    # The unrecorded tests are one last entry: the chunk with the end of the file gets them.
    ends = [0.0, *accumulate([*work.recorded.values(), *([work.unrecorded] if work.unrecorded else [])])]
    target = work.seconds / math.ceil(work.seconds / limit) if limit > 0 else work.seconds
    start, last = 0, len(ends) - 1
    while start < last:
        stop = max(start + 1, bisect_right(ends, ends[start] + target * (1 + 1e-9)) - 1)
        if stop < last:
            stop = _class_end(ids, ends, start, min(stop, len(ids)), target)
        seconds = ends[stop] - ends[start] + FILE_SECONDS
        yield _Piece(work, seconds, start, min(stop, len(ids)), rest=stop == last)
        start = stop


def _class_end(ids: Sequence[str], ends: Sequence[float], start: int, stop: int, target: float) -> int:
    """The last end of a class that makes the chunk not much shorter, else `stop`."""
    early = ends[start] + target * CLASS_WINDOW
    here = stop
    while here > start + 1 and here < len(ids) and ends[here] >= early:
        if _class_of(ids[here - 1]) != _class_of(ids[here]):
            return here
        here -= 1
    return stop


def _class_of(node_id: str) -> str:
    return node_id.partition("[")[0].rpartition("::")[0]


def _share(pieces: Sequence[_Piece]) -> Share:
    """Pieces of one file that came together are one part; all of them, the whole file."""
    files: list[str] = []
    cut: dict[str, list[_Piece]] = {}
    saved = 0.0
    for piece in pieces:
        if piece.stop < 0:
            files.append(piece.work.path)
        else:
            cut.setdefault(piece.work.path, []).append(piece)
    parts = []
    for path, mine in sorted(cut.items()):
        mine.sort(key=lambda piece: (piece.start, piece.stop))
        saved += FILE_SECONDS * (len(mine) - 1)
        ids = list(mine[0].work.recorded)
        named = [ids[at] for piece in mine for at in range(piece.start, piece.stop)]
        if len(named) == len(ids) and any(piece.rest for piece in mine):
            files.append(path)
        else:
            parts.append(Part(path, tuple(named), any(piece.rest for piece in mine)))
    return Share(tuple(sorted(files)), tuple(parts), _load(pieces) - saved)

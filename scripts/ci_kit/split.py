"""Deal files to shards so that the slowest shard ends as early as whole files allow."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from ci_kit.discovery import TestFile

SECONDS_PER_TEST = 0.2
FILE_SECONDS = 0.1
TARGET_SECONDS = 120.0
MOST_SHARDS = 16


def estimated_seconds(file: TestFile) -> float:
    """What a file costs, while nothing was recorded: a share for importing it and one for each of its tests."""
    return FILE_SECONDS + SECONDS_PER_TEST * file.tests


def choose_count(files: Sequence[TestFile]) -> int:
    """How many shards a tier gets when none is configured: enough to meet `TARGET_SECONDS`, never more than files."""
    total = sum(map(estimated_seconds, files))
    return max(1, min(MOST_SHARDS, len(files), math.ceil(total / TARGET_SECONDS)))


def split(files: Sequence[TestFile], count: int) -> tuple[tuple[str, ...], ...]:
    """Deal whole files to `count` shards, longest first to the least loaded (LPT: Graham 1969, at most 4/3 of the best).

    Every file is in exactly one shard; shards may be empty. The same files always give the same answer.
    """
    shards: list[list[str]] = [[] for _ in range(count)]
    heap = [(0.0, index) for index in range(count)]
    for file in sorted(files, key=lambda file: (-estimated_seconds(file), file.path)):
        load, index = heapq.heappop(heap)
        shards[index].append(file.path)
        heapq.heappush(heap, (load + estimated_seconds(file), index))
    return tuple(tuple(sorted(shard)) for shard in shards)

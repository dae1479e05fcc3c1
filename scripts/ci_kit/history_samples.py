"""The recorded times of one file's tests, packed: a million tests must load in a second, and only a merge looks inside.

For each test the last `SLOTS` runs, newest first, each with the seconds of set-up, call and tear-down. They lie as
columns (phase by phase, slot by slot, one entry a test) of 32-bit numbers of 0.1 ms, deflated, in base64.
"""

from __future__ import annotations

import base64
import binascii
import sys
import zlib
from array import array
from collections.abc import Sequence

SLOTS = 5
PHASES = 3
UNIT_SECONDS = 0.0001
FLOOR_SECONDS = 0.001
"""What even an empty test costs; nothing is planned as free."""
LONGEST_SECONDS = 100_000.0
"""No phase is remembered as longer: what is above is a broken clock."""
_ABSENT = 0xFFFFFFFF
_BYTES = 4

Times = tuple[float, float, float]
"""Seconds of set-up, call and tear-down."""
Slots = tuple[Times, ...]
"""One test's recorded times, newest first, at most `SLOTS`."""


def pack(tests: Sequence[Slots]) -> str:
    """The text that `unpack` reads. Every phase takes from 0 to `LONGEST_SECONDS`."""
    count = len(tests)
    numbers = array("I", [_ABSENT]) * (count * SLOTS * PHASES)
    for index, slots in enumerate(tests):
        for slot, times in enumerate(slots[:SLOTS]):
            for phase, seconds in enumerate(times):
                numbers[(phase * SLOTS + slot) * count + index] = round(seconds / UNIT_SECONDS)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(zlib.compress(numbers.tobytes())).decode("ascii")


def unpack(text: str, count: int) -> list[Slots]:
    """The times of `count` tests. Raises `ValueError` for anything that `pack` did not write for so many."""
    size = count * SLOTS * PHASES * _BYTES
    inflate = zlib.decompressobj()
    try:
        # A few bytes can stand for gigabytes, so no more is inflated than can be right.
        raw = inflate.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"recorded times that cannot be read ({error})") from error
    if len(raw) != size:
        raise ValueError("recorded times for another number of tests")
    numbers = array("I", raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    columns = [numbers[start * count : (start + 1) * count] for start in range(SLOTS * PHASES)]
    setup, call, teardown = (columns[phase * SLOTS : (phase + 1) * SLOTS] for phase in range(PHASES))
    slots = [_slot(*parts) for parts in zip(setup, call, teardown, strict=True)]
    return [tuple(times for times in test if times is not None) for test in zip(*slots, strict=True)]


def _slot(setup: array[int], call: array[int], teardown: array[int]) -> list[Times | None]:
    return [
        None if _ABSENT in (s, c, t) else (s * UNIT_SECONDS, c * UNIT_SECONDS, t * UNIT_SECONDS)
        for s, c, t in zip(setup, call, teardown, strict=True)
    ]


def median(values: Sequence[float]) -> float:
    """The middle of at least one value. `statistics.median` takes three times as long, which a million tests feel."""
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def typical(tests: Sequence[Slots]) -> list[float]:
    """What each test of one file costs, in seconds: the medians of set-up, call and tear-down, added up.

    A fixture for a whole class or module is paid by whichever test comes first. In a random order that is another one
    in each run, and no median shows it, so what the runs took beyond the medians is dealt to all tests alike.
    """
    medians = [sum(median(phase) for phase in zip(*slots, strict=True)) for slots in tests]
    beyond = []
    for slot in range(SLOTS):
        pairs = [(sum(slots[slot]), usual) for slots, usual in zip(tests, medians, strict=True) if slot < len(slots)]
        if pairs:
            beyond.append(sum(took - usual for took, usual in pairs))
    share = max(0.0, median(beyond)) / len(tests) if tests else 0.0
    return [max(FLOOR_SECONDS, round(usual + share, 4)) for usual in medians]

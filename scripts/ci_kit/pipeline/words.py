"""How the gate puts numbers and names into sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from ci_kit.pipeline.evidence import printable

SHOWN = 3
SHOWN_TEXT = 120


def exact(rate: float) -> Fraction:
    """The ratio that was written as a percentage, without what binary floating point made of it."""
    return Fraction(rate).limit_denominator(1_000_000)


def percent(ratio: Fraction, *, up: bool = False) -> str:
    """With one decimal, rounded down or up, so that no number looks better than it is."""
    tenths = math.ceil(ratio * 1000) if up else math.floor(ratio * 1000)
    return f"{tenths / 10:g} %"


def tests(count: int) -> str:
    """`1 test`, `2 tests`."""
    return f"{count} test{'' if count == 1 else 's'}"


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(printable(name, SHOWN_TEXT) for name in names[:SHOWN]) + more


def spell(seconds: float) -> str:
    """A length of time as a person says it: `0.4 s`, `12 s`, `3 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s".removesuffix(" 0 s")


def distance(found: float, most: float) -> str:
    """How far a length of time is from its limit."""
    return f"{spell(found - most)} too long" if found > most else f"{spell(most - found)} left"

"""Hold the sources that each leg measured against this checkout, by their digests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_kit.coverage_combine.delivery import Problem
from ci_kit.coverage_combine.proof import Proven
from ci_kit.source_digest import digest

SHOWN = 5


def changed_sources(proven: Sequence[Proven], places: Mapping[str, str], here: Path) -> list[Problem]:
    """One problem for each leg that measured other sources than those of the checkout `here`, or does not say which.

    `places` maps a path as measured to the file of the checkout; what it does not hold is no file of the checkout.
    """
    # Legs measure much the same files, so each line is looked at once and not once a leg.
    legs_of: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, leg in enumerate(proven):
        for entry in leg.sources:
            legs_of[entry].append(index)
    own: dict[str, str | None] = {}
    changed: dict[int, list[str]] = defaultdict(list)
    for (name, found), legs in legs_of.items():
        place = places.get(name)
        if place is None:
            continue
        if place not in own:
            own[place] = digest(here / place)
        if own[place] not in {found, None}:  # a file that is not here is told of elsewhere
            for index in legs:
                changed[index].append(place)
    unsaid = [_unsaid(leg, files) for leg in proven if (files := _without_digest(leg, places, here))]
    return unsaid + [_problem(proven[index], sorted(set(changed[index]))) for index in sorted(changed)]


def _without_digest(leg: Proven, places: Mapping[str, str], here: Path) -> list[str]:
    """Files of the checkout that the leg measured without a word on their text."""
    said = {places.get(name) for name, _ in leg.sources}
    found = {place for name in leg.measured if (place := places.get(name)) is not None and place not in said}
    return sorted(place for place in found if not Path(place).is_absolute() and (here / place).is_file())


def _unsaid(leg: Proven, files: Sequence[str]) -> Problem:
    name = str(leg.delivery.leg)
    return Problem(
        f"measured {_listed(files)} without saying which text, so nobody can tell whether it is this checkout's.",
        "A file that is gone when the tests have ended has no digest: leave it out with [run] omit, or do not delete it. "
        f"Then re-run the job of {name}.",
        name,
    )


def _listed(files: Sequence[str]) -> str:
    return ", ".join(files[:SHOWN]) + (f" and {len(files) - SHOWN} more" if len(files) > SHOWN else "")


def _problem(leg: Proven, files: Sequence[str]) -> Problem:
    name = str(leg.delivery.leg)
    return Problem(
        f"measured another text of {_listed(files)} than this checkout has: its line numbers mean other lines.",
        "Let nothing rewrite sources before the tests (a formatter, a generator, a package built from other files), or "
        f"leave such a file out with [run] omit. Then re-run the job of {name}.",
        name,
    )

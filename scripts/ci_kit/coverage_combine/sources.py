"""Hold the sources that each leg measured against this checkout, by their digests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_kit.coverage_combine.copies import INSTALLED
from ci_kit.coverage_combine.delivery import Problem
from ci_kit.coverage_combine.proof import Proven
from ci_kit.source_digest import digest

SHOWN = 5


def changed_sources(proven: Sequence[Proven], places: Mapping[str, str], here: Path) -> list[Problem]:
    """What legs measured that is not the text of the checkout `here`, or of which they do not say the text.

    Legs with the same files are told of together. `places` maps a path as measured to the file of the checkout; what it
    does not hold is no file of the checkout.
    """
    # Legs measure much the same files, so each line is looked at once and not once a leg.
    legs_of: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, leg in enumerate(proven):
        for entry in leg.sources:
            legs_of[entry].append(index)
    own: dict[str, str | None] = {}
    changed: dict[int, dict[str, str]] = defaultdict(dict)
    for (name, found), legs in legs_of.items():
        place = places.get(name)
        if place is None:
            continue
        if place not in own:
            own[place] = digest(here / place)
        if own[place] not in {found, None}:  # a file that is not here is told of elsewhere
            for index in legs:
                changed[index][place] = _shown(name, place)
    others = {index: tuple(files[place] for place in sorted(files)) for index, files in changed.items()}
    unsaid = {index: tuple(files) for index, leg in enumerate(proven) if (files := _without_digest(leg, places, here))}
    return [
        *(_unsaid(legs, files) for files, legs in _together(proven, unsaid)),
        *(_changed(legs, files) for files, legs in _together(proven, others)),
    ]


def _shown(name: str, place: str) -> str:
    """A file, with where its installed copy was measured."""
    return f"{place} (installed as {name})" if INSTALLED.match(name) else place


def _together(
    proven: Sequence[Proven], files_of: Mapping[int, tuple[str, ...]]
) -> list[tuple[tuple[str, ...], list[str]]]:
    """Each list of files with the names of its legs."""
    legs: dict[tuple[str, ...], list[str]] = {}
    for index in sorted(files_of):
        legs.setdefault(files_of[index], []).append(str(proven[index].delivery.leg))
    return list(legs.items())


def _without_digest(leg: Proven, places: Mapping[str, str], here: Path) -> list[str]:
    """Files of the checkout that the leg measured without a word on their text."""
    said = {places.get(name) for name, _ in leg.sources}
    found = {place for name in leg.measured if (place := places.get(name)) is not None and place not in said}
    return sorted(place for place in found if not Path(place).is_absolute() and (here / place).is_file())


def _unsaid(legs: Sequence[str], files: Sequence[str]) -> Problem:
    return _problem(
        legs,
        f"measured {_listed(files)} without saying which text, so nobody can tell whether it is this checkout's.",
        "A file that is gone when the tests have ended has no digest: leave it out with [run] omit, or do not delete it.",
    )


def _changed(legs: Sequence[str], files: Sequence[str]) -> Problem:
    return _problem(
        legs,
        f"measured another text of {_listed(files)} than this checkout has: its line numbers mean other lines.",
        "Let nothing rewrite sources before the tests (a formatter, a generator, a package built from other files), or "
        "leave such a file out with [run] omit.",
    )


def _problem(legs: Sequence[str], what: str, step: str) -> Problem:
    if len(legs) == 1:
        return Problem(what, f"{step} Then re-run the job of {legs[0]}.", legs[0])
    return Problem(f"{len(legs)} legs ({_listed(legs)}) {what}", f"{step} Then re-run their jobs.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")

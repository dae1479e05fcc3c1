"""Which tests judge the mutants, and the environment that they see."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_kit.config import Config, Tier
from ci_kit.depth import tiers_of
from ci_kit.errors import CallerMistake
from ci_kit.quarantine import Quarantine
from ci_kit.schema import suggestion
from ci_kit.selective_mutation.suite import Suite
from ci_kit.uv import without_kit


def choose_tiers(config: Config, kind: str, asked: Sequence[str]) -> tuple[Tier, ...]:
    """The tiers that are `asked` for, else those that this kind of event runs and that need no services.

    Raises `CallerMistake` for a name that is no tier, and where every tier needs services.
    """
    tiers = tiers_of(config, kind)
    if asked:
        known = {tier.name: tier for tier in config.tiers or tiers}
        for name in asked:
            if name not in known:
                raise CallerMistake(
                    f"input tiers: there is no tier {name!r}{suggestion(name, list(known))}.",
                    next_step=f"The tiers are: {', '.join(known)}.",
                )
        return tuple(known[name] for name in asked)
    free = tuple(tier for tier in tiers if not tier.services)
    if not free:
        raise CallerMistake(
            "every tier of the configuration needs services, which the mutation job does not start.",
            next_step="Give actions/selective-mutation the input `tiers` in a job that has them.",
            file=config.file,
        )
    return free


def make_suite(
    tiers: Sequence[Tier],
    here: Path,
    python: Path,
    environ: Mapping[str, str],
    secrets: Mapping[str, str],
    quarantined: Quarantine,
    extra: Sequence[str],
) -> Suite:
    """All tiers as one run of pytest. Tests in quarantine have no say: they are left out.

    Of tiers with different markers, a test that any marker means runs; where a tier has none, no marker holds.
    """
    markers = [tier.marker for tier in tiers]
    arguments = [f"--deselect={entry.id}" for entry in quarantined.entries if not entry.is_pattern]
    if markers and all(markers):
        arguments.append(f"-m={' or '.join(f'({marker})' for marker in dict.fromkeys(markers))}")
    paths = [path for tier in tiers for path in tier.paths] if all(tier.paths for tier in tiers) else []
    own = without_kit(environ) | {name: value for tier in tiers for name, value in tier.env.items()} | dict(secrets)
    own["PATH"] = os.pathsep.join([str(python.parent), own.get("PATH", os.defpath)])
    return Suite(here, python, (*arguments, *extra), tuple(dict.fromkeys(paths)), own)

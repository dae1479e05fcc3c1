"""Measured files that are not in the checkout: what to say of them, and what would lead them home."""

from __future__ import annotations

from collections.abc import Sequence

from ci_kit.coverage_combine import mapping
from ci_kit.coverage_combine.checkout import checkout_files
from ci_kit.coverage_combine.combined import MOST_STRANGERS, Combined
from ci_kit.errors import InfrastructureFailure, KitError


def stranger_error(combined: Combined, strangers: Sequence[str], roots: Sequence[str]) -> KitError:
    """What to say of measured files that are not here: the block that maps them, or how to leave them out."""
    found = mapping.unmapped(strangers, roots)
    shown = ", ".join(f"{file.inside or file.path}" for file in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    least = "at least " if len(found) >= MOST_STRANGERS else ""
    what = f"{least}{len(found)} measured {'file is' if len(found) == 1 else 'files are'} not in this checkout: {shown}{more}."
    legs = combined.measured_by(strangers)
    what += f" Measured by {', '.join(legs[:5])}{f' and {len(legs) - 5} more' if len(legs) > 5 else ''}."
    elsewhere = [file.path for file in found if file.inside is None]
    if not elsewhere:
        return InfrastructureFailure(
            what,
            next_step="Such a file is often generated when the tests are set up: add it to [run] omit of the coverage "
            "configuration, or generate it before this step too.",
        )
    homes = mapping.suggest_paths(elsewhere, checkout_files(combined.here))
    toml = (combined.here / "pyproject.toml").is_file() and not (combined.here / ".coveragerc").is_file()
    block = mapping.paths_block(homes or {"src": ["/where/it/was/measured"]}, toml=toml)
    return InfrastructureFailure(
        what,
        next_step=f"Tell coverage where they are in the repository, in {'pyproject.toml' if toml else '.coveragerc'} "
        f"({'derived from the files here' if homes else 'an example'}):\n{block}\nor leave them out with [run] omit.",
    )

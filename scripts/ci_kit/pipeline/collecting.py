"""Collect every test of the run once, as a plain pytest would: what the plan cannot know without importing anything."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit.config import Tier
from ci_kit.errors import KitError
from ci_kit.pipeline.evidence import printable
from ci_kit.share import Selection
from ci_kit.test.preparation import PLUGIN_PATH
from ci_kit.test.record import read_record, write_task
from ci_kit.tools import Tools

LIMIT_SECONDS = 300.0
GOOD = (0, 5)
"""pytest's exit codes for a collection without errors, with tests and without."""
EVERYTHING = Selection(frozenset(), frozenset(), owns_unplanned=True)


@dataclass(frozen=True)
class Collected:
    """A tier's test ids; None with a note when it could not be collected here."""

    tier: str
    collected: tuple[str, ...] | None
    deselected: tuple[str, ...] = ()
    seconds: float = 0.0
    note: str = ""


def collect(tiers: Sequence[Tier], root: Path, environ: Mapping[str, str], tools: Tools) -> Iterator[Collected]:
    """Each tier in turn, with the Python on the PATH of `environ`, together within `LIMIT_SECONDS`.

    A tier that cannot be collected is only a note: the test jobs say better what is wrong with it.
    """
    python = shutil.which("python", path=environ.get("PATH"))
    if python is None:
        return
    left = LIMIT_SECONDS
    for tier in tiers:
        found = _collect(tier, python, root, environ, left, tools)
        left = max(1.0, left - found.seconds)
        yield found


def _collect(
    tier: Tier, python: str, root: Path, environ: Mapping[str, str], limit_seconds: float, tools: Tools
) -> Collected:
    with tempfile.TemporaryDirectory(prefix="ci-kit-collect-") as name:
        folder = Path(name)
        task = write_task(folder, root, EVERYTHING)
        path = [str(tools.kit_root / PLUGIN_PATH), *filter(None, [environ.get("PYTHONPATH", "")])]
        argv = [python, "-m", "pytest", "-p", "pytest_ci_kit", f"--ci-kit-task={task}", "--collect-only", "-q"]
        argv += ["-p", "no:cacheprovider", *(["-m", tier.marker] if tier.marker else []), *tier.paths]
        env = {**environ, **tier.env, "PYTHONPATH": ":".join(path)}
        try:
            done = tools.runner.run(argv, cwd=root, env=env, timeout_seconds=limit_seconds, stream=False)
            record = read_record(folder)
        except KitError as error:
            return Collected(tier.name, None, note=printable(error.message))
    if done.timed_out or done.code not in GOOD or record.conftest is not None:
        why = f"it took longer than {limit_seconds:.0f} s" if done.timed_out else _last(done.output)
        note = f"The tests of {tier.name} could not be collected here: {why}."
        return Collected(tier.name, None, seconds=done.seconds, note=note)
    return Collected(tier.name, record.collected, record.deselected, done.seconds)


def _last(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return printable(lines[-1].rstrip("."), 200) if lines else "pytest said nothing"

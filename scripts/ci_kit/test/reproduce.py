"""Decide which one command reproduces a failure on a laptop."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from ci_kit.plan import Leg
from ci_kit.test.model import Failing, Result

MOST_IDS = 30  # beyond it a command line is no help


def command_of(
    result: Result, arguments: Mapping[str, str], leg: Leg, *, seed: int | None, workers: int, plugins: Sequence[str]
) -> str | None:
    """The tests in their order, or the whole shard where no short list shows the failure; None without a finding.

    `arguments` maps ids to what names them from the workspace, `plugins` are distributions of the tests' environment.
    """
    finding = result.finding
    if finding is None:
        return None
    named = [arguments[name] for name in finding.ids if name in arguments]
    if not named or len(named) > MOST_IDS or len(named) < len(finding.ids):
        return whole_shard(leg, seed=seed, workers=workers)
    words = ["python", "-m", "pytest"]
    if len(named) > 1 and "pytest-randomly" in plugins:
        words += ["-p", "no:randomly"]
    if finding.failing is Failing.PARALLEL_UNSAFE:
        words += ["-n", str(finding.workers), "--dist", "load"]
    return shlex.join([*words, *named])


def whole_shard(leg: Leg, *, seed: int | None, workers: int) -> str:
    """The same shard, in the same order and with as many workers, by the kit."""
    words = ["scripts/ci-kit", "test", "run", "--tier", leg.tier, "--shard", str(leg.shard)]
    words += ["--workers", str(max(1, workers))]
    words += [] if seed is None else ["--seed", str(seed)]
    return shlex.join(words)

"""`selective-mutation merge`: one verdict from the jobs of a run, which the plan lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ci_kit import inputs
from ci_kit.errors import InfrastructureFailure
from ci_kit.inputs import Shard, setting
from ci_kit.selective_mutation.cache import Cache
from ci_kit.selective_mutation.cache_merge import merged
from ci_kit.selective_mutation.conclude import conclude, not_run
from ci_kit.selective_mutation.deal import deal
from ci_kit.selective_mutation.merging import collect, together
from ci_kit.selective_mutation.prepare import CommonInputs, prepare
from ci_kit.selective_mutation.shard import Origin
from ci_kit.selective_mutation.trying import CACHE
from ci_kit.tools import Tools


@dataclass(frozen=True)
class MergeInputs(CommonInputs):
    """Inputs of `selective-mutation merge`."""

    data: Path | None = setting(None, inputs.path, "folder with what the jobs delivered (default: where reports are)")


def merge(given: MergeInputs, tools: Tools) -> int:
    """0: all that fails is met. 1: it is not. Raises `InfrastructureFailure` that names a job without a good delivery."""
    ready = prepare(given, tools)
    if not ready.seen.decision.run:
        return not_run(ready, tools)
    count = ready.plan.shards
    wanted = [
        Origin(given.name, tools.event.sha, tools.event.run_attempt, Shard(i, count)) for i in range(1, count + 1)
    ]
    folder = given.data or ready.temp / "mutation-shards"
    found = collect(folder, wanted, deal(ready.generated.mutants, ready.plan.records, count))
    if found.problems:
        raise InfrastructureFailure(
            f"there is no verdict without every job's share of the mutants: {'; '.join(found.problems)}.",
            next_step="Look at the log of that job, then re-run the failed jobs.",
        )
    if tools.event.on_default_branch:
        merged([Cache.read(path.with_name(CACHE)) for path in found.paths]).write(ready.history / CACHE)
    tried = together(found.tried, ready.generated.mutants)
    return conclude(ready, tried, tried.seconds, given.html, tools)

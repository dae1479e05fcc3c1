"""`selective-mutation run`: try the mutants of this checkout, or one job's share of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit import inputs, secret_env
from ci_kit.errors import CallerMistake, Exit
from ci_kit.inputs import Shard, setting
from ci_kit.quarantine import read_quarantine
from ci_kit.selective_mutation import say
from ci_kit.selective_mutation.conclude import conclude, not_run, result_of
from ci_kit.selective_mutation.deal import deal
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.prepare import CommonInputs, Ready, prepare
from ci_kit.selective_mutation.shard import Origin, Tried, write_shard
from ci_kit.selective_mutation.suite import Suite
from ci_kit.selective_mutation.surroundings import choose_tiers, make_suite
from ci_kit.selective_mutation.trying import CACHE, Terms, try_mutants
from ci_kit.tests_python import find_python
from ci_kit.tools import Tools


@dataclass(frozen=True)
class RunInputs(CommonInputs):
    """Inputs of `selective-mutation run`."""

    python: str = setting("", inputs.text, "interpreter of the tests (default: the environment's, else that on PATH)")
    tiers: tuple[str, ...] = setting((), inputs.words, "tiers whose tests judge (default: those without services)")
    budget: float | None = setting(None, inputs.duration, "time for all mutants (default: configuration, else 7m)")
    shard: Shard | None = setting(None, inputs.shard, "the share i/n of the plan to try (default: all mutants)")
    pytest_args: tuple[str, ...] = setting((), inputs.lines, "more arguments of pytest, one a line")
    env: str = setting("", inputs.text, "lines NAME=value of the consumer's secrets", secret=True)


def run(given: RunInputs, tools: Tools) -> int:
    """0: all that fails is met, there is nothing to do, or a share is tried, of which the verb `merge` judges. 1: it is not."""
    started = tools.clock.monotonic()
    ready = prepare(given, tools)
    if given.shard is not None:
        return _share(given, given.shard, ready, tools)
    if not ready.seen.decision.run:
        return not_run(ready, tools)
    tried = _tried(ready.generated.mutants, given, ready, tools)
    return conclude(ready, tried, tools.clock.monotonic() - started, given.html, tools)


def _share(given: RunInputs, shard: Shard, ready: Ready, tools: Tools) -> int:
    """One of several jobs: it delivers what it found, and judges nothing."""
    if given.plan is None or shard.count != ready.plan.shards:
        raise CallerMistake(
            f"input shard: the plan has {ready.plan.shards} shares, not {shard.count}.",
            next_step="Give the plan of this run (input plan), and the shares that it has.",
        )
    mine = deal(ready.generated.mutants, ready.plan.records, shard.count)[shard.index - 1]
    tried = _tried(mine, given, ready, tools)
    folder = ready.temp / "mutation-shard"
    files = [write_shard(folder, Origin(given.name, tools.event.sha, tools.event.run_attempt, shard), tried)]
    if tools.event.on_default_branch and mine:
        files.append(folder / CACHE)
        shutil.copyfile(ready.history / CACHE, files[-1])
    say.delivered(files, shard, tried, given.name, tools)
    return Exit.GOOD


def _tried(mutants: Sequence[Mutant], given: RunInputs, ready: Ready, tools: Tools) -> Tried:
    if not mutants:
        return Tried()
    suite = _suite(given, ready, tools)
    seconds = ready.config.mutation.budget_seconds if given.budget is None else given.budget

    def interrupted(tried: Tried) -> None:
        # A share that was not tried to its end delivers nothing: the merge names it as missing.
        if given.shard is None:
            say.tell(result_of(ready, tried, tried.seconds), ready.temp, tools)

    return try_mutants(mutants, ready, suite, Terms(seconds, interrupted), tools)


def _suite(given: RunInputs, ready: Ready, tools: Tools) -> Suite:
    here, config = ready.here, ready.config
    secrets = secret_env.read_secrets(tools.environ, tools.workflow)
    if note := secret_env.check_required(config.required_secrets, secrets, tools.event):
        tools.workflow.log(note)
    tiers = choose_tiers(config, tools.event.kind, given.tiers)
    python: Path = find_python(given.python, tools.environ, ready.temp)
    quarantined = read_quarantine(here, config.test.quarantine, tools.clock.now().date())
    return make_suite(tiers, here, python, tools.environ, secrets, quarantined, given.pytest_args)

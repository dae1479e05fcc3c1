"""`pipeline plan`: look at the repository, decide, write the plan and announce it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from ci_kit import inputs, secret_env
from ci_kit.affected_plan import TestChoice, write_choice
from ci_kit.config import Config, Tier, load_config
from ci_kit.discovery import find_paths
from ci_kit.errors import CallerMistake, Exit
from ci_kit.github import Annotation, job_started
from ci_kit.history import NAME, History, read_history
from ci_kit.inputs import setting
from ci_kit.machine import cores
from ci_kit.markdown import text
from ci_kit.pipeline import mapping, planning
from ci_kit.pipeline.interpreters import is_here
from ci_kit.pipeline.limits import limits_of
from ci_kit.pipeline.mutants import Mutants, mutants_outputs, plan_mutants
from ci_kit.plan import AFTER, FIRST, Plan, write_plan
from ci_kit.project import newest, read_project
from ci_kit.pytest_config import read_pytest_config
from ci_kit.report import report_folder
from ci_kit.shard_count import Terms, overhead_seconds, speed_of
from ci_kit.tier_plan import TierFiles, find_tier
from ci_kit.tools import Tools


@dataclass(frozen=True)
class PlanInputs:
    """Inputs of `pipeline plan`."""

    config: Path | None = setting(None, inputs.path, "configuration file (default .github/ci-kit.yml)")
    name: str = setting("ci", inputs.short_name, "name of this call, part of artifact names and cache keys")
    single: bool = setting(False, inputs.boolean, "plan for one job: one Python, one shard, no services")
    env: str = setting("", inputs.text, "lines NAME=value of the consumer's secrets", secret=True)


def run(given: PlanInputs, tools: Tools) -> int:
    """Write `plan.json`, set the outputs of the plan job and say what will run."""
    root = tools.event.workspace
    config = load_config(root, given.config)
    secrets = secret_env.read_secrets(tools.environ, tools.workflow)
    if note := secret_env.check_required(config.required_secrets, secrets, tools.event):
        tools.workflow.log(note)
    project = read_project(root)
    folder = report_folder(tools.environ)
    (folder / NAME).unlink(missing_ok=True)  # nothing of an earlier plan may pass for this one's
    remembered = folder / "history" / NAME
    history, note = _history(remembered, config)
    found = _find(root, config, planning.tiers_to_run(config, tools.event, single=given.single), history)
    plan = planning.make_plan(
        config,
        project,
        tools.event,
        name=given.name,
        found=found,
        terms=Terms(overhead_seconds=overhead_seconds(history.runs), speed=speed_of(config.test.workers or cores())),
        single=given.single,
        history=note or _leaned_on(found, history),
    )
    plan = replace(plan, started=job_started(tools.environ, tools.clock.now()).isoformat(timespec="seconds"))
    mutants = Mutants() if given.single else plan_mutants(config, given.name, root, tools)
    outputs = _outputs(plan, config, tools, mutants)
    if not given.single:  # there, no other job needs them
        secret_env.check_outputs(outputs, tools.environ)
    path = write_plan(folder, plan)
    everything = find_paths(root, read_pytest_config(root))
    held = frozenset(file.path for one in found for file in one.files)
    choice = mapping.choose(
        plan,
        config,
        project,
        tools.event,
        tools.runner,
        history=remembered.parent,
        test_files=held | frozenset(everything),
    )
    parts = [path, write_choice(folder, choice), *([_beside(folder, remembered)] if note is None else [])]
    parts += mutants.files(folder)
    said = {"plan": str(path), "files": "\n".join(map(str, parts)), "billed-minutes": str(plan.billed_minutes)}
    for output, value in {**said, **outputs}.items():
        tools.workflow.output(output, value)
    _say(plan, found, planning.unassigned(plan, everything), choice, config, tools, mutants)
    return Exit.GOOD


def _history(path: Path, config: Config) -> tuple[History, str | None]:
    if config.history == "none":
        return History(), "The configuration keeps no history."
    return read_history(path)


def _beside(folder: Path, history: Path) -> Path:
    """The history laid beside the plan, for the shards and the gate."""
    path = folder / NAME
    shutil.copyfile(history, path)
    return path


def _leaned_on(found: list[TierFiles], history: History) -> str:
    tests = sum(file.tests for one in found for file in one.files)
    known = sum(min(1.0, one.share_recorded) * sum(file.tests for file in one.files) for one in found)
    runs = len(history.runs)
    share = f"{known / tests:.0%}".replace("%", " %") if tests else "none"
    return f"Times of {share} of the tests are known from the last {runs} run{'' if runs == 1 else 's'}."


def _find(root: Path, config: Config, tiers: tuple[Tier, ...], history: History) -> list[TierFiles]:
    found = []
    for tier in tiers:
        try:
            found.append(find_tier(root, tier, history.durations(tier.name)))
        except CallerMistake as error:
            raise CallerMistake(
                f"tier {tier.name}: {error.message}", next_step=error.next_step, file=error.file or config.file
            ) from error
    return found


def _outputs(plan: Plan, config: Config, tools: Tools, mutants: Mutants) -> dict[str, str]:
    """What other jobs learn of the plan."""
    limits, python = limits_of(config.test.timeout_seconds), newest(plan.pythons)
    return {
        "artifact": f"{plan.name}-plan-a{plan.attempt}",
        "python": python,
        "setup-python": "" if is_here(python, tools.environ, tools.runner) else python,
        "matrix": json.dumps(planning.matrix(plan, FIRST), separators=(",", ":")),
        "matrix-after": json.dumps(planning.matrix(plan, AFTER), separators=(",", ":")),
        **{job: "true" if announced else "false" for job, announced in plan.jobs.items()},
        "tier": plan.tiers[0].name,
        "test-timeout": f"{limits.verb}m",
        "test-minutes": str(limits.step),
        "job-minutes": str(limits.job),
        "fetch-depth": str(planning.fetch_depth(config, tools.event)),
        **mutants_outputs(mutants),
        "keeps-history": "true" if planning.keeps_history(config, tools.event) else "false",
    }


def _say(
    plan: Plan,
    found: list[TierFiles],
    left_out: tuple[str, ...],
    choice: TestChoice,
    config: Config,
    tools: Tools,
    mutants: Mutants,
) -> None:
    rows = []
    for tier, one in zip(plan.tiers, found, strict=True):
        longest = max(share.seconds for share in tier.shards)
        tests = sum(file.tests for file in one.files)
        cut = len({part.file for share in tier.shards for part in share.parts})
        files = f"{len(one.files)} ({cut} cut)" if cut else str(len(one.files))
        rows.append(
            f"| {text(tier.name)} | {text(', '.join(plan.pythons))} | {len(tier.shards)} | {files} | ~{tests} | ~{longest:.0f} s |"
        )
    legs = len(list(plan.legs()))
    head = f"### Plan: {legs} test job{'s' if legs != 1 else ''} ({plan.event.replace('-', ' ')})"
    table = [
        "| tier | Python | shards | files | tests (guess) | longest shard, one worker (guess) |",
        "|---|---|--:|--:|--:|--:|",
        *rows,
    ]
    skipped = [job for job, announced in plan.jobs.items() if not announced]
    minutes = f"{plan.billed_minutes} billed runner minute{'' if plan.billed_minutes == 1 else 's'}"
    notes = [
        f"About {minutes} in all, each job rounded up to a whole one. {plan.history}",
        f"Configuration: {config.file or 'none, defaults hold'}. Not part of this run: {', '.join(skipped) or 'nothing'}.",
    ]
    if config.history == "branch":
        notes.append("`history: branch` is without effect in this version: the history is kept in the cache.")
    notes += mutants.notes()
    notes += filter(None, (choice.sentence(tier.name) for tier in plan.tiers))
    if left_out:
        shown = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "")
        what = "test file belongs" if len(left_out) == 1 else "test files belong"
        notes.append(f"{len(left_out)} {what} to no tier of this run: {shown}.")
        if plan.event != "other":
            tools.workflow.annotate(Annotation("warning", notes[-1], config.file, title="Tests that do not run"))
    for line in [f"{head[4:]}:", *(f"  {leg}" for leg in plan.legs()), *notes]:
        tools.workflow.log(line)
    tools.workflow.summary("\n".join([head, "", *table, "", *map(text, notes)]))

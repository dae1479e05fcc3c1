"""`pipeline plan`: look at the repository, decide, write the plan and announce it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ci_kit import inputs, secret_env
from ci_kit.config import Config, load_config
from ci_kit.discovery import TestFile, find_paths, find_test_files
from ci_kit.errors import CallerMistake, Exit
from ci_kit.github import Annotation
from ci_kit.inputs import setting
from ci_kit.markdown import text
from ci_kit.pipeline import planning
from ci_kit.pipeline.limits import limits_of
from ci_kit.plan import AFTER, FIRST, Plan, write_plan
from ci_kit.project import newest, read_project
from ci_kit.pytest_config import read_pytest_config
from ci_kit.report import report_folder
from ci_kit.split import estimated_seconds
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
    files = _files(root, config, planning.event_kind(tools.event), single=given.single)
    plan = planning.make_plan(config, project, tools.event, name=given.name, files=files, single=given.single)
    outputs = _outputs(plan, config)
    if not given.single:  # there, no other job needs them
        secret_env.check_outputs(outputs, tools.environ)
    path = write_plan(report_folder(tools.environ), plan)
    for output, value in {"plan": str(path), **outputs}.items():
        tools.workflow.output(output, value)
    everything = find_paths(root, read_pytest_config(root))
    _say(plan, files, planning.unassigned(plan, everything), config, tools)
    return Exit.GOOD


def _files(root: Path, config: Config, kind: str, *, single: bool) -> dict[str, list[TestFile]]:
    tiers = planning.tiers_of(config, kind)
    tiers = planning.single_tier(config, tiers) if single else tiers
    found = {}
    for tier in tiers:
        try:
            found[tier.name] = find_test_files(root, read_pytest_config(root, tier.paths), tier.paths)
        except CallerMistake as error:
            raise CallerMistake(
                f"tier {tier.name}: {error.message}", next_step=error.next_step, file=error.file or config.file
            ) from error
    return found


def _outputs(plan: Plan, config: Config) -> dict[str, str]:
    """What other jobs learn of the plan."""
    limits = limits_of(config.test.timeout_seconds)
    return {
        "artifact": f"{plan.name}-plan-a{plan.attempt}",
        "python": newest(plan.pythons),
        "matrix": json.dumps(planning.matrix(plan, FIRST), separators=(",", ":")),
        "matrix-after": json.dumps(planning.matrix(plan, AFTER), separators=(",", ":")),
        **{job: "true" if announced else "false" for job, announced in plan.jobs.items()},
        "tier": plan.tiers[0].name,
        "test-timeout": f"{limits.verb}m",
        "test-minutes": str(limits.step),
        "job-minutes": str(limits.job),
    }


def _say(plan: Plan, files: dict[str, list[TestFile]], left_out: tuple[str, ...], config: Config, tools: Tools) -> None:
    rows = []
    for tier in plan.tiers:
        cost = {file.path: estimated_seconds(file) for file in files[tier.name]}
        longest = max(sum(cost[file] for file in shard) for shard in tier.shards)
        tests = sum(file.tests for file in files[tier.name])
        rows.append(
            f"| {text(tier.name)} | {text(', '.join(plan.pythons))} | {len(tier.shards)} | {len(cost)} | ~{tests} | ~{longest:.0f} s |"
        )
    legs = len(list(plan.legs()))
    head = f"### Plan: {legs} test job{'s' if legs != 1 else ''} ({plan.event.replace('-', ' ')})"
    table = [
        "| tier | Python | shards | files | tests (guess) | longest shard (guess) |",
        "|---|---|--:|--:|--:|--:|",
        *rows,
    ]
    skipped = [job for job, announced in plan.jobs.items() if not announced]
    notes = [
        f"Configuration: {config.file or 'none, defaults hold'}. Not part of this run: {', '.join(skipped) or 'nothing'}."
    ]
    if config.without_effect:
        notes.append(f"Set, but without effect in this version: {', '.join(config.without_effect)}.")
    if left_out:
        shown = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "")
        what = "test file belongs" if len(left_out) == 1 else "test files belong"
        notes.append(f"{len(left_out)} {what} to no tier of this run: {shown}.")
        if plan.event != "other":
            tools.workflow.annotate(Annotation("warning", notes[-1], config.file, title="Tests that do not run"))
    for line in [f"{head[4:]}:", *(f"  {leg}" for leg in plan.legs()), *notes]:
        tools.workflow.log(line)
    tools.workflow.summary("\n".join([head, "", *table, "", *map(text, notes)]))

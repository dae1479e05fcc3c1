"""The plan of a run's mutants: how many jobs, and on which records of earlier runs all of them lean.

`mutation-plan.json` (`ci-kit/mutation-plan/1`), written by `pipeline plan`. What the cache holds may change while a run
goes on; with the records in the plan, every job of the run deals and judges alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit import report, schema
from ci_kit.config import Config
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.machine import cores
from ci_kit.selective_mutation.copying import project_files
from ci_kit.selective_mutation.estimate import Estimate, estimate
from ci_kit.selective_mutation.look import Look
from ci_kit.selective_mutation.reading import read_json, reason
from ci_kit.selective_mutation.records import MOST_BYTES, Records, from_json, to_json
from ci_kit.selective_mutation.targets import Targets, find_targets
from ci_kit.tools import Tools

NAME = "mutation-plan.json"
SCHEMA = "mutation-plan"


@dataclass(frozen=True)
class MutationPlan:
    """`lost` says why there are no records; empty: there are."""

    name: str
    commit: str
    attempt: int
    shards: int
    records: Records
    lost: str


def make_plan(
    seen: Look, config: Config, records: Records, lost: str, here: Path, name: str, tools: Tools
) -> tuple[MutationPlan, Estimate]:
    """For the checkout in `here`, of which `seen` says what is to be mutated."""
    try:
        targets = find_targets(seen.decision, project_files(here, tools), here, seen.files, seen.used)
    except CallerMistake:
        targets = Targets({}, None)  # the job of the mutants says what is wrong: it must not be in the way of the tests
    likely = estimate(targets, records)
    # Mutants are tried by two workers or more, on a machine like this one.
    shards = likely.shards(config.mutation.budget_seconds, max(2, cores()), config.mutation.max_shards)
    return MutationPlan(name, tools.event.sha, tools.event.run_attempt, shards, records, lost), likely


def write_plan(folder: Path, plan: MutationPlan) -> Path:
    """Whole or not at all."""
    path = folder / NAME
    data = {
        "schema": f"ci-kit/{SCHEMA}/1",
        "name": plan.name,
        "commit": plan.commit,
        "attempt": plan.attempt,
        "shards": plan.shards,
        "records": to_json(plan.records),
        "lost": plan.lost,
    }
    report.write_text(path, json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


def read_plan(path: Path, name: str, tools: Tools) -> MutationPlan:
    """Raises `InfrastructureFailure` for one that is missing, damaged, or of another call or commit."""
    try:
        data = read_json(path, 2 * MOST_BYTES)
        schema.check(data, schema.load(SCHEMA), what="plan")
        if not isinstance(data, dict):  # the schema says object; this tells the type checker
            raise TypeError(path)
        records = from_json(data["records"])
        found = MutationPlan(data["name"], data["commit"], data["attempt"], data["shards"], records, data["lost"])
        _check(found, name, tools)
    except (OSError, ValueError, RecursionError) as error:
        raise InfrastructureFailure(
            f"the plan of the mutants ({path.name}) cannot be used: {reason(error)}.", next_step="Re-run all jobs."
        ) from error
    return found


def _check(plan: MutationPlan, name: str, tools: Tools) -> None:
    expected: dict[str, tuple[Any, Any]] = {"call": (plan.name, name), "commit": (plan.commit, tools.event.sha)}
    for what, (found, wanted) in expected.items():
        if found != wanted:
            raise ValueError(f"it is of the {what} {found!r}, not of {wanted!r}")
    if plan.attempt > tools.event.run_attempt:
        raise ValueError(f"it is of the later attempt {plan.attempt}")

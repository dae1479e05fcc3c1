"""What the number may rest on: every announced leg, proven. Anything less gives no number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ci_kit.coverage_combine.delivery import Chosen, Problem, choose
from ci_kit.coverage_combine.numbers import FileCoverage, add
from ci_kit.coverage_combine.proof import Proven, prove
from ci_kit.coverage_combine.receive import Received, receive
from ci_kit.coverage_combine.result import Known, Untrusted
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.plan import Leg, Plan
from ci_kit.tools import Tools


def trusted(
    folder: Path, plan: Plan | None, name: str, known: Known, tools: Tools, scratch: Path
) -> tuple[Chosen, list[Proven]]:
    """The legs of the call `name` with their proven data, copied to `scratch`. Notes go to `known`.

    Raises `Untrusted` with all that is wrong, `CallerMistake` when there is no `folder` to look into or the plan is
    another call's.
    """
    if plan is not None and plan.name != name:
        raise CallerMistake(
            f"input plan: it is the plan of the call {plan.name!r}; this is the call {name!r}.",
            next_step="Give the plan that was made under the same name, or correct the input name.",
        )
    if not folder.is_dir() and plan is None:  # with a plan, the legs that did not deliver are named
        raise CallerMistake(
            f"input data: there is no folder {folder}.",
            next_step="Download the results of the test jobs before this step, or correct the input.",
        )
    received = receive(folder, name)
    announced: set[Leg] | None = set(plan.legs()) if plan else None
    chosen = choose(received.deliveries, announced, known.commit)
    known.notes += chosen.notes
    proven, unsound = prove(chosen.deliveries, scratch)
    problems = (
        *received.problems,
        *_other_commit(plan, tools.event.sha),
        *_nothing(received, name, folder, plan),
        *chosen.problems,
        *unsound,
    )
    if problems:
        raise Untrusted(problems)
    return chosen, proven


def _nothing(received: Received, name: str, folder: Path, plan: Plan | None) -> list[Problem]:
    """Why there is not one delivery, where that has a reason of its own."""
    if received.deliveries:
        return []
    if received.others:
        found = f"{folder} holds only results of {', '.join(map(repr, received.others[:5]))}"
        step = "Give this step the input name that the tests were given."
        return [Problem(f"no leg delivered under the name {name!r}: {found}.", step)]
    if received.problems or plan:
        return []
    step = "Run the tests with coverage and download their results."
    return [Problem(f"no leg delivered anything: {folder} holds no */coverage/manifest.json.", step)]


def _other_commit(plan: Plan | None, commit: str) -> list[Problem]:
    if plan is None or not plan.commit or not commit or plan.commit == commit:
        return []
    what = f"the plan is of commit {plan.commit[:12]}, and this run is of {commit[:12]}: it announces other jobs."
    return [Problem(what, "Re-run all jobs, so that one plan holds for all of them.")]


def require_measured(files: Sequence[FileCoverage]) -> None:
    """Raise `InfrastructureFailure` when there is nothing to divide by, or nothing was run at all."""
    counts = add(file.counts for file in files)
    if not counts.counted:
        raise InfrastructureFailure(
            f"the {len(files)} measured files hold no line to cover: 0 of 0 is no number.",
            next_step="Compare [run] source and [report] omit with the repository's layout.",
        )
    if not counts.covered:
        raise InfrastructureFailure(
            f"not one of the {counts.counted} lines and branches in {len(files)} files was run by any test leg.",
            next_step="The tests ran other code, for example an installed copy, which a [run] source of folders does not "
            "measure: name the package in [run] source_pkgs, or install the project in editable mode.",
        )

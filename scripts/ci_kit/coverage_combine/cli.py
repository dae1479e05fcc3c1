"""`ci-kit coverage-combine combine`: all legs' coverage data to one number, its reports and its gates."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import coverage

from ci_kit.affected_plan import read_choice
from ci_kit.config import Config, load_config
from ci_kit.coverage_combine import reports, say
from ci_kit.coverage_combine.advice import advice_for
from ci_kit.coverage_combine.badge import badge
from ci_kit.coverage_combine.base import Base, NoBase
from ci_kit.coverage_combine.blocks import blocks
from ci_kit.coverage_combine.changed import base_of, changed_since
from ci_kit.coverage_combine.combined import Combined, inside, stranger_error
from ci_kit.coverage_combine.delivery import Chosen, Problem, choose
from ci_kit.coverage_combine.gates import judge
from ci_kit.coverage_combine.numbers import FileCoverage, add
from ci_kit.coverage_combine.proof import Proven, prove
from ci_kit.coverage_combine.receive import Received, receive
from ci_kit.coverage_combine.result import NAME, Result, Untrusted, numberless_report
from ci_kit.coverage_combine.settings import read_settings
from ci_kit.errors import CallerMistake, Exit, InfrastructureFailure, KitError
from ci_kit.inputs import boolean, choice, path, percentage, setting, short_name, text
from ci_kit.plan import Leg, Plan, read_plan
from ci_kit.report import report_folder, write_report, write_text
from ci_kit.tools import Tools, Verb


@dataclass(frozen=True)
class CombineInputs:
    """What `combine` can be told."""

    data: Path | None = setting(None, path, "folder of the test legs' results (default: $RUNNER_TEMP/ci-kit/results)")
    plan: Path | None = setting(None, path, "the run's plan.json; every leg in it must have delivered")
    config: Path | None = setting(None, path, "configuration file (default: .github/ci-kit.yml)")
    total: float | None = setting(None, percentage, "least total coverage; wins over the configuration (default: 85)")
    html: str = setting(
        "auto",
        choice("auto", "true", "false"),
        "write the HTML report; auto: when a gate says no, and where no pull request waits (default: auto)",
    )
    name: str = setting("ci", short_name, "name of this call; only results of the same name count")
    upload: bool = setting(True, boolean, "whether the action uploads the reports (default: true)")
    base: str = setting("", text, "commit or branch that the changed lines are counted from (default: the event's)")


PARTIAL = "Only affected tests ran (test.select: affected), so no threshold of coverage is judged."
NOTHING_AFFECTED = "The tests that the change can reach run no line of the project (test.select: affected)."
BADGE = "badge.svg"
WAITED_FOR = frozenset({"pull_request", "pull_request_target", "merge_group"})


def wants_html(asked: str, *, failed: bool, waits: bool) -> bool:
    """HTML analyses everything once more, so on a green pull request, where somebody `waits`, nobody pays for it."""
    return asked == "true" or (asked == "auto" and (failed or not waits))


def combine(inputs: CombineInputs, tools: Tools) -> int:
    """Prove, combine, judge, tell. What cannot be trusted raises `InfrastructureFailure` and gives no number."""
    tools.workflow.output("upload", "true" if inputs.upload else "false")
    here = tools.event.workspace.resolve()
    config = load_config(here, inputs.config)
    temp = report_folder(tools.environ).resolve()
    # Nothing of an earlier run may pass for a result of this one.
    (temp / f"{NAME}.json").unlink(missing_ok=True)
    reports.clear(temp / "coverage")
    partial = read_choice(here / inputs.plan if inputs.plan else None).leaves_out
    try:
        with tempfile.TemporaryDirectory(prefix="coverage-", dir=temp) as scratch:
            result = _combine(inputs, tools, config, here, temp, Path(scratch), partial=partial)
    except KitError as error:
        reports.clear(temp / "coverage")
        if isinstance(error, InfrastructureFailure):
            problems = error.problems if isinstance(error, Untrusted) else (Problem(error.message, error.next_step),)
            report = write_report(temp, NAME, numberless_report(inputs.name, tools.event.sha, problems))
            say.untrusted(tools.workflow, inputs.name, problems, report, tools.event.run_attempt)
        raise
    if result is None:
        report = write_report(
            temp, NAME, numberless_report(inputs.name, tools.event.sha, (), notes=(NOTHING_AFFECTED,))
        )
        say.nothing(tools.workflow, inputs.name, NOTHING_AFFECTED, report, tools.event.run_attempt)
        return Exit.GOOD
    report = write_report(temp, NAME, result.as_json())
    say.result(tools.workflow, result, report, tools.event.run_attempt)
    return Exit.NO if result.failed else Exit.GOOD


def _combine(
    inputs: CombineInputs, tools: Tools, config: Config, here: Path, temp: Path, scratch: Path, *, partial: bool
) -> Result | None:
    """`partial`: tests may have been left out; only then nothing measured is no error, but the answer None."""
    started = tools.clock.monotonic()
    chosen, proven = _received(inputs, tools, here, temp, scratch)
    if not any(leg.measured for leg in proven):
        if partial:
            return None
        raise Untrusted(
            [Problem("no leg measured any file of the repository.", "Compare [run] source with its layout.")]
        )
    total = inputs.total if inputs.total is not None else config.coverage.total
    # Of a part of the tests no threshold can be asked.
    asked = replace(config.coverage, components=(), file_floor=0.0, patch=None) if partial else config.coverage
    base = base_of(here, tools, inputs.base or None, wanted=asked.patch is not None)
    pythons = [leg.delivery.leg.python for leg in proven]
    settings = read_settings(here, tools.environ)
    with inside(here), tools.workflow.foreign_output():
        combined = Combined(here, scratch / "combined", settings)
        combined.combine(proven)
        roots = sorted({leg.delivery.manifest.root for leg in proven if leg.delivery.manifest})
        if strangers := combined.strangers():
            raise stranger_error(combined, strangers, roots)
        analysis = reports.analyse(combined, temp / "coverage", pythons)
        files = analysis.files
        if not partial:
            _require_measured(files)
        changed = changed_since(base, here, analysis.data, tools) if isinstance(base, Base) else None
        no_change = base.why if isinstance(base, NoBase) else ""
        judgement = judge(
            files, asked, 0.0 if partial else total, config.file, changed.patch if changed else None, no_change
        )
        title = f"{inputs.name}: coverage of {tools.event.repository or here.name} {tools.event.sha[:12]}".strip()
        html = wants_html(inputs.html, failed=bool(judgement.failed), waits=tools.event.name in WAITED_FOR)
        written = reports.write_others(combined, analysis, temp / "coverage", pythons, title if html else None)
    touched = changed.patch.files if changed else ()
    total_gate = judgement.total
    write_text(temp / "coverage" / BADGE, badge(total_gate.counts, total_gate.threshold, passed=not judgement.failed))
    return Result(
        name=inputs.name,
        commit=tools.event.sha,
        files=files,
        judgement=judgement,
        threshold_from="the input total" if inputs.total is not None else config.file or "the default",
        proven=tuple(proven),
        empty=tuple(d.leg for d in chosen.deliveries if d.manifest is None),
        written=written,
        notes=(
            *chosen.notes,
            *combined.notes,
            *_interpreter_notes(pythons),
            *((PARTIAL,) if partial else ()),
            *_no_change_note(base),
        ),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        coverage=coverage.__version__,
        seconds=tools.clock.monotonic() - started,
        badge=temp / "coverage" / BADGE,
        changed=changed,
        no_change=no_change,
        uncovered_changes=tuple(sorted(blocks(touched, analysis.data), key=lambda block: -block.gain)),
        advice=advice_for(judgement.failed, asked.components, files, touched, analysis.data),
    )


def _received(
    inputs: CombineInputs, tools: Tools, here: Path, temp: Path, scratch: Path
) -> tuple[Chosen, list[Proven]]:
    folder = here / inputs.data if inputs.data else temp / "results"
    plan = read_plan(here / inputs.plan) if inputs.plan else None
    if not folder.is_dir() and plan is None:  # with a plan, the legs that did not deliver are named
        raise CallerMistake(
            f"input data: there is no folder {folder}.",
            next_step="Download the results of the test jobs before this step, or correct the input.",
        )
    received = receive(folder, inputs.name)
    announced: set[Leg] | None = set(plan.legs()) if plan else None
    chosen = choose(received.deliveries, announced, _commit(tools, here))
    proven, unsound = prove(chosen.deliveries, scratch)
    problems = (*received.problems, *_nothing(received, inputs.name, folder, plan), *chosen.problems, *unsound)
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


def _commit(tools: Tools, here: Path) -> str:
    """The commit of the checkout; empty where nobody knows."""
    if tools.event.sha or not shutil.which("git"):
        return tools.event.sha
    done = tools.runner.run(["git", "rev-parse", "HEAD"], cwd=here, timeout_seconds=30, stream=False)
    return "" if done.code else done.output.strip()


def _require_measured(files: Sequence[FileCoverage]) -> None:
    counts = add(file.counts for file in files)
    if not counts.counted:
        raise InfrastructureFailure(
            f"the {len(files)} measured files hold no line to cover: 0 of 0 is no number.",
            next_step="Compare [run] source and [report] omit with the repository's layout.",
        )
    if not counts.covered:
        raise InfrastructureFailure(
            f"not one of the {counts.counted} lines and branches in {len(files)} files was run by any test leg.",
            next_step="The tests ran other code, for example an installed copy: install the project in editable mode, "
            "or map the copy with [paths] in the coverage configuration.",
        )


def _no_change_note(base: Base | NoBase) -> list[str]:
    """What the caller could do to see the changed lines; where there are none to see, nothing."""
    return [f"Changed lines are not shown: {base.why} {base.next_step}"] if isinstance(base, NoBase) and base.fault else []  # fmt: skip


def _interpreter_notes(pythons: list[str]) -> list[str]:
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    if any(text == this or text.startswith(f"{this}.") for text in pythons):
        return []
    measured = ", ".join(sorted(set(pythons)))
    return [
        f"The sources were analysed with Python {this}, but measured with {measured}: lines and branches may differ a little."
    ]


VERBS = {"combine": Verb(combine, CombineInputs, "Combine all legs' coverage into one number and judge it.")}

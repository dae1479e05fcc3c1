"""`ci-kit coverage-combine combine`: all legs' coverage data to one number, its reports and its gates."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import coverage

from ci_kit.affected_plan import read_choice
from ci_kit.config import Config, load_config
from ci_kit.coverage_combine import reports, say
from ci_kit.coverage_combine.badge import badge
from ci_kit.coverage_combine.changed import base_of
from ci_kit.coverage_combine.combined import Combined, inside
from ci_kit.coverage_combine.compared import Measured
from ci_kit.coverage_combine.contributions import Contribution, contributions
from ci_kit.coverage_combine.delivery import Problem
from ci_kit.coverage_combine.judged import Asked, judge_all
from ci_kit.coverage_combine.narrow import legs_of_pull_requests, measure_narrow
from ci_kit.coverage_combine.page import markdown
from ci_kit.coverage_combine.proof import Proven
from ci_kit.coverage_combine.result import NAME, Known, Result, Untrusted, unjudged_report
from ci_kit.coverage_combine.settings import read_settings
from ci_kit.coverage_combine.sources import changed_sources
from ci_kit.coverage_combine.strangers import stranger_error
from ci_kit.coverage_combine.trusted import require_measured, trusted
from ci_kit.coverage_combine.uncollected import uncollected
from ci_kit.errors import CallerMistake, Exit, KitError
from ci_kit.git import checked_out
from ci_kit.history import newest
from ci_kit.history_coverage import leg_name
from ci_kit.inputs import boolean, choice, path, percentage, setting, short_name, text
from ci_kit.plan import given_plan
from ci_kit.project import read_project
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
    history: Path | None = setting(
        None, path, "history.json with earlier coverage (default: the job's, else the plan's)"
    )
    upload: bool = setting(True, boolean, "whether the action uploads the reports (default: true)")
    base: str = setting("", text, "commit or branch that the changed lines are counted from (default: the event's)")


NOTHING_AFFECTED = "The tests that the change can reach run no line of the project (test.select: affected)."
BADGE = "badge.svg"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
WAITED_FOR = frozenset({"pull_request", "pull_request_target", "merge_group"})


def wants_html(asked: str, *, failed: bool, waits: bool) -> bool:
    """HTML analyses everything once more, so on a green pull request, where somebody `waits`, nobody pays for it."""
    return asked == "true" or (asked == "auto" and (failed or not waits))


@uncollected()
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
    known = Known(checked_out(tools))
    try:
        with tempfile.TemporaryDirectory(prefix="coverage-", dir=temp) as scratch:
            result = _combine(inputs, tools, config, here, temp, Path(scratch), known, partial=partial)
    except KitError as error:
        reports.clear(temp / "coverage")
        _unjudged(error, inputs, tools, temp, known)
        raise
    if result is None:
        known.notes.append(NOTHING_AFFECTED)
        report = write_report(temp, NAME, unjudged_report(inputs.name, "passed", known))
        say.nothing(tools.workflow, inputs.name, NOTHING_AFFECTED, report, tools.event.run_attempt)
        return Exit.GOOD
    report = write_report(temp, NAME, result.as_json())
    page = markdown(result)
    write_text(result.written.markdown, page)
    say.result(tools.workflow, result, page, report, tools.event.run_attempt)
    return Exit.NO if result.judged.failures else Exit.GOOD


def _unjudged(error: KitError, inputs: CombineInputs, tools: Tools, temp: Path, known: Known) -> None:
    """Tell why nothing was judged. Data that cannot be trusted gives no number; a mistake does not take one away."""
    attempt = tools.event.run_attempt
    problems = error.problems if isinstance(error, Untrusted) else (Problem(error.message, error.next_step),)
    if isinstance(error, CallerMistake):
        report = write_report(temp, NAME, unjudged_report(inputs.name, "mistaken", known, problems))
        say.mistaken(tools.workflow, inputs.name, problems, report, attempt)
        return
    nothing = Known(known.commit, known.notes)
    report = write_report(temp, NAME, unjudged_report(inputs.name, "untrusted", nothing, problems))
    say.untrusted(tools.workflow, inputs.name, problems, known.notes, report, attempt)


def _combine(
    inputs: CombineInputs,
    tools: Tools,
    config: Config,
    here: Path,
    temp: Path,
    scratch: Path,
    known: Known,
    *,
    partial: bool,
) -> Result | None:
    """`partial`: tests may have been left out; only then nothing measured is no error, but the answer None."""
    started = tools.clock.monotonic()
    plan = given_plan(here / inputs.plan) if inputs.plan else None
    delivered = here / inputs.data if inputs.data else temp / "results"
    chosen, proven = trusted(delivered, plan, inputs.name, known, tools, scratch)
    if not any(leg.measured for leg in proven):
        if partial:
            return None
        raise Untrusted(
            [Problem("no leg measured any file of the repository.", "Compare [run] source with its layout.")]
        )
    total = inputs.total if inputs.total is not None else config.coverage.total
    asked = Asked(total, config, partial, _history(inputs, config, here, temp))
    base = base_of(here, tools, inputs.base or None, wanted=asked.patch)
    pythons = [leg.delivery.leg.python for leg in proven]
    with inside(here), tools.workflow.foreign_output():
        settings = read_settings(here, tools.environ)
        combined = Combined(here, scratch / "combined", settings)
        combined.combine(proven)
        known.notes += combined.notes
        if changed_there := changed_sources(proven, combined.places, here):
            raise Untrusted(changed_there)
        roots = sorted({leg.delivery.manifest.root for leg in proven if leg.delivery.manifest})
        if strangers := combined.strangers():
            raise stranger_error(combined, strangers, roots)
        analysis = reports.analyse(combined, temp / "coverage", pythons)
        if not partial:
            require_measured(analysis.files)
        brought = contributions(proven, combined.places, analysis.data["files"])
        known.proven, known.contributions, known.files = proven, brought, analysis.files
        judged = judge_all(asked, _measured(analysis, proven), base, here, tools)
        title = f"{inputs.name}: coverage of {tools.event.repository or here.name} {known.commit[:12]}".strip()
        html = wants_html(inputs.html, failed=judged.failures > 0, waits=tools.event.name in WAITED_FOR)
        written = reports.write_others(combined, analysis, temp / "coverage", pythons, title if html else None)
        fewer = _legs_of_pull_requests(proven, config, here, tools, partial=partial)
        narrow = measure_narrow(fewer, here, scratch, settings)
    gate, picture = judged.judgement.total, temp / "coverage" / BADGE
    write_text(picture, badge(gate.counts, gate.threshold, passed=not judged.failures))
    return Result(
        name=inputs.name,
        commit=known.commit,
        files=analysis.files,
        judged=judged,
        threshold_from="the input total" if inputs.total is not None else config.file or "the default",
        proven=tuple(proven),
        contributions=brought,
        empty=tuple(d.leg for d in chosen.deliveries if d.manifest is None),
        written=written,
        badge=picture,
        narrow=narrow,
        notes=(*chosen.notes, *combined.notes, *_interpreter_notes(pythons), *_idle(brought), *judged.notes),
        python=PYTHON,
        coverage=coverage.__version__,
        seconds=tools.clock.monotonic() - started,
    )


def _legs_of_pull_requests(
    proven: list[Proven], config: Config, here: Path, tools: Tools, *, partial: bool
) -> tuple[Proven, ...]:
    """Only what the history will remember is worth a second analysis."""
    if partial or config.history == "none" or not tools.event.on_default_branch:
        return ()
    return legs_of_pull_requests(proven, config, read_project(here))


def _measured(analysis: reports.Analysis, proven: list[Proven]) -> Measured:
    manifests = [leg.delivery.manifest for leg in proven if leg.delivery.manifest]
    return Measured(
        files=analysis.files,
        data=analysis.data,
        legs=frozenset(leg_name(leg.delivery.leg.tier, leg.delivery.leg.python) for leg in proven),
        branch=any(manifest.branch for manifest in manifests),
        analysed=(PYTHON, coverage.__version__),
    )


def _history(inputs: CombineInputs, config: Config, here: Path, temp: Path) -> Path | None:
    """The one that is given, else the newest that the job has; none where the configuration keeps none."""
    if config.history == "none":
        return None
    return here / inputs.history if inputs.history else newest(temp, here / (inputs.plan or temp / "plan.json"))


def _idle(brought: Sequence[Contribution]) -> list[str]:
    return [f"{each.leg}: it ran no line of the project." for each in brought if not each.lines]


def _interpreter_notes(pythons: list[str]) -> list[str]:
    if any(text == PYTHON or text.startswith(f"{PYTHON}.") for text in pythons):
        return []
    measured = ", ".join(sorted(set(pythons)))
    return [
        f"The sources were analysed with Python {PYTHON}, but measured with {measured}: lines and branches may differ a little."
    ]


VERBS = {"combine": Verb(combine, CombineInputs, "Combine all legs' coverage into one number and judge it.")}

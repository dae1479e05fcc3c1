"""`pipeline gate`: the one required check. Green only when everything that the plan announced is green and proven."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ci_kit import inputs
from ci_kit.affected_plan import read_choice
from ci_kit.config import Config, Gates, load_config
from ci_kit.errors import CallerMistake, InfrastructureFailure, KitError
from ci_kit.github import Annotation, job_started
from ci_kit.history import History, newest, read_history, write_history
from ci_kit.inputs import setting
from ci_kit.pipeline.collection import read_collection
from ci_kit.pipeline.durations import Spent
from ci_kit.pipeline.evidence import Evidence, printable, read_evidence
from ci_kit.pipeline.findings import Finding, Kind, Verdict
from ci_kit.pipeline.gate import Surroundings, judge
from ci_kit.pipeline.gate_page import page
from ci_kit.pipeline.mapping import new_map
from ci_kit.pipeline.planning import keeps_history
from ci_kit.pipeline.remember import remember
from ci_kit.pipeline.remember_coverage import remember_coverage
from ci_kit.plan import Plan, given_plan, read_plan
from ci_kit.quarantine import Quarantine, read_quarantine
from ci_kit.report import read_report, report_folder, write_report
from ci_kit.tools import Tools

MOST_LOGGED = 200
RESULTS = ("success", "failure", "cancelled", "skipped", "")


def job_results(value: str) -> dict[str, str]:
    """`plan=success test=failure` as a mapping."""
    found = {}
    for word in value.split():
        job, equals, result = word.partition("=")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", job) or not equals or result not in RESULTS:
            raise ValueError("words job=result with GitHub's results, such as plan=success test=failure")
        found[job] = result or "missing"
    return found


@dataclass(frozen=True)
class GateInputs:
    """Inputs of `pipeline gate`."""

    config: Path | None = setting(None, inputs.path, "configuration file (default .github/ci-kit.yml)")
    plan: Path | None = setting(None, inputs.path, "plan.json of this run (default: in the report folder)")
    data: Path | None = setting(None, inputs.path, "folder with the test legs' results (default: in the report folder)")
    name: str = setting("ci", inputs.short_name, "name of this call, part of artifact names and cache keys")
    jobs: dict[str, str] | None = setting(None, job_results, "results of the jobs before, as job=result words")
    single: bool = setting(False, inputs.boolean, "everything ran in this job, so its time is not the gate's")


def run(given: GateInputs, tools: Tools) -> int:
    """Judge the run: outputs, summary, annotations, and `gate.json`, also when there is nothing to judge by."""
    folder = report_folder(tools.environ)
    tools.workflow.output("report", str(folder / "gate.json"))
    tools.workflow.output("artifact", f"{given.name}-gate-a{tools.event.run_attempt}")
    try:
        known = _read(given, folder, tools)
    except KitError as error:
        tools.workflow.output("verdict", "failed")
        found = Finding(Kind.UNPROVEN, "gate", printable(error.message), error.next_step)
        write_report(folder, "gate", _report(tools.event.sha, given.jobs or {}, Verdict((found,)), None))
        raise
    verdict = judge(known.plan, known.jobs, known.evidence, known.gates, known.around)
    report, more = _coverage(folder)
    coverage = report["total"]["percent"] if report and report["total"] else None
    verdict = replace(verdict, findings=(*verdict.findings, *more))
    write_report(folder, "gate", _report(known.plan.commit, known.jobs, verdict, coverage))
    _say(page(known.plan, known.jobs, known.evidence, verdict, coverage), verdict, tools)
    if known.remembers:
        _remember(known, report, folder, tools)
    return verdict.exit


@dataclass(frozen=True)
class _Known:
    """Everything to judge by. `remembers`: the run goes into the history."""

    plan: Plan
    jobs: dict[str, str]
    evidence: Evidence
    gates: Gates
    around: Surroundings
    remembers: bool
    results: Path


def _read(given: GateInputs, folder: Path, tools: Tools) -> _Known:
    jobs = given.jobs
    if jobs is None:
        raise CallerMistake(
            "input jobs: the results of the jobs before the gate are missing.",
            next_step="Pass them as words, such as plan=success lint=skipped test=success test-after=skipped.",
        )
    if jobs.get("plan") != "success":
        tools.workflow.summary("## ❌ Red: the plan failed, so no test ran\n\nThe log of the job plan says why.")
        raise InfrastructureFailure(
            f"the job plan ended with {jobs.get('plan', 'no result')!r}, so nothing is known of what had to run.",
            next_step="Its log says why; mend that and run again.",
        )
    place = given.plan or folder / "plan.json"
    plan = given_plan(place) if given.plan else read_plan(place)
    root = tools.event.workspace
    config = load_config(root, given.config)
    results = given.data or folder / "results"
    now = tools.clock.now()
    collection = read_collection(results, plan.name, plan.commit)
    history = History() if config.history == "none" else read_history(newest(folder, place))[0]
    around = Surroundings(
        history=history,
        spent=Spent(
            run=_wall(plan, tools.event.run_attempt, now),
            lint=collection.lint_seconds if collection else None,
            gate=None if given.single else (now - job_started(tools.environ, now)).total_seconds(),
        ),
        collection=collection,
        quarantine=_quarantine(root, config, now.date()),
        all_tiers={tier.name for tier in plan.tiers} >= {tier.name for tier in config.tiers},
        today=now.date(),
        choice=read_choice(place),
    )
    remembers = keeps_history(config, tools.event)
    return _Known(plan, jobs, read_evidence(results, plan.name), config.gates, around, remembers, results)


def _wall(plan: Plan, attempt: int, now: datetime) -> float | None:
    """Seconds since the plan's job began. Of a re-run of failed jobs they say nothing: people decided when it starts."""
    try:
        started = datetime.fromisoformat(plan.started)
    except ValueError:
        return None
    if attempt != plan.attempt or started.tzinfo is None or started > now:
        return None
    return (now - started).total_seconds()


def _quarantine(root: Path, config: Config, today: date) -> Quarantine:
    return read_quarantine(root, config.test.quarantine, today)


def _remember(known: _Known, coverage: Mapping[str, Any] | None, folder: Path, tools: Tools) -> None:
    """Lay the new history where the workflow saves it from; a failure here makes no run red."""
    if not known.evidence.reports:  # it would only push runs that tell something out of the window
        tools.workflow.log("The history is not kept: no test job delivered anything.")
        return
    try:
        merged = remember(
            known.around.history, known.plan, known.evidence, tools.event, tools.clock.now(), known.around.spent.run
        )
        if coverage is not None and merged is not known.around.history:
            partial = known.around.choice.leaves_out
            merged, said = remember_coverage(merged, coverage, known.jobs, tools.clock.now(), partial=partial)
            tools.workflow.log(said)
        path = write_history(folder / "history", merged)
    except (InfrastructureFailure, ValueError) as error:  # a test's id may hold what no file can
        tools.workflow.log(f"The history is not kept: {printable(str(error))}")
        return
    tools.workflow.output("history", str(path))
    if said := new_map(
        known.results, known.plan.name, known.plan.commit, tools.event.workspace, tools.runner, path.parent
    ):
        tools.workflow.log(said)
    runs = len(merged.runs)
    tools.workflow.log(f"The history knows {runs} run{'' if runs == 1 else 's'} now.")


def _coverage(folder: Path) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The report, and what is wrong with coverage."""
    path = folder / "coverage-combine.json"
    look = "The summary and the log of the step 'Combine coverage' say why."
    try:
        data = read_report(path, "coverage-combine")
    except InfrastructureFailure as error:
        text = printable(error.message) if path.exists() else "There is no coverage report."
        return None, [Finding(Kind.UNPROVEN, "TQ-05", text, look)]
    if data["verdict"] == "untrusted":
        text = "There is no coverage number, because the data cannot be trusted."
        return None, [Finding(Kind.UNPROVEN, "TQ-05", text, look)]
    if data["verdict"] == "mistaken":
        found = data["problems"][0]
        return None, [Finding(Kind.UNPROVEN, "TQ-05", printable(found["message"]), printable(found["next-step"]))]
    if data["verdict"] == "passed":
        return data, []
    return data, [Finding(Kind.NO, "TQ-05", "Coverage is under its gate.", "The coverage summary says where.")]


def _say(summary: str, verdict: Verdict, tools: Tools) -> None:
    workflow = tools.workflow
    workflow.summary(summary)
    workflow.output("verdict", "failed" if verdict.findings else "passed")
    count = len(verdict.findings)
    workflow.log("Gate: green." if not count else f"Gate: red, for {count} reason{'' if count == 1 else 's'}:")
    for finding in verdict.findings:
        said = f"{finding.message} {finding.next_step}"
        where = f"{finding.file}:{finding.line}: " if finding.file else ""
        workflow.log(f"  {finding.gate}: {where}{said}")
        workflow.annotate(Annotation("error", said, finding.file, finding.line, title=f"Gate {finding.gate}"))
    for failure in verdict.failures[:MOST_LOGGED]:
        workflow.log(f"  failed: {failure.id} ({', '.join(map(str, failure.legs))}): {failure.message}")
    if len(verdict.failures) > MOST_LOGGED:
        workflow.log(f"  and {len(verdict.failures) - MOST_LOGGED} more failed tests.")
    for warned in verdict.warnings:
        workflow.log(f"  {warned.gate}: {warned.message}")
        workflow.annotate(Annotation("warning", warned.message, title=f"Gate {warned.gate}"))
    for judged in verdict.judged:
        workflow.log(f"  {judged.gate} {judged.name}: {judged.found}, wanted {judged.wanted}: {judged.off}")


def _report(commit: str, jobs: Mapping[str, str], verdict: Verdict, coverage: float | None) -> dict[str, object]:
    return {
        "schema": "ci-kit/gate/1",
        "commit": commit,
        "verdict": "failed" if verdict.findings else "passed",
        "jobs": dict(jobs),
        "counts": dict(sorted(verdict.counts.items())),
        "coverage": coverage,
        "flaky": [test.id for test in verdict.flaky],
        "quarantined": [test.id for test in verdict.quarantined],
        "reasons": [{"reason": reason, "tests": number} for reason, number in verdict.reasons],
        "gates": [
            {
                "gate": gate.gate,
                "name": gate.name,
                "found": gate.found,
                "wanted": gate.wanted,
                "off": gate.off,
                "holds": gate.holds,
                "binding": gate.binding,
            }
            for gate in verdict.judged
        ],
        "findings": [
            {"kind": f.kind.name.lower(), "gate": f.gate, "message": f.message, "next-step": f.next_step}
            for f in verdict.findings
        ],
        "warnings": [{"gate": warned.gate, "message": warned.message} for warned in verdict.warnings],
    }

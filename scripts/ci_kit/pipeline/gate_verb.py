"""`pipeline gate`: the one required check. Green only when everything that the plan announced is green and proven."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ci_kit import inputs
from ci_kit.config import load_config
from ci_kit.errors import CallerMistake, InfrastructureFailure, KitError
from ci_kit.github import Annotation
from ci_kit.inputs import setting
from ci_kit.pipeline.evidence import printable, read_evidence
from ci_kit.pipeline.gate import Finding, Kind, Verdict, judge
from ci_kit.pipeline.gate_page import page
from ci_kit.plan import Plan, read_plan
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


def run(given: GateInputs, tools: Tools) -> int:
    """Judge the run: outputs, summary, annotations, and `gate.json`, also when there is nothing to judge by."""
    folder = report_folder(tools.environ)
    tools.workflow.output("report", str(folder / "gate.json"))
    tools.workflow.output("artifact", f"{given.name}-gate-a{tools.event.run_attempt}")
    try:
        plan, verdict, coverage, summary = _judge(given, folder, tools)
    except KitError as error:
        tools.workflow.output("verdict", "failed")
        found = Finding(Kind.UNPROVEN, "gate", printable(error.message), error.next_step)
        nothing = Verdict((found,), (), {}, (), ())
        write_report(folder, "gate", _report(tools.event.sha, given.jobs or {}, nothing, None))
        raise
    write_report(folder, "gate", _report(plan.commit, given.jobs or {}, verdict, coverage))
    _say(summary, verdict, tools)
    return verdict.exit


def _judge(given: GateInputs, folder: Path, tools: Tools) -> tuple[Plan, Verdict, float | None, str]:
    """The plan, the verdict, the total coverage in percent, and the summary."""
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
    plan = read_plan(given.plan or folder / "plan.json")
    config = load_config(tools.event.workspace, given.config)
    evidence = read_evidence(given.data or folder / "results", plan.name)
    verdict = judge(plan, jobs, evidence, config.gates)
    coverage, more = _coverage(folder)
    verdict = replace(verdict, findings=(*verdict.findings, *more))
    return plan, verdict, coverage, page(plan, jobs, evidence, verdict, coverage)


def _coverage(folder: Path) -> tuple[float | None, list[Finding]]:
    """The total in percent, and what is wrong with coverage."""
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
    total = data["total"]["percent"] if data["total"] else None
    if data["verdict"] == "passed":
        return total, []
    return total, [Finding(Kind.NO, "TQ-05", "Coverage is under its gate.", "The coverage summary says where.")]


def _say(summary: str, verdict: Verdict, tools: Tools) -> None:
    workflow = tools.workflow
    workflow.summary(summary)
    workflow.output("verdict", "failed" if verdict.findings else "passed")
    count = len(verdict.findings)
    workflow.log("Gate: green." if not count else f"Gate: red, for {count} reason{'' if count == 1 else 's'}:")
    for finding in verdict.findings:
        workflow.log(f"  {finding.gate}: {finding.message} {finding.next_step}")
        workflow.annotate(Annotation("error", f"{finding.message} {finding.next_step}", title=f"Gate {finding.gate}"))
    for failure in verdict.failures[:MOST_LOGGED]:
        workflow.log(f"  failed: {failure.id} ({', '.join(map(str, failure.legs))}): {failure.message}")
    if len(verdict.failures) > MOST_LOGGED:
        workflow.log(f"  and {len(verdict.failures) - MOST_LOGGED} more failed tests.")
    for judged in verdict.judged:
        workflow.log(f"  {judged.gate} {judged.name}: {judged.found}, wanted {judged.wanted}")


def _report(commit: str, jobs: Mapping[str, str], verdict: Verdict, coverage: float | None) -> dict[str, object]:
    return {
        "schema": "ci-kit/gate/1",
        "commit": commit,
        "verdict": "failed" if verdict.findings else "passed",
        "jobs": dict(jobs),
        "counts": dict(sorted(verdict.counts.items())),
        "coverage": coverage,
        "flaky": list(verdict.flaky),
        "gates": [
            {"gate": j.gate, "name": j.name, "found": j.found, "wanted": j.wanted, "holds": j.holds}
            for j in verdict.judged
        ],
        "findings": [
            {"kind": f.kind.name.lower(), "gate": f.gate, "message": f.message, "next-step": f.next_step}
            for f in verdict.findings
        ],
    }

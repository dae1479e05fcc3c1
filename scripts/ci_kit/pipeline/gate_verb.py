"""`pipeline gate`: the one required check. Green only when everything that the plan announced is green and proven."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ci_kit import inputs
from ci_kit.config import load_config
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.github import Annotation
from ci_kit.inputs import setting
from ci_kit.pipeline.evidence import Evidence, read_evidence
from ci_kit.pipeline.gate import Finding, Kind, Verdict, judge
from ci_kit.pipeline.gate_page import page
from ci_kit.plan import Plan, read_plan
from ci_kit.report import read_report, report_folder, write_report
from ci_kit.tools import Tools

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
    jobs: dict[str, str] | None = setting(None, job_results, "results of the jobs before, as job=result words")


def run(given: GateInputs, tools: Tools) -> int:
    """Judge the run; writes `gate.json`, the summary and the annotations, and sets the output `verdict`."""
    folder = report_folder(tools.environ)
    jobs = given.jobs
    if jobs is None:
        raise CallerMistake(
            "input jobs: the results of the jobs before the gate are missing.",
            next_step="Pass them as words, such as plan=success lint=skipped test=success test-after=skipped.",
        )
    if jobs.get("plan") != "success":
        raise InfrastructureFailure(
            f"the plan job ended with {jobs.get('plan', 'no result')!r}, so nothing is known of what had to run.",
            next_step="Its log says why; mend that and run again.",
        )
    plan = read_plan(given.plan or folder / "plan.json")
    config = load_config(tools.event.workspace, given.config)
    evidence = read_evidence(given.data or folder / "results")
    verdict = judge(plan, jobs, evidence, config.gates)
    coverage, more = _coverage(folder)
    verdict = Verdict((*verdict.findings, *more), verdict.judged, verdict.counts, verdict.flaky, verdict.failures)
    _say(plan, jobs, evidence, verdict, coverage, tools)
    write_report(folder, "gate", _report(plan, jobs, verdict, coverage))
    return verdict.exit


def _coverage(folder: Path) -> tuple[float | None, list[Finding]]:
    path = folder / "coverage-combine.json"
    if not path.is_file():
        text = "There is no coverage report: the coverage-combine step failed or did not run; its log says why."
        return None, [Finding(Kind.UNPROVEN, "TQ-05", text)]
    data = read_report(path, "coverage-combine")
    total = data.get("total", {}).get("percent") if isinstance(data.get("total"), dict) else data.get("total")
    if data["verdict"] == "passed":
        return total, []
    if data["verdict"] == "untrusted":
        text = "There is no coverage number: the data cannot be trusted; the coverage summary says why."
        return None, [Finding(Kind.UNPROVEN, "TQ-05", text)]
    return total, [Finding(Kind.NO, "TQ-05", "Coverage is under its gate; the coverage summary says where.")]


def _say(
    plan: Plan, jobs: dict[str, str], evidence: Evidence, verdict: Verdict, coverage: float | None, tools: Tools
) -> None:
    workflow = tools.workflow
    workflow.summary(page(plan, jobs, evidence, verdict, coverage))
    workflow.output("verdict", "passed" if not verdict.findings else "failed")
    workflow.log("Gate: " + ("green." if not verdict.findings else f"red, {len(verdict.findings)} findings."))
    for finding in verdict.findings:
        workflow.log(f"  {finding.gate}: {finding.message}")
        workflow.annotate(Annotation("error", finding.message, title=f"Gate {finding.gate}"))
    for judged in verdict.judged:
        workflow.log(f"  {judged.gate} {judged.name}: {judged.found}, wanted {judged.wanted}")


def _report(plan: Plan, jobs: dict[str, str], verdict: Verdict, coverage: float | None) -> dict[str, object]:
    return {
        "schema": "ci-kit/gate/1",
        "commit": plan.commit,
        "verdict": "failed" if verdict.findings else "passed",
        "jobs": jobs,
        "counts": dict(sorted(verdict.counts.items())),
        "coverage": coverage,
        "flaky": list(verdict.flaky),
        "gates": [
            {"gate": j.gate, "name": j.name, "found": j.found, "wanted": j.wanted, "holds": j.holds}
            for j in verdict.judged
        ],
        "findings": [{"kind": f.kind.name.lower(), "gate": f.gate, "message": f.message} for f in verdict.findings],
    }

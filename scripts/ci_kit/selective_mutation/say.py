"""Tell the result: reports, outputs, summary, annotations, log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ci_kit.github import Annotation, working_directory
from ci_kit.inputs import Shard
from ci_kit.markdown import text
from ci_kit.patterns import matches
from ci_kit.report import write_json, write_report
from ci_kit.selective_mutation.elements import elements
from ci_kit.selective_mutation.history_page import compared_with, fallen
from ci_kit.selective_mutation.judging import Counts, Judged
from ci_kit.selective_mutation.page import headline, markdown, missed, places
from ci_kit.selective_mutation.result import ALARM_SECONDS, NAME, Result
from ci_kit.selective_mutation.sarif import sarif
from ci_kit.selective_mutation.shard import Tried, artifact
from ci_kit.selective_mutation.viewer import wants_html, write_html
from ci_kit.selective_mutation.wording import message
from ci_kit.tools import Tools

WAITED_FOR = frozenset({"pull_request", "pull_request_target", "merge_group"})


def tell(result: Result, temp: Path, tools: Tools, html: str = "false") -> None:
    """Write the reports below `temp` and say what they hold. `html` is `auto`, `true` or `false`."""
    workflow = tools.workflow
    folder = temp / "mutation"
    found = elements(result.judged)
    write_json(folder / "mutation-elements.json", found)
    page = folder / "mutation.html"
    page.unlink(missing_ok=True)
    waits = tools.event.name in WAITED_FOR
    if result.judged and wants_html(html, failed=result.outcome == "failed", waits=waits):
        why = write_html(page, found, f"Mutants of {tools.event.repository or result.name}", tools)
        result = replace(result, notes=(*result.notes, why)) if why else result
    report = write_report(temp, NAME, result.as_json())
    write_json(folder / "mutation.sarif", sarif(result.judged, folder=working_directory(tools.environ)))
    workflow.output("verdict", result.outcome)
    workflow.output("score", "" if result.counts.score is None else str(result.counts.score))
    workflow.output("survivors", str(len(result.undetected)))
    workflow.output("report", str(report))
    workflow.output("elements", str(folder / "mutation-elements.json"))
    workflow.output("html", str(page) if page.exists() else "")
    workflow.output("sarif", str(folder / "mutation.sarif"))
    workflow.output("artifact", f"{result.name}-mutation-a{tools.event.run_attempt}")
    files = (report, *(folder / name for name in ("mutation-elements.json", "mutation.html", "mutation.sarif")))
    workflow.output("files", "\n".join(str(path) for path in files if path.exists()))
    for annotation in noted(result):
        workflow.annotate(annotation)
    workflow.summary(markdown(result))
    workflow.log(headline(result))
    for note in result.notes:
        workflow.log(f"note: {note}")


def delivered(files: Sequence[Path], shard: Shard, tried: Tried, name: str, tools: Tools) -> None:
    """A share of the mutants: where it is, and how it went."""
    workflow = tools.workflow
    workflow.output("files", "\n".join(map(str, files)))
    workflow.output("artifact", artifact(name, shard, tools.event.run_attempt))
    counts = Counts.of_verdicts(each.verdict for each in tried.judged)
    said = ", ".join(f"{count} {status}" for status, count in counts.of.items() if count) or "no mutants"
    workflow.summary(f"### Share {shard} of the mutants\n\n{text(said)}. The job `mutation` judges them.")
    workflow.log(f"Share {shard} of the mutants: {said}.")
    for note in tried.notes:
        workflow.log(f"note: {note}")


def forbids_new(result: Result, judged: Judged) -> bool:
    """Whether a policy wants no new survivor in this file."""
    return any(policy.forbids_new and matches(policy.pattern, judged.mutant.path) for policy in result.policies)


def noted(result: Result) -> Iterator[Annotation]:
    """What fails, then what nobody looks at, then what survived, then what takes too long."""
    for policy in result.failed:
        yield Annotation("error", missed(policy), title="mutation policy")
    for hold in result.fallen:
        yield Annotation("error", fallen(hold), hold.path, title="mutation score has fallen")
    if result.compared and result.compared.new is None and any(policy.forbids_new for policy in result.policies):
        yield Annotation("warning", compared_with(result.compared), title="mutation policy")
    for place, (path, first, last) in zip(places(result.unmutated), result.unmutated, strict=True):
        said = f"This security-critical code ({place}) was changed, and no mutant of it exists: look at its tests yourself."
        yield Annotation("warning", said, path, first, title="no mutant", end_line=last)
    for each in result.undetected:
        mutant = each.mutant
        yield Annotation(
            "error" if each.weakened or (each.new and forbids_new(result, each)) else "warning",
            message(each),
            mutant.path,
            mutant.first_line,
            title="change that no test notices",
            end_line=mutant.last_line,
        )
    if result.too_long:
        names = ", ".join(f"{cost.function or 'module'} of {cost.path}" for cost in result.costliest)
        said = f"Mutation testing took {result.seconds / 60:.0f} minutes, more than {ALARM_SECONDS / 60:.0f}."
        yield Annotation("warning", f"{said} The costliest targets: {names}.", title="mutation time")

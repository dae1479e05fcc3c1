"""What a person reads: the opening line, annotations, the closing lines and the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ci_kit.github import Annotation, Level, Workflow
from ci_kit.quarantine import Quarantine
from ci_kit.test import summary
from ci_kit.test.model import BAD, Ending, Record, Result
from ci_kit.test.shard_run import ShardRun
from ci_kit.test.verdict import Judgement


def opening(run: ShardRun) -> str:
    """How the tests are about to run, and why so."""
    how = f"{run.workers.count} workers" if run.workers.count else "no workers"
    how += "" if run.seed is None else f", seed {run.seed}"
    python = f"{run.python.implementation} {run.python.version}, pytest {run.python.distributions['pytest']}"
    measured = f"coverage {run.measuring.version} by {run.measuring.core}" if run.measuring else "no coverage"
    return f"{run.leg}: {len(run.selection.mine)} files, {how} ({run.workers.why}); {python}, {measured}."


def annotate(results: Sequence[Result], workflow: Workflow) -> None:
    """One error for each failure, on its line where that is in the workspace."""
    for result in results:
        if result.outcome in BAD:
            level: Level = "warning" if result.quarantined else "error"
            at = result.at
            file = at.file if at is not None and not at.file.startswith("/") else None
            line = at.line if at is not None and file is not None else None
            message = f"{result.id}\n{result.message or result.outcome}"
            kind = f" ({result.finding.failing})" if result.finding else ""
            kind += " in quarantine" if result.quarantined else ""
            workflow.annotate(Annotation(level, message, file, line, title=f"test {result.outcome}{kind}"))


def annotate_quarantine(quarantine: Quarantine, workflow: Workflow) -> None:
    """One error for each entry whose day is over."""
    for entry in quarantine.expired:
        message = f"{entry.id} (owner {entry.owner}) was in quarantine until {entry.expires}."
        workflow.annotate(Annotation("error", message, quarantine.file, entry.line, title="quarantine expired"))


def close(
    run: ShardRun,
    ending: Ending,
    judgement: Judgement,
    results: Sequence[Result],
    record: Record,
    notes: Sequence[str],
    commands: Mapping[str, str],
    workflow: Workflow,
) -> None:
    """The last lines of the log, and the step summary."""
    title = str(run.leg)
    counted = ", ".join(f"{count} {name}" for name, count in summary.counts(results).items()) or "no tests"
    workflow.log(f"{title}: {judgement.verdict}: {counted} in {ending.seconds:.1f} s.")
    for line in [judgement.why, *notes]:
        if line:
            workflow.log(line)
    arguments = to_arguments(record)
    failed = [result for result in results if result.gates and result.id in arguments]
    if failed:
        workflow.log(f"Run them alone: {summary.reproduce(failed[:10], arguments)}")
    page = summary.Page(
        title=title,
        verdict=judgement.verdict,
        why=judgement.why,
        results=results,
        deselected=len(record.deselected),
        ran=f"{ending.seconds:.1f} s",
        workers=str(run.workers.count or "none"),
        notes=notes,
        seed=run.seed,
        commands=commands,
    )
    workflow.summary(summary.markdown(page, arguments))


def to_arguments(record: Record) -> dict[str, str]:
    """For each test the argument that names it from the workspace, whatever folder its id counts from."""
    found = {}
    for name in record.collected:
        place = record.places.get(name)
        rest = name.partition("::")[2]
        found[name] = f"{place.file}::{rest}" if place is not None and rest else name
    return found

"""After pytest, however it ended: read, judge, write the reports, say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ci_kit.errors import Exit
from ci_kit.report import write_report, write_text
from ci_kit.test import say
from ci_kit.test.endings import completed
from ci_kit.test.experiments import Examination, with_findings
from ci_kit.test.footprints import gather_footprints
from ci_kit.test.gather import gather
from ci_kit.test.junit import junit_xml
from ci_kit.test.left_files import copy_streams, write_stacks
from ci_kit.test.manifest import write_manifest
from ci_kit.test.model import Ending, Record, Result, Stream, Verdict
from ci_kit.test.places import placer
from ci_kit.test.record import read_record
from ci_kit.test.redact import hider
from ci_kit.test.report_json import quarantine_json, report_json, result_json
from ci_kit.test.reproduce import command_of
from ci_kit.test.schedule import read_schedule
from ci_kit.test.segments import Ran, Reading, read_all
from ci_kit.test.shard_run import ShardRun
from ci_kit.test.verdict import Judgement, judge, with_quarantine, without_result
from ci_kit.tools import Tools


@dataclass
class Delivery:
    """What is known of a run; filled as the work goes on, so that an interruption delivers what there is.

    `dead_service` is what to say of a service that died in mid-run.
    """

    run: ShardRun
    ran: Ran
    reading: Reading | None = None
    examination: Examination = field(default_factory=Examination)
    dead_service: str | None = None


def read(run: ShardRun, ran: Ran, tools: Tools) -> Reading:
    """What pytest left behind, without secrets: with a result for each test that could not report one itself."""
    rootdir = read_record(run.private).rootdir
    reading = read_all(run, ran, placer(run.root, rootdir))
    now = tools.clock.now().timestamp()
    stream = completed(
        reading.stream, reading.record, reading.deaths, ran.ending, now=now, test_seconds=run.test_seconds
    )  # fmt: skip
    covered = {name for names in run.quarantine.matches_held(reading.record.collected) for name in names}
    results = tuple(replace(result, quarantined=result.id in covered) for result in stream.results)
    return replace(reading, stream=replace(stream, results=results))


def deliver(delivery: Delivery, tools: Tools) -> int:
    """Write `test.json`, `junit.xml`, the stream and coverage's manifest; set the outputs; answer the exit code."""
    run = delivery.run
    reading = delivery.reading or read(run, delivery.ran, tools)
    hide = hider(run.secrets)
    ending = replace(delivery.ran.ending, output=hide(delivery.ran.ending.output), why=hide(delivery.ran.ending.why))
    record = reading.record
    stream = replace(reading.stream, results=with_findings(reading.stream.results, delivery.examination.findings))
    judgement = judge(ending, stream, record)
    if delivery.dead_service is not None:
        judgement = Judgement(Verdict.ERROR, Exit.INFRASTRUCTURE, hide(delivery.dead_service))
    judgement = with_quarantine(judgement, run.quarantine)
    results = tuple(_hidden(result, hide) for result in _results(stream, record))
    notes = [*map(hide, run.notes), *_notes(stream, record), *delivery.examination.notes]
    gathered = gather(run.data_folder, run.root) if run.measuring else None
    lost = gathered.broken + _killed(ending, reading) if gathered is not None else 0
    if lost:
        notes.append(
            f"The coverage data of {lost} {'process' if lost == 1 else 'processes'} is lost, because it was killed."
        )
    if gathered is not None and not gathered.files and ending.code is not None:
        notes.append("Coverage measured nothing.")
    schedule = read_schedule(run.private / "record") if len(delivery.ran.segments) == 1 else None
    notes += schedule.sentences() if schedule else []
    notes += copy_streams(run, delivery.ran)
    write_stacks(run, record)
    gather_footprints([segment.folder / "record" for segment in delivery.ran.segments], run.folder, run.leg.tier)
    if gathered is not None:
        write_manifest(run, gathered, lost)
    write_text(
        run.folder / "junit.xml",
        junit_xml(results, suite=str(run.leg), timestamp=tools.clock.now().isoformat(), seconds=ending.seconds),
    )
    commands = _commands(run, results, record)
    report = report_json(run, ending, record, results, judgement, notes, gathered) | {
        "results": [result_json(result, commands) for result in results],
        "unstable": list(record.unstable),
        "schedule": schedule.as_json() if schedule else None,
        "quarantine": quarantine_json(run.quarantine, record.collected),
    }
    path = write_report(run.folder, "test", report)
    shutil.rmtree(run.private, ignore_errors=True)
    say.annotate(results, tools.workflow)
    say.annotate_quarantine(run.quarantine, tools.workflow)
    say.close(run, ending, judgement, results, record, notes, commands, tools.workflow)
    bad = sum(result.gates for result in results)
    for name, value in (
        ("report", path), ("verdict", judgement.verdict), ("tests", len(results)), ("failed", bad),
    ):  # fmt: skip
        tools.workflow.output(name, str(value))
    return int(judgement.exit)


def _commands(run: ShardRun, results: Sequence[Result], record: Record) -> dict[str, str]:
    arguments = say.to_arguments(record)
    found = {}
    for result in results:
        command = command_of(
            result, arguments, run.leg, seed=run.seed, workers=run.workers.count, plugins=tuple(run.python.distributions)
        )  # fmt: skip
        if command is not None:
            found[result.id] = command
    return found


def _results(stream: Stream, record: Record) -> tuple[Result, ...]:
    """Tests with the place that the plug-in recorded; files that could not be collected count as errors."""
    known = [replace(result, place=record.places.get(result.id, result.place)) for result in stream.results]
    errors = [*stream.collect_errors, *([record.conftest] if record.conftest else [])]
    return (*known, *errors)


def _killed(ending: Ending, reading: Reading) -> int:
    """How many processes never wrote their coverage data: those in the middle of a test, at least pytest itself."""
    stream, record = reading.stream, reading.record
    died = ending.timed_out or (ending.code or 0) < 0 or (stream.started and not stream.finished)
    # A test that hung gave its process the time to save what it had measured.
    lost = [name for name in (*record.running.values(), *reading.deaths) if name not in record.hung]
    return max(len(set(lost)), int(died and not reading.deaths))


def _hidden(result: Result, hide: Callable[[str], str]) -> Result:
    """Once more: taking the colours out of a text can join a secret that they parted."""
    return replace(
        result,
        message=result.message and hide(result.message),
        detail=hide(result.detail),
        first_failure=result.first_failure and hide(result.first_failure),
        finding=result.finding and replace(result.finding, evidence=hide(result.finding.evidence)),
    )


def _notes(stream: Stream, record: Record) -> list[str]:
    notes = [f"{name} was skipped as a whole: {why}" for name, why in stream.skipped_modules]
    if stream.twice:
        notes.append(f"{len(stream.twice)} test ids occur more than once, such as {stream.twice[0]}; the worst counts.")
    if record.choice_note:
        notes.append(f"All tests count as affected: {record.choice_note}.")
    if record.not_selected:
        notes.append(f"{len(record.not_selected)} tests were left out, because the change cannot reach them.")
    if record.not_shuffled:
        notes.append(f"The tests keep their order: {record.not_shuffled}.")
    if stream.unreadable_lines:
        notes.append(f"{stream.unreadable_lines} lines of pytest's report stream could not be read.")
    if missing := without_result(stream, record):
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        notes.append(f"{len(missing)} of {len(record.collected)} collected tests have no result: {shown}")
    return notes

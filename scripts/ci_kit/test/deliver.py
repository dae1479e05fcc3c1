"""After pytest, however it ended: read, judge, write the reports, say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.errors import Exit
from ci_kit.quarantine import Quarantine
from ci_kit.report import write_json, write_report, write_text
from ci_kit.test import say
from ci_kit.test.endings import completed
from ci_kit.test.experiments import Examination, with_findings
from ci_kit.test.footprints import gather_footprints
from ci_kit.test.gather import DataFile, Gathered, gather
from ci_kit.test.junit import junit_xml
from ci_kit.test.model import Ending, Place, Record, Result, Stream, Verdict
from ci_kit.test.record import read_record
from ci_kit.test.redact import hider
from ci_kit.test.reproduce import command_of
from ci_kit.test.schedule import read_schedule
from ci_kit.test.segments import Ran, Reading, read_all
from ci_kit.test.shard_run import ShardRun
from ci_kit.test.stream import PHASES, printable
from ci_kit.test.summary import counts
from ci_kit.test.verdict import Judgement, judge, with_quarantine, without_result
from ci_kit.tools import Tools

STREAM_LIMIT_BYTES = 5_000_000


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
    notes += _copy_streams(run, delivery.ran)
    _write_stacks(run, record)
    gather_footprints([segment.folder / "record" for segment in delivery.ran.segments], run.folder, run.leg.tier)
    if gathered is not None:
        _write_manifest(run, gathered, lost)
    write_text(
        run.folder / "junit.xml",
        junit_xml(results, suite=str(run.leg), timestamp=tools.clock.now().isoformat(), seconds=ending.seconds),
    )
    commands = _commands(run, results, record)
    report = _report(run, ending, record, results, judgement, notes, gathered) | {
        "results": [_result(result, commands) for result in results],
        "unstable": list(record.unstable),
        "schedule": schedule.as_json() if schedule else None,
        "quarantine": _quarantine(run.quarantine, record.collected),
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


def _quarantine(quarantine: Quarantine, collected: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "id": entry.id,
            "owner": entry.owner,
            "reason": entry.reason,
            "expires": entry.expires.isoformat(),
            "expired": entry in quarantine.expired,
            "file": quarantine.file,
            "line": entry.line,
            "tests": len(tests),
        }
        for entry, tests in quarantine.matches(collected).items()
    ]


def _write_stacks(run: ShardRun, record: Record) -> None:
    """The stacks of every process that was stopped in a test."""
    if record.stacks:
        parts = [f"{name}\n\n{stacks}\n" for name, stacks in record.stacks.items()]
        write_text(run.folder / "stacks.txt", "\n".join(parts))


def placer(root: Path, rootdir: str | None) -> Callable[[str, int | None], Place | None]:
    """Where a path that pytest prints is: from the workspace, or from pytest's own root folder."""
    bases = [root, *([Path(rootdir)] if rootdir else [])]
    known: dict[str, str | None] = {}

    def find(text: str) -> str | None:
        for base in bases:
            path = base / printable(text)
            if path.is_relative_to(root) and path.is_file():
                return path.relative_to(root).as_posix()
        return None

    def place(text: str, line: int | None) -> Place | None:
        if text not in known:
            known[text] = find(text) if text and "\0" not in text else None
        file = known[text]
        return None if file is None else Place(file, line)

    return place


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


def _copy_streams(run: ShardRun, ran: Ran) -> list[str]:
    """One file, also where it was written by several processes one after the other."""
    sources = [segment.stream for segment in ran.segments if segment.stream.is_file()]
    size = sum(source.stat().st_size for source in sources)
    if size > STREAM_LIMIT_BYTES:
        return [f"report-log.jsonl is left out of the results: it has {size // 1_000_000} MB."]
    target = run.folder / "report-log.jsonl"
    try:
        if sources:
            target.write_bytes(b"".join(source.read_bytes() for source in sources))
    except OSError as error:
        target.unlink(missing_ok=True)  # half a stream would look like a run that broke off
        return [f"report-log.jsonl is left out of the results: {error.strerror}."]
    return []


def _write_manifest(run: ShardRun, gathered: Gathered, lost: int) -> None:
    if run.measuring is None:
        return
    data = {
        "schema": "ci-kit/coverage-manifest/1",
        "name": run.name,
        **_leg(run),
        "python-version": run.python.version,
        "coverage-version": run.measuring.version,
        "core": run.measuring.core.name,
        "branch": run.measuring.branch,
        "root": str(run.root),
        "source": list(run.measuring.source),
        "sources": _file(gathered.sources),
        "files": _files(gathered),
        "broken": lost,
    }
    schema.check(data, schema.load("coverage-manifest"), what="coverage manifest")
    write_json(run.data_folder / "manifest.json", data)


def _leg(run: ShardRun) -> dict[str, Any]:
    return {
        "tier": run.leg.tier,
        "python": run.leg.python,
        "shard": {"index": run.leg.shard.index, "count": run.leg.shard.count},
        "attempt": run.attempt,
        "commit": run.commit,
    }


def _files(gathered: Gathered) -> list[dict[str, Any]]:
    return [_file(file) for file in gathered.files]


def _file(file: DataFile) -> dict[str, Any]:
    return {"name": file.name, "sha256": file.sha256, "bytes": file.bytes}


def _report(
    run: ShardRun,
    ending: Ending,
    record: Record,
    results: Sequence[Result],
    judgement: Judgement,
    notes: Sequence[str],
    gathered: Gathered | None,
) -> dict[str, Any]:
    coverage = None
    if run.measuring is not None and gathered is not None:
        coverage = {
            "version": run.measuring.version,
            "branch": run.measuring.branch,
            "files": _files(gathered),
        }
    return {
        "schema": "ci-kit/test/1",
        "name": run.name,
        **_leg(run),
        "interpreter": {
            "version": run.python.version,
            "implementation": run.python.implementation,
            "executable-name": Path(run.python.executable).name,
        },
        "files": sorted(run.selection.mine),
        "collected": list(record.collected),
        "deselected": list(record.deselected),
        "not-selected": list(record.not_selected),
        "cut": {"left": record.cut.get("left", {}), "kept": record.cut.get("kept", {})},
        "counts": counts(results),
        "exit": ending.code,
        "verdict": str(judgement.verdict),
        "why": judgement.why,
        "seconds": round(ending.seconds, 3),
        "workers": run.workers.count,
        "seed": run.seed,
        "coverage": coverage,
        "notes": list(notes),
    }


def _result(result: Result, commands: Mapping[str, str]) -> dict[str, Any]:
    finding = result.finding
    return {
        "id": result.id,
        "outcome": str(result.outcome),
        "seconds": round(result.seconds, 6),
        "attempts": result.attempts,
        "flaky": result.flaky,
        "worker": result.worker,
        "message": result.message,
        "file": result.place.file if result.place else None,
        "line": result.place.line if result.place else None,
        "at": str(result.at) if result.at else None,
        "phases": {name: round(result.phases.get(name, 0.0), 6) for name in PHASES},
        "class": str(finding.failing) if finding else None,
        "evidence": finding.evidence if finding else None,
        "reproduce": commands.get(result.id),
        "polluter": finding.polluter if finding else None,
        "quarantined": result.quarantined,
    }

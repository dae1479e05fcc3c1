"""After pytest, however it ended: read, judge, write the reports, say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.report import write_json, write_report, write_text
from ci_kit.test import say
from ci_kit.test.gather import Gathered, gather
from ci_kit.test.junit import junit_xml
from ci_kit.test.model import Ending, Place, Record, Result, Stream
from ci_kit.test.record import read_record
from ci_kit.test.redact import hider, redact_files
from ci_kit.test.shard_run import ShardRun
from ci_kit.test.stream import printable, read_stream, stream_lines
from ci_kit.test.summary import counts
from ci_kit.test.verdict import Judgement, judge
from ci_kit.tools import Tools

STREAM_LIMIT_BYTES = 5_000_000


def deliver(run: ShardRun, ending: Ending, tools: Tools) -> int:
    """Write `test.json`, `junit.xml`, the stream and coverage's manifest; set the outputs; answer the exit code."""
    written = [run.request.stream, *(run.private / "record").glob("*")]
    redact_files([path for path in written if path.is_file()], run.secrets)
    hide = hider(run.secrets)
    ending = replace(ending, output=hide(ending.output), why=hide(ending.why))
    record = read_record(run.private)
    stream = read_stream(stream_lines(run.request.stream), placer(run.root, record.rootdir))
    judgement = judge(ending, stream, record)
    results = tuple(_hidden(result, hide) for result in _results(stream, record))
    notes = [*map(hide, run.notes), *_notes(stream, record)]
    gathered = gather(run.data_folder) if run.measuring else None
    lost = gathered.broken + _killed(ending, stream, record) if gathered is not None else 0
    if lost:
        notes.append(
            f"The coverage data of {lost} {'process' if lost == 1 else 'processes'} is lost, because it was killed."
        )
    if gathered is not None and not gathered.files and ending.code is not None:
        notes.append("Coverage measured nothing.")
    notes += _copy_stream(run)
    if gathered is not None:
        _write_manifest(run, gathered, lost)
    write_text(
        run.folder / "junit.xml",
        junit_xml(results, suite=str(run.leg), timestamp=tools.clock.now().isoformat(), seconds=ending.seconds),
    )
    report = _report(run, ending, record, results, judgement, notes, gathered)
    path = write_report(run.folder, "test", report)
    shutil.rmtree(run.private, ignore_errors=True)
    say.annotate(results, tools.workflow)
    say.close(run, ending, judgement, results, record, notes, tools.workflow)
    bad = sum(report["counts"].get(name, 0) for name in ("failed", "error"))
    for name, value in (
        ("report", path), ("verdict", judgement.verdict), ("tests", len(results)), ("failed", bad),
    ):  # fmt: skip
        tools.workflow.output(name, str(value))
    return int(judgement.exit)


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


def _killed(ending: Ending, stream: Stream, record: Record) -> int:
    """How many processes never wrote their coverage data: those in the middle of a test, at least pytest itself."""
    died = ending.timed_out or (ending.code or 0) < 0 or (stream.started and not stream.finished)
    return max(len(record.running), int(died))


def _hidden(result: Result, hide: Callable[[str], str]) -> Result:
    """Once more: taking the colours out of a text can join a secret that they parted."""
    return replace(
        result,
        message=result.message and hide(result.message),
        detail=hide(result.detail),
        first_failure=result.first_failure and hide(result.first_failure),
    )


def _notes(stream: Stream, record: Record) -> list[str]:
    notes = [f"{name} was skipped as a whole: {why}" for name, why in stream.skipped_modules]
    if stream.twice:
        notes.append(f"{len(stream.twice)} test ids occur more than once, such as {stream.twice[0]}; the worst counts.")
    if record.disagreement:
        notes.append(record.disagreement)
    if stream.unreadable_lines:
        notes.append(f"{stream.unreadable_lines} lines of pytest's report stream could not be read.")
    missing = [name for name in record.collected if name not in {result.id for result in stream.results}]
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        notes.append(f"{len(missing)} of {len(record.collected)} collected tests have no result: {shown}")
    return notes


def _copy_stream(run: ShardRun) -> list[str]:
    source = run.request.stream
    if not source.is_file():
        return []
    size = source.stat().st_size
    if size > STREAM_LIMIT_BYTES:
        return [f"report-log.jsonl is left out of the results: it has {size // 1_000_000} MB."]
    shutil.copyfile(source, run.folder / "report-log.jsonl")
    return []


def _write_manifest(run: ShardRun, gathered: Gathered, lost: int) -> None:
    if run.measuring is None:
        return
    data = {
        "schema": "ci-kit/coverage-manifest/1",
        "name": run.name,
        **_leg(run),
        "coverage-version": run.measuring.version,
        "branch": run.measuring.branch,
        "root": str(run.root),
        "source": list(run.measuring.source),
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
    return [{"name": file.name, "sha256": file.sha256, "bytes": file.bytes} for file in gathered.files]


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
        "results": [_result(result) for result in results],
        "counts": counts(results),
        "exit": ending.code,
        "verdict": str(judgement.verdict),
        "why": judgement.why,
        "seconds": round(ending.seconds, 3),
        "workers": run.workers.count,
        "seed": None,
        "coverage": coverage,
        "notes": list(notes),
    }


def _result(result: Result) -> dict[str, Any]:
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
    }

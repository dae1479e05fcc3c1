"""Do: run pytest until every test had its turn. A test that ends the only process ends itself, not those behind it.

With workers, xdist's scheduler sees to that. Without, each death begins a new segment: a fresh process with the tests that
are left, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from ci_kit.test.command import Request, pytest_command
from ci_kit.test.experiments import how_it_ended
from ci_kit.test.model import Ending, Record, Stream
from ci_kit.test.record import read_record, write_task
from ci_kit.test.redact import redact_files
from ci_kit.test.shard_run import ShardRun
from ci_kit.test.stream import Placer, read_stream, stream_lines
from ci_kit.tools import Tools

MOST_DEATHS = 10
LEAST_SECONDS = 2.0


@dataclass(frozen=True)
class Segment:
    """One process of pytest. `folder` holds its task and its record; `death`: how a test of it ended it, and it was gone on."""

    folder: Path
    stream: Path
    death: str = ""


@dataclass
class Ran:
    """What has run so far; kept up to date, so that an interruption loses nothing."""

    ending: Ending
    segments: list[Segment] = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """What all segments wrote, secrets taken out. `deaths` maps a test to how it ended its process."""

    record: Record
    stream: Stream
    deaths: Mapping[str, str] = field(default_factory=dict)


def run_all(run: ShardRun, environ: Mapping[str, str], ran: Ran, limit_seconds: float, tools: Tools) -> None:
    """Run pytest, again after a death, within the limit for all of it."""
    request = run.request
    folder = run.private
    started = tools.clock.monotonic()
    while True:
        ran.segments.append(Segment(folder, request.stream))
        argv = pytest_command(request)
        tools.workflow.log("$ " + " ".join(argv))
        left = limit_seconds - (tools.clock.monotonic() - started)
        with tools.workflow.foreign_output():
            done = tools.runner.run(argv, cwd=run.root, env=environ, timeout_seconds=max(LEAST_SECONDS, left))
        seconds = tools.clock.monotonic() - started
        ran.ending = Ending(done.code, seconds, done.timed_out, limit_seconds, done.output)
        rest = None if done.timed_out or request.workers else _left_behind(ran)
        if rest is None:
            return
        ran.segments[-1] = replace(ran.segments[-1], death=how_it_ended(done.code))
        if not rest:
            return
        if len(ran.segments) > MOST_DEATHS or limit_seconds - seconds < LEAST_SECONDS:
            # Not gone on: the death stays what it is, the end of the run.
            ran.segments[-1] = replace(ran.segments[-1], death="")
            return
        folder = run.private / f"segment-{len(ran.segments)}"
        request = _next(request, run, folder, rest)


def _left_behind(ran: Ran) -> tuple[str, ...] | None:
    """The tests without a result when a test ended its process; None when none did."""
    last = ran.segments[-1]
    record = read_record(last.folder)
    stream = read_stream(stream_lines(last.stream), lambda _path, _line: None)
    deadly = record.running.get("main")
    if stream.finished or deadly is None or deadly not in record.places:
        return None
    done = {result.id for result in stream.results}
    return tuple(name for name in record.collected if name not in done and name != deadly)


def _next(request: Request, run: ShardRun, folder: Path, rest: tuple[str, ...]) -> Request:
    task = write_task(folder, run.root, run.selection, {**run.task, "exact": list(rest)})
    return replace(request, task=task, stream=folder / "report-log.jsonl")


def read_all(run: ShardRun, ran: Ran, place: Placer) -> Reading:
    """Read every segment; a test's results are those of the segments together."""
    for segment in ran.segments:
        written = [segment.stream, *(segment.folder / "record").glob("*")]
        redact_files([path for path in written if path.is_file()], run.secrets)
    records = [read_record(segment.folder) for segment in ran.segments]
    if not records:
        return Reading(Record(), Stream())
    lines: Iterator[str] = chain.from_iterable(stream_lines(segment.stream) for segment in ran.segments)
    stream = read_stream(lines, place)
    deaths = {
        record.running["main"]: segment.death
        for segment, record in zip(ran.segments, records, strict=True)
        if segment.death
    }
    if ran.segments[-1].death:
        stream = replace(stream, finished=True)
    return Reading(_joined(records, deaths), stream, deaths)


def _joined(records: list[Record], deaths: Mapping[str, str]) -> Record:
    """The first segment's record, which is the whole shard's, with what the later ones ran."""
    first, last = records[0], records[-1]

    return replace(
        first,
        running={process: name for process, name in last.running.items() if name not in deaths},
        running_since=last.running_since,
        order={
            process if number == 0 else f"{process}-{number + 1}": names
            for number, record in enumerate(records)
            for process, names in record.order.items()
        },
        stacks={name: text for record in records for name, text in record.stacks.items()},
        hung={name: seconds for record in records for name, seconds in record.hung.items()},
    )

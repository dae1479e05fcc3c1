"""What goes into the results as it is: pytest's report stream and the stacks of tests that hung."""

from __future__ import annotations

from ci_kit.report import write_text
from ci_kit.test.model import Record
from ci_kit.test.segments import Ran
from ci_kit.test.shard_run import ShardRun

STREAM_LIMIT_BYTES = 5_000_000


def write_stacks(run: ShardRun, record: Record) -> None:
    """The stacks of every process that was stopped in a test."""
    if record.stacks:
        parts = [f"{name}\n\n{stacks}\n" for name, stacks in record.stacks.items()]
        write_text(run.folder / "stacks.txt", "\n".join(parts))


def copy_streams(run: ShardRun, ran: Ran) -> list[str]:
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

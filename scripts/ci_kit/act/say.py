"""What a person sees while a workflow runs, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ci_kit.act.copies import Consumer
from ci_kit.act.outcome import JobRun, Note, Step
from ci_kit.act.servers import Servers
from ci_kit.act.workflows import Parsed

MARKS = {"success": "ok  ", "failure": "FAIL", "skipped": "skip", "cancelled": "stop"}
FAILED_LINES = 60


class Live:
    """Prints jobs and steps as they happen; a failed step's last lines are shown at once."""

    def __init__(self, write: Callable[[str], None], *, verbose: bool = False) -> None:
        self._write = write
        self._verbose = verbose

    def __call__(self, what: str, run: JobRun, step: Step | None) -> None:
        """`what` is job, step, note, error or done."""
        if what == "job":
            self._write(f"[{title(run)}] starts")
        elif what == "done":
            self._write(f"[{title(run)}] {run.result} in {run.seconds:.1f} s")
        elif what == "error" and run.errors:
            self._write(f"[{title(run)}] error: {run.errors[-1].strip()}")
        elif step is not None and what == "note":
            self._write(f"[{title(run)}]   {described(step.annotations[-1])}")
        elif step is not None and what == "step":
            self._step(run, step)

    def _step(self, run: JobRun, step: Step) -> None:
        inner = len(step.path) > 1
        if inner and step.result == "success" and not self._verbose:
            return
        stage = "" if step.stage == "main" else f"{step.stage} "
        tolerated = " (continue-on-error)" if step.tolerated else ""
        indent = "  " * len(step.path)
        self._write(f"[{title(run)}] {indent}{MARKS[step.result]} {stage}{step.name} {step.seconds:.1f} s{tolerated}")
        if step.result == "failure" or self._verbose:
            for line in step.log if self._verbose else step.log[-FAILED_LINES:]:
                self._write(f"[{title(run)}] {indent}  | {line}")


def announce(
    write: Callable[[str], None],
    consumer: Consumer,
    top: Sequence[Parsed],
    translations: Sequence[Mapping[str, object]],
    head: str,
    servers: Servers,
) -> None:
    """What will run, and what is not as on GitHub."""
    occasion = consumer.occasion
    write(head)
    write(f"{occasion.event} of {occasion.repository}: {occasion.ref} at {occasion.sha[:12]}")
    write(f"workflows: {', '.join(file.name for file in top)}")
    for note in consumer.notes:
        write(f"note: {note}")
    if occasion.is_fork:
        write("note: a pull request from a fork gets no secrets")
    for each in servers.started:
        write(f"service: {each}")
    for each in servers.absent:
        write(f"service not started: {each}")
    for entry in translations:
        write(f"translated {entry['count']}x: {entry['what']} (until {entry['until']})")


def title(run: JobRun) -> str:
    """The job's name, with the leg where the name alone does not tell."""
    leg = f" #{run.leg}" if run.leg and not any(str(v) in run.name for v in run.matrix.values()) else ""
    return f"{run.title}{leg}"


def described(note: Note) -> str:
    """`error app.py:3: message`."""
    place = f" {note.file}:{note.line}" if note.file and note.line else f" {note.file}" if note.file else ""
    head = f" {note.title}:" if note.title else ""
    return f"{note.level}{place}:{head} {note.message}"


def closing(jobs: Sequence[JobRun], verdict: str, seconds: float) -> str:
    """The table at the end."""
    rows = [f"{MARKS.get(run.result, run.result)}  {run.seconds:7.1f} s  {title(run)}" for run in jobs]
    return "\n".join(["", *rows, "", f"{verdict} in {seconds:.1f} s"])

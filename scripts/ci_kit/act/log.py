"""Read act's `--json` log into jobs and steps.

act says `failure` for every leg of a matrix once one leg failed, and nothing at all about a job that it skips; so verdicts
come from the steps, and the jobs that should be there from the workflow files (see `translate.Job`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ci_kit.act.masks import Masks, command_of
from ci_kit.act.outcome import JobRun, Note, Step
from ci_kit.act.translate import NAME_PATTERN, PREPARE_STEP, Job

TOLERATED = "Failed but continue next step"
NOISE = ("LocalRepositoryCache ", "Non-terminating error while running 'git clone'")
UNSUPPORTED = "Skipping unsupported platform"
LOG_LINES = 20_000


class RunLog:
    """Feed it act's lines; it keeps the jobs and tells `say` what a person wants to see as it happens."""

    def __init__(
        self,
        declared: Sequence[Job],
        masks: Masks,
        say: Callable[[str, JobRun, Step | None], None],
        *,
        prepared: bool = True,
    ) -> None:
        """`prepared`: a preparing step stands first in every job (host mode)."""
        self._shift = 1 if prepared else 0
        self._declared = declared
        self._masks = masks
        self._say = say
        self._runs: dict[str, JobRun] = {}
        self._started: dict[str, datetime] = {}
        self._summarized: dict[str, tuple[tuple[str, ...], str]] = {}
        self._tolerated: set[tuple[str, tuple[str, ...]]] = set()
        self.messages: list[str] = []  # what act said outside any job

    def feed(self, line: str) -> None:
        """One line of act's output."""
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            if line.strip():
                self.messages.append(self._masks.hide(line.strip()))
            return
        message = str(record.get("msg", ""))
        if command_of(record) == "add-mask":
            raw = str(record.get("raw", ""))
            self._masks.add(parse_annotation(raw)[0] if raw.startswith("::") else str(record.get("arg", "")))
        if "jobID" not in record:
            if record.get("level") in {"error", "fatal", "panic"}:
                self.messages.append(self._masks.hide(message))
            return
        if not message.startswith(NOISE):
            self._job_record(record, message)

    def jobs(self, *, cancelled: bool = False) -> list[JobRun]:
        """Every leg that ran, in order of start; what ran not to its end is `cancelled` when the run was."""
        runs = [run for run in self._runs.values() if not self._is_caller(run)]
        for run in runs:
            if run.result == "running":
                run.result = "cancelled" if cancelled else "failure"
        return runs

    def _is_caller(self, run: JobRun) -> bool:
        return any(
            j.id == run.id and j.file == run.file and j.repository == run.repository and j.uses for j in self._declared
        )

    def _run(self, record: Mapping[str, Any]) -> JobRun | None:
        label = str(record.get("job", "")).rstrip()
        found = NAME_PATTERN.findall(label)
        if not found:
            return None
        if label not in self._runs:
            number, name, leg = found[-1]
            job = self._declared[int(number)]
            caller = self._declared[int(found[-2][0])].id if len(found) > 1 else None
            run = JobRun(job.id, name, job.file, job.repository, caller, int(leg) if leg else None)
            run.matrix = dict(record.get("matrix") or {})
            run.result = "running"
            run.steps = [Step((i,), n) for i, n in job.steps]
            self._runs[label] = run
            self._started[label] = _time(record)
            if not job.uses:
                self._say("job", run, None)
        return self._runs[label]

    def _job_record(self, record: Mapping[str, Any], message: str) -> None:
        run = self._run(record)
        if run is None:
            return
        label = str(record["job"]).rstrip()
        run.seconds = (_time(record) - self._started[label]).total_seconds()
        path = self._path(record)
        if path and path[0] == PREPARE_STEP:
            path = ()
        step = self._step(run, path, str(record.get("stage", "Main")).lower(), message) if path else None
        if UNSUPPORTED in message:
            run.result, run.errors = "skipped", [message.strip()]
        elif "jobResult" in record:
            self._finish(run, str(record["jobResult"]))
        elif step is not None:
            self._step_record(run, step, record, message, label)
        elif record.get("level") == "error" and "command" not in record:
            run.errors.append(self._masks.hide(message))
            self._say("error", run, None)
        elif record.get("stepResult") == "failure":
            run.errors.append(self._masks.hide(message.strip()))

    def _path(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        ids = record.get("stepID")
        if not isinstance(ids, list) or not ids:
            return ()
        first = str(ids[0])
        # A step without an id is named by its place, and the preparing step has moved every place by one.
        if first.isdigit():
            first = str(int(first) - self._shift)
        return (first, *(str(i) for i in ids[1:]))

    def _step(self, run: JobRun, path: tuple[str, ...], stage: str, message: str) -> Step | None:
        for step in run.steps:
            if step.path == path and step.stage == stage:
                return step
        if "Run " not in message and not any(s.path == path for s in run.steps):
            return None
        first = next((s for s in run.steps if s.path == path), None)
        if stage != "main" and "Run " not in message:
            return first
        name = re.sub(r"^\S*\s*Run (Main|Pre|Post) ", "", message.strip()).splitlines()[0]
        step = Step(path, first.name if first else self._masks.hide(name), stage)
        run.steps.append(step)
        return step

    def _step_record(self, run: JobRun, step: Step, record: Mapping[str, Any], message: str, label: str) -> None:
        command = command_of(record)
        if message.strip() == TOLERATED:
            self._tolerated.add((label, step.path))
        elif "stepResult" in record and "executionTime" in record:
            step.result = str(record["stepResult"])
            step.seconds = float(record["executionTime"]) / 1e9
            step.tolerated = (label, step.path) in self._tolerated
            self._say("step", run, step)
        elif command == "summary":
            self._summary(run, step, self._masks.hide(str(record.get("content", ""))), label)
        elif command == "set-output":
            step.outputs[str(record.get("name", ""))] = self._masks.hide(str(record.get("arg", "")))
        elif command in {"error", "warning", "notice"}:
            step.annotations.append(self._note(str(command), record))
            self._say("note", run, step)
        elif record.get("raw_output") or (record.get("level") == "error" and command is None):
            self._print(step, message)
        elif record.get("raw") and command not in {"add-mask", "set-output", "save-state", "debug"}:
            self._print(step, str(record["raw"]))

    def _summary(self, run: JobRun, step: Step, content: str, label: str) -> None:
        """Keep it, unless it is the last inner step's, which act reads again when the composite step ends."""
        inner, before = self._summarized.get(label, ((), ""))
        if content != before or inner[: len(step.path)] != step.path or len(inner) <= len(step.path):
            run.summary.append(content)
        self._summarized[label] = (step.path, content)

    def _print(self, step: Step, text: str) -> None:
        step.log.extend(self._masks.hide(text).rstrip("\r\n").splitlines() or [""])
        if len(step.log) > LOG_LINES:
            del step.log[: len(step.log) - LOG_LINES]

    def _note(self, level: str, record: Mapping[str, Any]) -> Note:
        message, where = parse_annotation(str(record.get("raw", "")))
        line = where.get("line", "")
        hide = self._masks.hide
        return Note(
            level,
            hide(message),
            hide(where.get("title", "")),
            hide(where.get("file", "")),
            int(line) if line.isdigit() else 0,
        )

    def _finish(self, run: JobRun, told: str) -> None:
        failed = bool(run.errors) or any(
            s.result == "failure" and not s.tolerated and len(s.path) == 1 for s in run.steps
        )
        run.result = "failure" if failed or (told == "failure" and not run.matrix) else "success"
        self._say("done", run, None)


def parse_annotation(raw: str) -> tuple[str, dict[str, str]]:
    """Message and properties of `::error file=a.py::message`, split where GitHub's runner splits: at the first `::`.

    act splits at the last one, which tears every message with a pytest id apart, and drops a property with a `=` in it.
    """
    match = re.match(r"::[a-z-]+(?: (.*?))?::(.*)", raw.strip(), re.DOTALL)
    if match is None:
        return raw.strip(), {}
    pairs = (part.partition("=") for part in (match[1] or "").split(",") if part.strip())
    return _unescaped(match[2]), {name.strip(): _unescaped(value, more=True) for name, _, value in pairs}


def _unescaped(text: str, *, more: bool = False) -> str:
    codes = {"%0D": "\r", "%0A": "\n"} | ({"%3A": ":", "%2C": ","} if more else {}) | {"%25": "%"}
    for code, character in codes.items():
        text = text.replace(code, character)
    return text


def skipped_jobs(declared: Sequence[Job], ran: Sequence[JobRun], called: Mapping[str, Sequence[str]]) -> list[JobRun]:
    """The declared jobs that never started, for the report.

    `called` maps each called workflow `repository:file` to the jobs that call it; the top workflows have none there.
    """
    seen = {(run.repository, run.file, run.id, run.caller) for run in ran}
    found = []
    for job in declared:
        for caller in called.get(f"{job.repository}:{job.file}", [None]):
            if job.uses is None and (job.repository, job.file, job.id, caller) not in seen:
                steps = [Step((i,), n) for i, n in job.steps]
                found.append(JobRun(job.id, job.id, job.file, job.repository, caller, steps=steps))
    return found


def _time(record: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(record["time"]))

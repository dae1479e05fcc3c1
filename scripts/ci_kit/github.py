"""GitHub's side of a step: the event that started it, and what the step says back.

The only module that knows workflow commands, `GITHUB_OUTPUT`, the step summary and masking. Formats:
https://docs.github.com/actions/reference/workflow-commands-for-github-actions. Outside a runner the same calls print
readable lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TextIO

from ci_kit.errors import CallerMistake, InfrastructureFailure, KitError

Level = Literal["error", "warning", "notice"]
ANNOTATIONS_PER_STEP = 10
LONGEST_JOB = timedelta(days=5)
SUMMARY_BYTES = 1024 * 1024
_STEP_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
_NOTE = "\n\n*The summary was cut here: it is larger than GitHub shows (1 MiB). The report has all of it.*\n"


def without_runners_own(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for the consumer's programs: without the files and tokens with which they could act on the job."""
    return {
        name: value for name, value in environ.items() if name not in _STEP_FILES and not name.startswith("ACTIONS_")
    }


def job_started(environ: Mapping[str, str], now: datetime) -> datetime:
    """When the runner began this job, which is when it wrote the event's file; `now` where that says nothing."""
    try:
        written = Path(environ.get("GITHUB_EVENT_PATH") or "").stat().st_mtime
    except OSError:
        return now
    found = datetime.fromtimestamp(written, UTC)
    return found if timedelta() <= now - found <= LONGEST_JOB else now


def shares_its_folders(environ: Mapping[str, str]) -> bool:
    """A self-hosted runner, where other repositories' jobs may have written all folders but `RUNNER_TEMP`."""
    hosted = environ.get("RUNNER_ENVIRONMENT") == "github-hosted"
    return environ.get("GITHUB_ACTIONS") == "true" and not hosted and bool(environ.get("RUNNER_TEMP"))


@dataclass(frozen=True)
class Event:
    """What started the workflow, from the runner's environment and the event payload."""

    name: str
    sha: str
    ref: str
    repository: str
    run_id: str
    run_attempt: int
    workflow: str
    job: str
    workspace: Path
    actor: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Event:
        """Read the environment of a step; on a laptop the current folder is the workspace and the event is `local`.

        `workspace` is the project's folder: the checkout, or the sub-folder of it that the input `working-directory`
        names. Raises `CallerMistake` when that is no folder of the checkout, `InfrastructureFailure` when the event
        payload is there but not JSON.
        """
        attempt = environ.get("GITHUB_RUN_ATTEMPT", "1")
        return cls(
            name=environ.get("GITHUB_EVENT_NAME", "local"),
            sha=environ.get("GITHUB_SHA", ""),
            ref=environ.get("GITHUB_REF", ""),
            repository=environ.get("GITHUB_REPOSITORY", ""),
            run_id=environ.get("GITHUB_RUN_ID", "0"),
            run_attempt=int(attempt) if attempt.isdigit() else 1,
            workflow=environ.get("GITHUB_WORKFLOW", ""),
            job=environ.get("GITHUB_JOB", ""),
            workspace=_project(Path(environ.get("GITHUB_WORKSPACE") or ".").absolute(), working_directory(environ)),
            actor=environ.get("GITHUB_ACTOR", ""),
            payload=_payload(environ.get("GITHUB_EVENT_PATH")),
        )

    @property
    def is_pull_request(self) -> bool:
        """A pull request started the run."""
        return self.name in {"pull_request", "pull_request_target"}

    @property
    def pull_request(self) -> Mapping[str, Any]:
        """The pull request's part of the payload; empty for other events."""
        found = self.payload.get("pull_request")
        return found if isinstance(found, dict) else {}

    @property
    def is_fork(self) -> bool:
        """The pull request comes from another repository, so it has no secrets and a read-only token."""
        head = (self.pull_request.get("head") or {}).get("repo") or {}
        return self.is_pull_request and head.get("full_name") != self.repository

    @property
    def default_branch(self) -> str:
        """The repository's default branch, `main` when the payload does not say."""
        return str((self.payload.get("repository") or {}).get("default_branch") or "main")

    @property
    def on_default_branch(self) -> bool:
        """The run tests the default branch itself (push, schedule or manual), not a pull request into it."""
        if self.name == "schedule":  # GitHub runs it there alone, and its payload may not name the branch
            return True
        return not self.is_pull_request and self.ref == f"refs/heads/{self.default_branch}"

    @property
    def kind(self) -> str:
        """`pull-request`, `default-branch` or `other`: the three depths. A merge queue and a laptop are as a pull request."""
        if self.is_pull_request or self.name in {"merge_group", "local"}:
            return "pull-request"
        return "default-branch" if self.on_default_branch else "other"

    @property
    def labels(self) -> tuple[str, ...]:
        """The pull request's labels."""
        found = self.pull_request.get("labels")
        names = (each.get("name") for each in found if isinstance(each, dict)) if isinstance(found, list) else ()
        return tuple(name for name in names if isinstance(name, str))


def working_directory(environ: Mapping[str, str]) -> str:
    """The input `working-directory`, empty for the checkout itself."""
    found = environ.get("CI_KIT_WORKING_DIRECTORY", "").strip().strip("/")
    return "" if found == "." else found.removeprefix("./")


def _project(checkout: Path, folder: str) -> Path:
    project = (checkout / folder).resolve() if folder else checkout
    if not project.is_dir() or not project.is_relative_to(checkout.resolve() if folder else checkout):
        raise CallerMistake(
            f"input working-directory: {folder!r} is no folder of the checkout.",
            next_step="Name a folder of the repository, and check the repository out before this step.",
        )
    return project


def _payload(path: str | None) -> Mapping[str, Any]:
    if not path or not Path(path).is_file():
        return {}
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InfrastructureFailure(
            f"the event payload {path} is not JSON: {error}.", next_step="Re-run the job; GitHub writes this file."
        ) from error
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Annotation:
    """One note in the Checks view; `file` relative to the project's folder, `line` from 1 (to `end_line`)."""

    level: Level
    message: str
    file: str | None = None
    line: int | None = None
    title: str | None = None
    end_line: int | None = None


class Workflow:
    """What a step says: outputs, summary, annotations, groups, masks."""

    def __init__(self, environ: Mapping[str, str], stream: TextIO | None = None) -> None:
        self._environ = environ
        self._stream = stream
        self._annotated: Counter[str] = Counter()
        self._unshown: Counter[str] = Counter()
        self._masked: set[str] = set()

    @property
    def on_runner(self) -> bool:
        """A runner (GitHub's or act) reads what is printed."""
        return self._environ.get("GITHUB_ACTIONS") == "true"

    def log(self, text: str) -> None:
        """A line for people. On a runner a line that looks like a workflow command is defused."""
        for line in text.splitlines() or [""]:
            self._print(_defused(line) if self.on_runner else line)

    def output(self, name: str, value: str) -> None:
        """Set a step output; any value is safe, several lines too."""
        self._assign("GITHUB_OUTPUT", name, value, shown=f"output {name} = {value}")

    def export(self, name: str, value: str) -> None:
        """Set an environment variable for the following steps of the job."""
        self._assign("GITHUB_ENV", name, value, shown=f"environment {name} = {value}")

    def add_path(self, folder: Path) -> None:
        """Put a folder in front of PATH for the following steps."""
        self._append("GITHUB_PATH", f"{folder}\n")

    def summary(self, markdown: str) -> None:
        """Add to the step summary; what is beyond GitHub's 1 MiB is cut with a note."""
        path = self._environ.get("GITHUB_STEP_SUMMARY")
        if not path:
            return
        used = Path(path).stat().st_size if Path(path).exists() else 0
        room = SUMMARY_BYTES - used - len(_NOTE.encode()) - 1
        if room <= 0:
            return
        raw = markdown.encode(errors="backslashreplace")
        if len(raw) > room:
            markdown = raw[:room].decode(errors="ignore") + _NOTE
        self._append("GITHUB_STEP_SUMMARY", markdown.rstrip("\n") + "\n\n")

    def tell(self, error: KitError) -> None:
        """One line of what went wrong and what to do next; on a runner an annotation too, in the Checks view."""
        self.log(f"ci-kit: {error}")
        if self.on_runner:
            text = f"{error.message} {error.next_step}".strip()
            self.annotate(Annotation("error", text, error.file, error.line, title="ci-kit"))

    def annotate(self, annotation: Annotation) -> None:
        """Annotate, at most 10 of each level a step (GitHub drops more in silence); the rest is only counted."""
        if self._annotated[annotation.level] >= ANNOTATIONS_PER_STEP:
            self._unshown[annotation.level] += 1
            return
        self._annotated[annotation.level] += 1
        folder = working_directory(self._environ)
        file = f"{folder}/{annotation.file}" if annotation.file and folder else annotation.file
        place = "" if file is None else f"{file}:{annotation.line or 1}: "
        if not self.on_runner:
            self._print(f"{annotation.level}: {place}{annotation.message}")
            return
        named = {
            "file": file,
            "line": annotation.line,
            "endLine": annotation.end_line,
            "title": annotation.title,
        }
        properties = ",".join(f"{key}={_property(str(value))}" for key, value in named.items() if value is not None)
        self._print(f"::{annotation.level}{' ' if properties else ''}{properties}::{_data(annotation.message)}")

    def close(self) -> None:
        """Say how many annotations were not shown. Called once, at the end of the step."""
        for level, count in self._unshown.items():
            self.log(f"{count} more {level} annotations are not shown: GitHub shows {ANNOTATIONS_PER_STEP} a step.")
        self._unshown.clear()

    @contextlib.contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold the log lines inside."""
        self._print(f"::group::{_data(title)}" if self.on_runner else f"== {title}")
        try:
            yield
        finally:
            if self.on_runner:
                self._print("::endgroup::")

    @contextlib.contextmanager
    def foreign_output(self) -> Iterator[None]:
        """Between these, other programs print: commands and tracebacks in their output are text, and never obeyed."""
        token = f"ci-kit-{_random()}"
        if self.on_runner:
            # actions/setup-python adds a matcher that would make an annotation of every traceback that is printed.
            self._print("::remove-matcher owner=python::")
            self._print(f"::stop-commands::{token}")
        try:
            yield
        finally:
            if self.on_runner:
                self._print(f"::{token}::")

    def mask(self, value: str) -> None:
        """Hide a secret in all later log lines, each of its lines too, said once. Prints nothing outside a runner."""
        if self.on_runner:
            for part in [value, *value.splitlines()]:
                if part.strip() and part not in self._masked:
                    self._masked.add(part)
                    self._print(f"::add-mask::{_data(part)}")

    def _print(self, line: str) -> None:
        stream = self._stream or sys.stdout
        try:
            # A file name that is not UTF-8 must not end the step.
            print(line.encode(errors="backslashreplace").decode(), file=stream, flush=True)
        except BrokenPipeError:
            _silence(stream)

    def _assign(self, variable: str, name: str, value: str, *, shown: str) -> None:
        if not self._environ.get(variable):
            if not self.on_runner:
                self._print(shown)
            return
        # A random delimiter: no value, however hostile, can end the assignment and start another one.
        delimiter = f"ci-kit-{_random()}"
        self._append(variable, f"{name}<<{delimiter}\n{value}\n{delimiter}\n")

    def _append(self, variable: str, text: str) -> None:
        path = self._environ.get(variable)
        if not path:
            return
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InfrastructureFailure(
                f"cannot write {variable} ({path}): {error.strerror or error}.",
                next_step="The runner's disk may be full; free some space and re-run the job.",
            ) from error


def _silence(stream: TextIO) -> None:
    """Whoever read `stream` has gone: what follows goes nowhere, or Python itself would complain at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _defused(line: str) -> str:
    """The runner obeys `::name …` at the start of a line, and the older `##[name …]` anywhere in it."""
    if line.lstrip().startswith("::"):
        line = line.replace("::", ":\u200b:", 1)
    return line.replace("##[", "##\u200b[")


def _random() -> str:
    """Nobody can guess it. The module `secrets` would do the same for 5 ms of every start."""
    return os.urandom(16).hex()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

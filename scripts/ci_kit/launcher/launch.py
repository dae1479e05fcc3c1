"""Launch one verb: its time limit from the input `timeout`, its environment, then `ci_kit.__main__`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ci_kit import __main__ as kit
from ci_kit.errors import CallerMistake, InfrastructureFailure, KitError
from ci_kit.github import Workflow
from ci_kit.inputs import duration
from ci_kit.launcher.environment import Interpreter, folder_name, is_complete, locks_of, sets_of_locks
from ci_kit.launcher.supervise import End, Outcome, supervise
from ci_kit.process import SubprocessRunner

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ROOT / "requirements"


@dataclass(frozen=True)
class Request:
    """What to run: `argv` without the option `--timeout`, and the limit as it was written and in seconds."""

    argv: tuple[str, ...]
    limit: str
    limit_seconds: float | None

    @property
    def room(self) -> str:
        """The room, or whatever stands in its place; `--working-directory D` may come before it."""
        words = iter(self.argv)
        for word in words:
            if word == "--working-directory":
                next(words, None)
            elif not word.startswith("-"):
                return word
        return ""

    @property
    def name(self) -> str:
        """Room and verb, for messages."""
        return " ".join(("ci-kit", *[word for word in self.argv[:2] if not word.startswith("-")]))


def read_request(argv: Sequence[str], environ: Mapping[str, str]) -> Request:
    """Take the limit from `--timeout D` or `CI_KIT_TIMEOUT`; raises `CallerMistake` for one that does not parse."""
    words: list[str] = []
    limit = environ.get("CI_KIT_TIMEOUT", "").strip()
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += [word, *rest]
            break
        if word == "--timeout" and not rest:
            raise CallerMistake("option --timeout has no value.", next_step="Write --timeout 10m.")
        if word == "--timeout":
            limit = rest.pop(0)
        elif word.startswith("--timeout="):
            limit = word.partition("=")[2]
        else:
            words.append(word)
    try:
        seconds = duration(limit) if limit else None
    except ValueError as error:
        raise CallerMistake(f"input timeout: expected {error}, found {limit!r}.", next_step="Correct it.") from error
    if seconds == 0:
        raise CallerMistake("input timeout: expected more than 0 s, found 0.", next_step="Leave it empty for no limit.")
    return Request(tuple(words), limit, seconds)


def launch(argv: Sequence[str], cache: str, *, remember: bool) -> int:
    """Run the verb and answer the exit code. With `remember` later starts use this interpreter without a search."""
    workflow = Workflow(os.environ)
    try:
        request = read_request(argv, os.environ)
    except KitError as error:
        return _say(workflow, error)
    outcome = supervise(lambda: _run(request, cache, workflow, remember=remember), request.limit_seconds)
    if outcome.end is End.SIGNAL:
        return 128 + outcome.number
    failure = explain(request, outcome)
    return _say(workflow, failure) if failure else outcome.number


def explain(request: Request, outcome: Outcome) -> KitError | None:
    """What to tell about an end that the verb did not choose itself."""
    if outcome.end is End.LIMIT:
        return InfrastructureFailure(
            f"{request.name} was stopped at its time limit of {request.limit}.",
            next_step="The log above shows where it was; raise the input timeout if it needs longer.",
        )
    if outcome.end is End.ITSELF and outcome.number < 0:
        name = signal.Signals(-outcome.number).name
        hint = " (the machine may have run out of memory)" if -outcome.number == signal.SIGKILL else ""
        return InfrastructureFailure(f"{request.name} was ended by {name}{hint}.", next_step="Re-run the job.")
    return None


def _run(request: Request, cache: str, workflow: Workflow, *, remember: bool) -> int:
    """In the child: the environment, then the verb."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        folder = _environment(request.room, cache, workflow, remember=remember)
    except KitError as error:
        return _say(workflow, error)
    # Behind the standard library, which no dependency may shadow.
    sys.path.append(str(folder))
    return kit.main(request.argv, os.environ)


def _environment(room: str, cache: str, workflow: Workflow, *, remember: bool) -> Path:
    interpreter = Interpreter.this()
    locks = locks_of(room, LOCKS)
    usual = Path(cache, folder_name(locks, interpreter)) if cache else None
    if usual and not remember and is_complete(usual):
        return usual
    # Imported only here: most starts find everything in place.
    from ci_kit.launcher.build import Builder, remember_interpreter  # noqa: PLC0415

    names = [folder_name(each, interpreter) for each in sets_of_locks(room, LOCKS)]
    folder = Builder(locks, cache, os.environ, SubprocessRunner(), workflow).build(*names)
    if remember and cache and folder.parent == Path(cache):
        remember_interpreter(cache)
    return folder


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _say(workflow: Workflow, error: KitError) -> int:
    workflow.tell(error)
    return int(error.exit)

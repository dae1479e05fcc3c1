"""Read pytest-reportlog's stream: one JSON object a line, written as it happens, so it holds what a dead run did.

Format: https://github.com/pytest-dev/pytest-reportlog. The rerun attempts are pytest-rerunfailures': a report with the
outcome `rerun` ends an attempt. A worker's crash is one report with `when` = `???`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ci_kit.test.model import Outcome, Place, Result, Stream

MESSAGE_LIMIT = 600
DETAIL_LIMIT = 20_000
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
CRASHED = "???"
PHASES = ("setup", "call", "teardown")
_SUBTESTS = {"SubtestReport", "SubTestReport"}
Placer = Callable[[str, int | None], Place | None]


@dataclass(frozen=True)
class _Failure:
    """What is kept of a failed report: the report itself may hold a message of any length several times."""

    message: str
    detail: str
    at: Place | None


@dataclass
class _Test:
    """One test while its reports come in."""

    id: str
    seconds: float = 0.0
    attempts: int = 1
    worker: str = "main"
    outcome: Outcome | None = None
    failure: _Failure | None = None
    message: str | None = None
    first_failure: str | None = None
    location: Place | None = None
    ended: bool = False
    again: bool = False
    rounds: int = 0
    phases: dict[str, float] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    crashed: bool = False


@dataclass
class _Reader:
    place: Placer
    tests: dict[str, _Test] = field(default_factory=dict)
    errors: dict[str, Result] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    started: bool = False
    finished: bool = False
    unreadable: int = 0

    def read(self, line: str) -> None:
        try:
            data = json.loads(line)
            kind = data["$report_type"]
        except (ValueError, KeyError, TypeError, RecursionError):
            self.unreadable += 1
            return
        if kind == "SessionStart":
            self.started = True
        elif kind == "SessionFinish":
            self.finished = True
        elif kind == "CollectReport":
            self._collect(data)
        elif kind == "TestReport":
            self._test(data)
        elif kind in _SUBTESTS and data.get("outcome") == "failed":
            # The test itself may be reported as passed (pytest-subtests); a failed part fails it.
            test = self._of(data)
            test.outcome, test.failure = Outcome.FAILED, test.failure or self._failure(data)

    def _of(self, data: dict[str, Any]) -> _Test:
        name = printable(data["nodeid"])
        test = self.tests.setdefault(name, _Test(name))
        test.worker = data.get("worker_id") or test.worker
        return test

    def _collect(self, data: dict[str, Any]) -> None:
        name = printable(data.get("nodeid", "")) or "."
        if data.get("outcome") == "failed":
            file = self.place(name.partition("::")[0], None)
            self.errors[name] = Result(
                name, Outcome.ERROR, 0.0, message=short_message(data), detail=detail(data),
                place=file, at=failing_place(data, self.place) or file,
            )  # fmt: skip
        elif data.get("outcome") == "skipped":
            self.skipped[name] = reason(data)

    def _test(self, data: dict[str, Any]) -> None:
        test = self._of(data)
        seconds = max(0.0, float(data.get("duration") or 0.0))
        test.seconds += seconds
        location = data.get("location") or [None, None]
        if test.location is None and location[0]:
            test.location = self.place(str(location[0]), None if location[1] is None else int(location[1]) + 1)
        if data.get("when") == "setup":
            test.rounds += test.ended and not test.again
            test.ended = test.again = False
            test.phases = {}
        if data.get("when") in PHASES:
            test.phases[data["when"]] = seconds
            test.span = _spanning(test.span, data.get("start"), data.get("stop"))
        test.crashed = test.crashed or data.get("when") == CRASHED
        if data.get("outcome") == "rerun":
            test.attempts, test.again = test.attempts + 1, True
            test.first_failure = test.first_failure or short_message(data)
            test.outcome = test.failure = test.message = None
            return
        outcome = _phase_outcome(data)
        if outcome is not None and _worse(outcome, test.outcome):
            test.outcome = outcome
            test.failure = self._failure(data) if outcome in (Outcome.FAILED, Outcome.ERROR) else None
            test.message = None if test.failure else reason(data) or None
        test.ended = test.ended or data.get("when") in ("teardown", CRASHED)

    def _failure(self, data: dict[str, Any]) -> _Failure:
        return _Failure(short_message(data), detail(data), failing_place(data, self.place))

    def done(self) -> Stream:
        tests = [test for test in self.tests.values() if test.outcome and (test.ended or test.failure)]
        return Stream(
            results=tuple(self._result(test) for test in tests),
            collect_errors=tuple(self.errors.values()),
            skipped_modules=tuple(self.skipped.items()),
            twice=tuple(test.id for test in tests if test.rounds),
            started=self.started,
            finished=self.finished,
            unreadable_lines=self.unreadable,
        )

    def _result(self, test: _Test) -> Result:
        failure = test.failure
        return Result(
            test.id,
            test.outcome or Outcome.PASSED,
            test.seconds,
            test.attempts,
            test.worker,
            message=failure.message if failure else test.message,
            detail=failure.detail if failure else "",
            first_failure=test.first_failure,
            place=test.location,
            at=failure.at or test.location if failure else None,
            phases=test.phases,
            span=test.span,
            crashed=test.crashed,
        )


def _spanning(span: tuple[float, float] | None, start: object, stop: object) -> tuple[float, float] | None:
    """The reports of pytest 7.4 and newer hold both; 0 means that nobody measured."""
    if not isinstance(start, int | float) or not isinstance(stop, int | float) or not start:
        return span
    return (start, stop) if span is None else (min(span[0], start), max(span[1], stop))


def read_stream(lines: Iterable[str], place: Placer) -> Stream:
    """The results of a stream, however it ended.

    `place` answers where a path of pytest is in the workspace, None when it is not a file there.
    """
    reader = _Reader(place)
    for line in lines:
        reader.read(line)
    return reader.done()


def stream_lines(path: Path) -> Iterator[str]:
    """The lines of a stream file; none when pytest never came to write it."""
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file


def _phase_outcome(data: dict[str, Any]) -> Outcome | None:
    outcome, when = data.get("outcome"), data.get("when")
    if outcome == "failed":
        return Outcome.ERROR if when in ("setup", "teardown") else Outcome.FAILED
    if "wasxfail" in data:
        return Outcome.XFAILED if outcome == "skipped" else Outcome.XPASSED if when == "call" else None
    if outcome == "skipped":
        return Outcome.SKIPPED
    return Outcome.PASSED if outcome == "passed" and when == "call" else None


_ORDER = (None, Outcome.PASSED, Outcome.XPASSED, Outcome.XFAILED, Outcome.SKIPPED, Outcome.ERROR, Outcome.FAILED)


def _worse(new: Outcome, old: Outcome | None) -> bool:
    return _ORDER.index(new) > _ORDER.index(old)


def printable(text: str) -> str:
    """Text that any UTF-8 file can hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def plain(text: str) -> str:
    """Text without terminal colours."""
    return _ANSI.sub("", printable(text))


def short_message(data: dict[str, Any]) -> str:
    """What went wrong, in at most a few lines."""
    longrepr = data.get("longrepr")
    if isinstance(longrepr, dict):
        crash = longrepr.get("reprcrash") or {}
        text = plain(str(crash.get("message") or "")).strip() or _last_error(detail(data))
    elif isinstance(longrepr, list):
        text = plain(str(longrepr[-1]))
    else:
        text = _last_error(plain(str(longrepr or "failed without a message")))
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _last_error(text: str) -> str:
    """The lines that pytest marks with `E`; else the first line."""
    marked = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return "\n".join(marked[-3:]) or (text.strip().splitlines() or ["failed without a message"])[0]


def reason(data: dict[str, Any]) -> str:
    """Why a test was skipped or expected to fail."""
    if data.get("wasxfail"):
        return plain(str(data["wasxfail"])).removeprefix("reason: ")
    longrepr = data.get("longrepr")
    text = longrepr[-1] if isinstance(longrepr, list) and longrepr else ""
    return plain(str(text)).removeprefix("Skipped: ")


def detail(data: dict[str, Any]) -> str:
    """The failure as pytest shows it: source lines and error lines, bounded."""
    longrepr = data.get("longrepr")
    if not isinstance(longrepr, dict):
        text = plain(str(longrepr[-1] if isinstance(longrepr, list) and longrepr else longrepr or ""))
    else:
        entries = (longrepr.get("reprtraceback") or {}).get("reprentries") or []
        lines: list[str] = []
        for entry in entries:
            inner = entry.get("data") or {}
            lines += [str(line) for line in inner.get("lines") or ()]
            if where := inner.get("reprfileloc"):
                lines.append(f"{where.get('path')}:{where.get('lineno')}: {where.get('message')}")
        text = plain("\n".join(lines))
    return text if len(text) <= DETAIL_LIMIT else text[:DETAIL_LIMIT] + "\n…"


def failing_place(data: dict[str, Any], place: Placer) -> Place | None:
    """The innermost line of the failure that is in the workspace."""
    longrepr = data.get("longrepr")
    if not isinstance(longrepr, dict):
        return None
    crash = longrepr.get("reprcrash") or {}
    entries = (longrepr.get("reprtraceback") or {}).get("reprentries") or []
    spots = [(entry.get("data") or {}).get("reprfileloc") or {} for entry in entries]
    for spot in [crash, *reversed(spots)]:
        if spot.get("path"):
            found = place(str(spot["path"]), spot.get("lineno"))
            if found is not None:
                return found
    return None

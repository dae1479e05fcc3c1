"""Run work in a child process with a time limit, pass signals on, and leave no process behind when it is cut short."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from ci_kit.launcher import family

LIMIT_GRACE_SECONDS = 10.0
# GitHub cancels with SIGINT, sends SIGTERM after 7.5 s and kills after another 2.5 s.
CANCEL_GRACE_SECONDS = 7.0
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class End(Enum):
    """Why the work is over."""

    ITSELF = "itself"
    LIMIT = "limit"
    SIGNAL = "signal"


@dataclass(frozen=True)
class Outcome:
    """How the work ended; `number` is its exit code or, by `SIGNAL`, the signal that came from outside.

    The exit code is negative when a signal killed the work, as in `subprocess`.
    """

    end: End
    number: int


def grace_seconds(limit_seconds: float) -> float:
    """How long work that reached its limit may take to write its report."""
    return min(LIMIT_GRACE_SECONDS, limit_seconds / 10)


def supervise(work: Callable[[], int], limit_seconds: float | None) -> Outcome:
    """Run `work` in a forked child that leads a session of its own. In the child this does not return."""
    started = time.monotonic()
    with _signals() as (reader, leave):
        gc.freeze()  # what is shared with the child stays shared
        child = os.fork()
        if child == 0:
            leave()
            _end_child(work)
        return _Watch(child, reader, started, limit_seconds).run()


def _end_child(work: Callable[[], int]) -> NoReturn:
    """Run the work and end as `multiprocessing` ends its forked children.

    Taking down every module would copy the memory shared with the parent, which costs as much as a start.
    """
    code = 1
    try:
        code = work()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - a defect of the launcher itself: `ci_kit.__main__` lets nothing through
        code = 3
        print(f"ci-kit: a defect of the launcher: {sys.exc_info()[1]!r}", file=sys.stderr)
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


@contextlib.contextmanager
def _signals() -> Iterator[tuple[int, Callable[[], None]]]:
    """A descriptor that yields each signal's number as a byte, and what takes the child out of this.

    Signals are held back until the child is itself; none is lost between the fork and its own handlers.
    """
    watched = [signal.SIGCHLD, *(number for number in _PASSED_ON if signal.getsignal(number) != signal.SIG_IGN)]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    before = {number: signal.signal(number, lambda _number, _frame: None) for number in watched}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    parent = os.getpid()

    def leave() -> None:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)

    try:
        yield reader, leave
    finally:
        if os.getpid() == parent:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)


class _Watch:
    """The parent's side: wait for the child, the limit or a signal, whichever comes first."""

    def __init__(self, child: int, reader: int, started: float, limit_seconds: float | None) -> None:
        self._child = child
        self._reader = reader
        self._limit_seconds = limit_seconds
        self._deadline = None if limit_seconds is None else started + limit_seconds
        self._end: Outcome | None = None
        self._seen: set[family.Process] = set()

    def run(self) -> Outcome:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD, *_PASSED_ON])
        while True:
            wait_seconds = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            ready, _, _ = select.select([self._reader], [], [], wait_seconds)
            for number in os.read(self._reader, 512) if ready else b"":
                if number != signal.SIGCHLD:
                    self._cancelled(number)
            pid, status = os.waitpid(self._child, os.WNOHANG)
            if pid:
                if self._end:
                    family.kill_all(self._seen)
                return self._end or Outcome(End.ITSELF, os.waitstatus_to_exitcode(status))
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._due()

    def _cancelled(self, number: int) -> None:
        if self._end is not None:  # asked a second time: now
            self._deadline = time.monotonic()
            return
        self._begin_to_end(Outcome(End.SIGNAL, number), number, CANCEL_GRACE_SECONDS)

    def _due(self) -> None:
        if self._end is None and self._limit_seconds is not None:
            self._begin_to_end(Outcome(End.LIMIT, 0), signal.SIGTERM, grace_seconds(self._limit_seconds))
        else:
            self._seen |= family.descendants(family.running(), os.getpid())
            family.kill_all(self._seen)
            self._deadline = None

    def _begin_to_end(self, outcome: Outcome, number: int, grace: float) -> None:
        """Tell the child's group only: what the room started is the room's to end while it can."""
        self._end = outcome
        family.adopt_orphans()
        self._seen = family.descendants(family.running(), os.getpid())
        self._deadline = time.monotonic() + grace
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child, number)

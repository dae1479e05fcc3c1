"""When a test hangs: the stacks of all threads go into the record folder, and the process ends.

The processes of a run write their stacks also on SIGTERM, which the kit sends at the step's time limit and when the job
is cancelled. Python's faulthandler does it in C, so it works while a test holds the interpreter (a regular expression).
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from pathlib import Path
from typing import IO, Callable, Optional, Tuple

import pytest

from pytest_ci_kit.record import Recorder, save_coverage

EXIT_CODE = 70
SAVING_SECONDS = 5.0


class Stacks:
    """Where this process writes its stacks. A child made by `fork` must not: it is not the run's."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("ab")

    def dump(self) -> None:
        """Write them now."""
        faulthandler.dump_traceback(self._file, all_threads=True)

    def dump_later(self, seconds: float) -> None:
        """Write them after `seconds` and end the process, whatever it does; a later call replaces this one."""
        faulthandler.dump_traceback_later(seconds, file=self._file, exit=True)

    def dump_on_sigterm(self) -> None:
        """Also let pytest end by itself then, with tear-down, as after Ctrl-C; only where nobody handles SIGTERM yet."""
        if not hasattr(faulthandler, "register") or threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._interrupt)
        faulthandler.register(signal.SIGTERM, self._file, all_threads=True, chain=True)
        os.register_at_fork(after_in_child=self._leave)

    def _interrupt(self, _number: int, _frame: object) -> None:
        raise KeyboardInterrupt("SIGTERM")

    def _leave(self) -> None:
        faulthandler.unregister(signal.SIGTERM)
        if signal.getsignal(signal.SIGTERM) == self._interrupt:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Guard:
    """The plug-in: stacks on SIGTERM in every process that runs tests, and the time limit of a test, when there is one."""

    def __init__(self, recorder: Recorder, seconds: Optional[float], config: pytest.Config) -> None:
        self._recorder = recorder
        self._stacks = Stacks(recorder.path("stacks", "txt"))
        self._seconds = seconds
        self._limit: Optional[TimeLimit] = None
        self._theirs = float(config.getini("faulthandler_timeout") or 0.0) > 0
        self._stacks.dump_on_sigterm()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Tests run in this process: an xdist controller never comes here."""
        if self._seconds is not None:
            self._limit = TimeLimit(self._seconds, self._stacks, self._expired, has_backup=not self._theirs)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """The time counts from here, set-up included."""
        if self._limit is not None:
            self._limit.starts(nodeid)

    def pytest_runtest_logfinish(self) -> None:
        """It is over."""
        if self._limit is not None:
            self._limit.ends()

    def pytest_sessionfinish(self) -> None:
        """No more tests."""
        if self._limit is not None:
            self._limit.close()

    def _expired(self, nodeid: str) -> None:
        self._recorder.hung(nodeid, self._seconds or 0.0)
        # In a thread of its own: what hangs may hold what saving needs.
        saving = threading.Thread(target=save_coverage, daemon=True)
        saving.start()
        saving.join(SAVING_SECONDS)


class TimeLimit:
    """One thread that watches the test which is running. Starting and ending a test costs it next to nothing.

    `on_expiry` gets the test's id, in the watching thread, before the process ends.
    """

    def __init__(
        self, seconds: float, stacks: Stacks, on_expiry: Callable[[str], None], *, has_backup: bool = True
    ) -> None:
        self._seconds = seconds
        self._stacks = stacks
        self._on_expiry = on_expiry
        self._current: Optional[Tuple[str, float]] = None
        # Held here, because freezegun replaces such functions in modules.
        self._clock = time.monotonic
        self._pause = threading.Event()
        self._thread: Optional[threading.Thread] = None
        # pytest's own faulthandler_timeout uses the one timer that there is.
        self._armed = float("-inf") if has_backup else float("inf")

    def starts(self, nodeid: str) -> None:
        """A test starts."""
        now = self._clock()
        self._current = (nodeid, now + self._seconds)
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="ci-kit time limit", daemon=True)
            self._thread.start()
        if now - self._armed > self._seconds / 2:
            # The thread needs the interpreter; where a test never lets go of it, this ends the process somewhat later.
            self._armed = now
            self._stacks.dump_later(1.5 * self._seconds + SAVING_SECONDS + 1)

    def ends(self) -> None:
        """It is over."""
        self._current = None

    def close(self) -> None:
        """No more tests."""
        self._current = None
        if self._armed not in (float("-inf"), float("inf")):
            faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        while True:
            current = self._current
            left = self._seconds if current is None else current[1] - self._clock()
            if current is None or left > 0:
                self._pause.wait(left)
            elif self._current is current:
                self._expire(current[0])

    def _expire(self, nodeid: str) -> None:
        self._stacks.dump()
        self._on_expiry(nodeid)
        os._exit(EXIT_CODE)

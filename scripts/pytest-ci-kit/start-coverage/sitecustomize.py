"""Every Python process of the tests is measured, however it ends. This folder is on PYTHONPATH while measured tests run.

Coverage.py brings a .pth file that starts it since 7.13; before, it is started here. Then this hands over to the
`sitecustomize` that it stands in front of, so that nobody loses theirs.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import signal
import sys
import threading
import time

TYPE_CHECKING = False  # the import of `typing` costs every process of the tests some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

WAKE_SECONDS = 0.05


def _start() -> None:
    try:
        import coverage  # noqa: PLC0415 - may be absent: this interpreter need not be the tests' own

        if coverage.Coverage.current() is None:
            coverage.process_startup()
        measuring = coverage.Coverage.current()
    except Exception:  # noqa: BLE001 - a coverage that cannot be used must not break an unrelated program
        return
    if measuring is not None:
        _save_as_a_whole(coverage.Coverage)
        _save_when_told_to_end(coverage.Coverage)
        _hold_back_sigterm_while_forking()
        _wake_who_was_told_to_end()
        # `patch = _exit` does the first since coverage 7.10. Its `execv` would change the environment that is handed over.
        for name in ("_exit", "execv", "execve") if coverage.version_info < (7, 10) else ("execv", "execve"):
            setattr(os, name, _after_saving(measuring, getattr(os, name)))


def _save_as_a_whole(kind: Any) -> None:
    """`multiprocessing.Pool` ends its workers by SIGTERM, often while they save: that must not leave half a file."""
    save = kind.save

    def save_as_a_whole(measuring: Any) -> None:
        before = signal.getsignal(signal.SIGTERM)
        # Only the main thread may set a handler, and a handler that Python did not set could not be put back.
        if before is None or threading.current_thread() is not threading.main_thread():
            save(measuring)
            return
        waiting = []
        signal.signal(signal.SIGTERM, lambda number, _frame: waiting.append(number))
        try:
            save(measuring)
        finally:
            signal.signal(signal.SIGTERM, before)
            if waiting:
                os.kill(os.getpid(), signal.SIGTERM)

    kind.save = save_as_a_whole


def _save_when_told_to_end(kind: Any) -> None:
    """SIGTERM saves what was measured, and then ends the process whatever became of that.

    Not by coverage's own `sigterm`: in a forked child it also runs the handler of the parent, whose measuring cannot be
    stopped there. The error stays in the code that the signal interrupted, a `Pool` worker takes it for its task's and
    waits for the next one, and the process that ended it waits for ever.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def save_and_end(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        measuring = kind.current()
        for step in () if measuring is None else (measuring.stop, measuring.save):
            with contextlib.suppress(Exception):
                step()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, save_and_end)
    if hasattr(signal, "SIGURG") and signal.getsignal(signal.SIGURG) is signal.SIG_DFL:
        signal.signal(signal.SIGURG, lambda _number, _frame: None)  # it only has to interrupt: see below


def _hold_back_sigterm_while_forking() -> None:
    """Python forgets a signal that it has a handler for when it arrives in a child that has only just been forked.

    Without coverage's handler such a child would simply have died, so a `Pool` that ends at once would now wait for ever.
    """
    masks = threading.local()

    def hold_back() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))

    def let_through() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=hold_back, after_in_parent=let_through, after_in_child=let_through)


def _wake_who_was_told_to_end() -> None:
    """`multiprocessing` wakes a process that it told to end, until it ends.

    A process that waits for a lock may miss the interruption: when the lock was just let go, and somebody else took it
    first, the C library begins to wait anew after the signal's handler was only noted, and Python never comes to run it.
    That is what the workers of a `Pool` do when it ends. SIGURG does nothing, by default and by the handler set above.
    """
    told: set[int] = set()
    wakers: list[Any] = []
    kill = os.kill

    def kill_and_note(pid: int, number: int) -> None:
        kill(pid, number)
        forking = sys.modules.get("multiprocessing.popen_fork")
        if number == signal.SIGTERM and forking is not None:  # never on Windows
            told.add(pid)
            if not wakers:
                forking.Popen.wait = waking(forking.Popen.wait)

    def waking(wait: Any) -> Any:
        def wait_and_wake(child: Any, timeout: float | None = None) -> int | None:
            code: int | None
            if child.returncode is not None or child.pid not in told:
                code = wait(child, timeout)
                return code
            end = None if timeout is None else time.monotonic() + timeout
            while True:
                left = WAKE_SECONDS if end is None else max(min(WAKE_SECONDS, end - time.monotonic()), 0)
                # A grandchild may hold what `wait` looks at, so the process itself is asked too.
                code = wait(child, left)
                code = child.poll() if code is None else code
                if code is not None or (end is not None and time.monotonic() >= end):
                    return code
                try:
                    kill(child.pid, signal.SIGURG)
                except ProcessLookupError:
                    return code

        wakers.append(wait_and_wake)
        return wait_and_wake

    os.kill = kill_and_note


def _after_saving(measuring: Any, leave: Callable[..., object]) -> Callable[..., None]:
    """What ends this program at once leaves no time to save, as a forked child's `os._exit` does."""

    def save_and_leave(*arguments: object) -> None:
        with contextlib.suppress(Exception):
            measuring.save()
        leave(*arguments)

    return save_and_leave


def _hand_over() -> None:
    # os.path, not pathlib: this runs at the start of every Python process.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    path = [entry for entry in sys.path if os.path.abspath(entry) != here]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("COVERAGE_PROCESS_START"):
    _start()
_hand_over()

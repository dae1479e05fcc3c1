"""Every Python process of the tests is measured, however it ends. This folder is on PYTHONPATH while measured tests run.

Coverage.py brings a .pth file that starts it since 7.13; before, it is started here. Then this hands over to the
`sitecustomize` that it stands in front of, so that nobody loses theirs.
"""

import contextlib
import importlib.machinery
import importlib.util
import os
import signal
import sys
import threading


def _start() -> None:
    try:
        import coverage  # noqa: PLC0415 - may be absent: this interpreter need not be the tests' own

        if coverage.Coverage.current() is None:
            coverage.process_startup()
        measuring = coverage.Coverage.current()
    except Exception:  # noqa: BLE001 - a coverage that cannot be used must not break an unrelated program
        return
    if measuring is not None:
        _save_as_a_whole(measuring)
        # `patch = _exit` does the first since coverage 7.10. Its `execv` would change the environment that is handed over.
        for name in ("_exit", "execv", "execve") if coverage.version_info < (7, 10) else ("execv", "execve"):
            setattr(os, name, _after_saving(measuring, getattr(os, name)))


def _save_as_a_whole(measuring) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - typing costs its import
    """`multiprocessing.Pool` ends its workers by SIGTERM, often while they save: that must not leave half a file."""
    save = measuring.save

    def save_as_a_whole() -> None:
        before = signal.getsignal(signal.SIGTERM)
        # Only the main thread may set a handler, and a handler that Python did not set could not be put back.
        if before is None or threading.current_thread() is not threading.main_thread():
            save()
            return
        waiting = []
        signal.signal(signal.SIGTERM, lambda number, _frame: waiting.append(number))
        try:
            save()
        finally:
            signal.signal(signal.SIGTERM, before)
            if waiting:
                os.kill(os.getpid(), signal.SIGTERM)

    measuring.save = save_as_a_whole


def _after_saving(measuring, leave) -> object:  # type: ignore[no-untyped-def]  # noqa: ANN001 - as above
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

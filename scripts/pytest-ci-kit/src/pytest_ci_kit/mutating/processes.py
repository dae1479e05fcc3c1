"""No process stays behind: children end with their parent, and orphans come to the process that can end them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Set

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    """Linux only; elsewhere, and where libc cannot be reached, process groups must do."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes  # noqa: PLC0415 - absent in some interpreters

            ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """What a child leaves running becomes this process's own child."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(parent: int, by: int = signal.SIGKILL) -> None:
    """Get a signal when the parent ends, however it ends. `parent` is its id, taken before the fork."""
    _prctl(_PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:
        os._exit(1)


def children() -> Set[int]:
    """The ids of this process's children, adopted ones included; empty where the system does not tell."""
    try:
        return {int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    except OSError:
        return set()


def end_all(keep: Set[int]) -> None:
    """Kill and reap every child that is not in `keep`, and what these leave behind in turn."""
    while True:
        found = children() - keep
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

"""Do something in a forked child that has a time limit, and hear what it says before it ends."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, NoReturn, Tuple, Union

from pytest_ci_kit.mutating.processes import children, end_all, end_with_parent

_BEAT_SECONDS = 0.05
LEAST_MEMORY = 2 << 30


class Voice:
    """How a child says something: lines of JSON in a pipe, so that what was said before a crash is heard."""

    def __init__(self, end: int) -> None:
        self.end = end

    def say(self, **words: object) -> None:
        """One line, whole."""
        data = (json.dumps(words) + "\n").encode()
        while data:
            data = data[os.write(self.end, data) :]


@dataclass(frozen=True)
class Ended:
    """`said` in its order. `timed_out`, or else how the process ended: its exit code, negative for a signal."""

    said: List[Dict[str, Any]]
    timed_out: bool
    code: int
    seconds: float


def run_forked(work: Callable[[Voice], None], *, cpu_seconds: float, wall_seconds: float, folder: Path) -> Ended:
    """`work` in a child with a temporary folder of its own below `folder`, in its own process group.

    The child ends when `work` does, without the clean-up of this process; what it leaves running is ended too.
    """
    found = fork(cpu_seconds=cpu_seconds, wall_seconds=wall_seconds, folder=folder)
    if isinstance(found, Voice):
        end_after(work, found)
    return found


def fork(*, cpu_seconds: float, wall_seconds: float, folder: Path) -> Union[Voice, Ended]:
    """In the child, which is as `run_forked` says, its voice. In this process what it said, when it has ended.

    The child must end through `end_after`.
    """
    before = children()
    reading, writing = os.pipe()
    here = tempfile.mkdtemp(dir=str(folder))
    started = time.monotonic()
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        os.close(reading)
        voice = Voice(writing)
        try:
            _be_a_child(parent, here, cpu_seconds)
        except BaseException as error:  # noqa: BLE001 - nothing may come back from here: this is a copy of the parent
            end_broken(voice, error)
        return voice
    os.close(writing)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    try:
        said, code, timed_out = _listen(pid, reading, started + wall_seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        end_all(before)
        shutil.rmtree(here, ignore_errors=True)
    timed_out = timed_out or code == -signal.SIGXCPU
    return Ended(said, timed_out, code, time.monotonic() - started)


def end_after(work: Callable[[Voice], None], voice: Voice) -> NoReturn:
    """Do the work of a child, and end it, whatever happens."""
    try:
        work(voice)
    except BaseException as error:  # noqa: BLE001 - as above
        end_broken(voice, error)
    os._exit(0)


def end_broken(voice: Voice, error: BaseException) -> NoReturn:
    """End a child in which something went wrong."""
    with contextlib.suppress(BaseException):
        voice.say(broken=f"{type(error).__name__}: {error}")
    os._exit(70)


def _be_a_child(parent: int, here: str, cpu_seconds: float) -> None:
    os.setpgid(0, 0)
    end_with_parent(parent)
    for number in (signal.SIGTERM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    _limit(cpu_seconds)
    tempfile.tempdir = None
    # The second is where pytest makes the folders of `tmp_path`.
    os.environ.update(TMPDIR=here, PYTEST_DEBUG_TEMPROOT=here)


def _limit(cpu_seconds: float) -> None:
    seconds = max(1, round(cpu_seconds + 0.5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _soft(resource.RLIMIT_CPU, seconds)
    if sys.platform.startswith("linux"):
        # A mutant that fills the memory gets a MemoryError instead of the machine's last page.
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        _soft(resource.RLIMIT_DATA, max(LEAST_MEMORY, physical // 3))


def _soft(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _listen(pid: int, reading: int, deadline: float) -> Tuple[List[Dict[str, Any]], int, bool]:
    """(what was said, exit code, whether the time was up)."""
    data = b""
    open_ = True
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return _lines(data), -signal.SIGKILL, True
        ready = select.select([reading], [], [], min(left, _BEAT_SECONDS))[0] if open_ else []
        if ready:
            chunk = os.read(reading, 65536)
            open_ = bool(chunk)
            data += chunk
            if chunk:
                continue
        # The pipe can stay open after the child: what it started may hold it.
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            while select.select([reading], [], [], 0)[0] and (chunk := os.read(reading, 65536)):
                data += chunk
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            return _lines(data), code, False
        if not open_:
            time.sleep(0.001)


def _lines(data: bytes) -> List[Dict[str, Any]]:
    said = []
    for line in data.split(b"\n")[:-1]:
        with contextlib.suppress(ValueError):
            said.append(json.loads(line))
    return said

"""Run act to its end, line by line, and leave nothing running: not after the time limit, not after Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import InfrastructureFailure

GRACE_SECONDS = 3.0


@dataclass(frozen=True)
class Ended:
    """How act ended."""

    code: int
    timed_out: bool
    seconds: float


def run_session(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    marker: str,
    limit_seconds: float,
    feed: Callable[[str], None],
) -> Ended:
    """Feed every line that act prints; at the end (whatever the end) kill all that carries `marker` in its environment.

    act puts each step into a session of its own, so its process group alone would not reach them.
    """
    started = time.monotonic()
    try:
        child = subprocess.Popen(
            list(argv), cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise InfrastructureFailure(f"cannot start act: {error.strerror}.", next_step="Install act again.") from error
    lines: queue.Queue[bytes | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(child, lines), daemon=True)
    reader.start()
    timed_out = ended = False
    try:
        while True:
            left = started + limit_seconds - time.monotonic()
            try:
                line = lines.get(timeout=max(0.0, min(left, 1.0)))
            except queue.Empty:
                if left <= 0:
                    timed_out = True
                    break
                continue
            if line is None:
                break
            feed(line.decode(errors="replace"))
        ended = not timed_out
    finally:
        _end(child, marker, by_itself=ended)
        reader.join(GRACE_SECONDS)
    while not timed_out and not lines.empty():
        rest = lines.get()
        if rest:
            feed(rest.decode(errors="replace"))
    return Ended(child.returncode, timed_out, time.monotonic() - started)


def _read(child: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in child.stdout or ():
            lines.put(line)
    if child.stdout:
        child.stdout.close()
    lines.put(None)


def _end(child: subprocess.Popen[bytes], marker: str, *, by_itself: bool) -> None:
    """`by_itself`: act has said all it had to say, and gets the time to leave."""
    # Taken before anything reaps the child: afterwards its number may be another process's.
    family = {pid: started(pid) for pid in descendants(child.pid)}
    if by_itself:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_SECONDS)
    kill(family | {pid: started(pid) for pid in marked(marker)})
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def kill(processes: Mapping[int, str]) -> None:
    """Kill the processes that still are the ones that started then, not a later one with a number of theirs."""
    for pid, then in processes.items():
        if started(pid) == then:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def started(pid: int) -> str:
    """When a process started, in the system's own count; empty where the system does not show it (Linux does)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    # The name, in parentheses, may hold anything; proc(5) counts the fields behind it.
    return stat.rpartition(")")[2].split()[19]


def descendants(root: int) -> set[int]:
    """The processes below `root` right now."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, timeout=20, check=False
    ).stdout
    children: dict[int, list[int]] = {}
    for row in listed.splitlines():
        pid, parent = (int(part) for part in row.split())
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    todo = [root]
    while todo:
        for pid in children.get(todo.pop(), []):
            if pid not in found:
                found.add(pid)
                todo.append(pid)
    return found


def marked(marker: str) -> set[int]:
    """The processes whose environment holds `marker`, where the system shows it (Linux)."""
    wanted, own = marker.encode(), os.getpid()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) != own:
                found.add(int(folder.name))
    return found

"""Run other programs: argument lists only, an explicit time limit, output shown as it comes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ci_kit.errors import CallerMistake, InfrastructureFailure

TAIL_BYTES = 200_000
GRACE_SECONDS = 5.0
STRAGGLER_SECONDS = 2.0


@dataclass(frozen=True)
class Completed:
    """A program that has ended. `output` is the tail of stdout and stderr together, at most `TAIL_BYTES`.

    `code` is negative for a signal, as in `subprocess`. With `timed_out` the program was stopped by the time limit.
    """

    argv: tuple[str, ...]
    code: int
    output: str
    seconds: float
    timed_out: bool = False


class Runner(Protocol):
    """How a room starts programs."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stream: bool = True,
        input_text: str | None = None,
    ) -> Completed:
        """Run to the end, whatever the exit code. `env` is the whole environment (None: this process's own)."""


class SubprocessRunner:
    """Real processes, each in a group of its own that is ended wholly at the time limit."""

    def __init__(self, log: IO[bytes] | None = None) -> None:
        self._log = log

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stream: bool = True,
        input_text: str | None = None,
    ) -> Completed:
        """Run to the end; raises `CallerMistake` when the program does not exist."""
        started = time.monotonic()
        try:
            child = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL if input_text is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            if cwd is not None and not cwd.is_dir():
                raise CallerMistake(f"there is no folder {cwd}.", next_step="Correct the path.") from error
            raise CallerMistake(
                f"cannot start {argv[0]}: {getattr(error, 'strerror', None) or error}.",
                next_step="Install it, or put it on PATH.",
            ) from error
        tail = _Tail(TAIL_BYTES)
        pump = threading.Thread(target=self._pump, args=(child, tail, stream), daemon=True)
        timed_out = False
        with _ends_with_its_caller(child):
            pump.start()
            if input_text is not None:
                # A child that does not read must not hold this thread, which keeps the time limit.
                threading.Thread(target=_feed, args=(child, input_text.encode()), daemon=True).start()
            try:
                child.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                timed_out = True
                end_group(child, GRACE_SECONDS)
            # What the child leaves running mostly ends at once, with last words or measurements of its own. A daemon
            # must not hold the step: what it does later is not waited for.
            deadline = time.monotonic() + STRAGGLER_SECONDS
            pump.join(STRAGGLER_SECONDS)
            while _has_group(child) and time.monotonic() < deadline:
                time.sleep(0.01)
        return Completed(tuple(argv), child.returncode, tail.text(), time.monotonic() - started, timed_out)

    def _pump(self, child: subprocess.Popen[bytes], tail: _Tail, stream: bool) -> None:
        log = self._log or sys.stdout.buffer
        with contextlib.suppress(ValueError, OSError):
            while chunk := child.stdout.read1(65536) if child.stdout else b"":  # type: ignore[attr-defined]
                tail.add(chunk)
                # A log that is closed must not stop the reading: the child would wait for ever.
                with contextlib.suppress(ValueError, OSError):
                    if stream:
                        log.write(chunk)
                        log.flush()
        if child.stdout:
            child.stdout.close()


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    if child.stdin is None:
        return
    with contextlib.suppress(ValueError, OSError):
        child.stdin.write(data)
    with contextlib.suppress(ValueError, OSError):
        child.stdin.close()


class _Tail:
    """The last bytes of a stream, in bounded memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._chunks: deque[bytes] = deque()

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        while self._size - len(self._chunks[0]) >= self._limit:
            self._size -= len(self._chunks.popleft())

    def text(self) -> str:
        return b"".join(self._chunks)[-self._limit :].decode(errors="replace")


@contextlib.contextmanager
def _ends_with_its_caller(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever interrupts the caller (a signal turned into an exception included) ends the child's group too."""
    try:
        yield
    except BaseException:
        end_group(child, GRACE_SECONDS)
        raise


def _has_group(child: subprocess.Popen[bytes]) -> bool:
    """Whether any process that the ended child started is still there."""
    try:
        os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(child: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """SIGTERM to the child's whole process group, SIGKILL after the grace; returns when the child is reaped."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace_seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def run_checked(
    runner: Runner,
    argv: Sequence[str],
    *,
    what: str,
    timeout_seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stream: bool = False,
) -> str:
    """Run and return the output; raises `InfrastructureFailure` naming `what` when it does not end with 0."""
    done = runner.run(argv, timeout_seconds=timeout_seconds, cwd=cwd, env=env, stream=stream)
    if done.code:
        why = f"took longer than {timeout_seconds:.0f} s" if done.timed_out else f"ended with exit code {done.code}"
        last = "\n".join(done.output.strip().splitlines()[-15:])
        raise InfrastructureFailure(
            f"{what} {why}: {' '.join(argv)}\n{last}\n", next_step="Its own output above says why."
        )
    return done.output

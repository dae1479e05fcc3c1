"""Any target, by the consumer's own programs. Each is a list: a program and its arguments; nothing is read by a shell.

Options: `identity` (its last line names what runs), `rollback`, and where they are needed `preflight`, `wait`, `verify`
and `weight`. They get `CI_KIT_IDENTITY` (the identity before the deployment), and `weight` gets `CI_KIT_WEIGHT`.
`state` names a file, or two programs: `{read: […], write: […]}`; `read` prints the document or nothing, `write` gets
the new one on standard input and, in `CI_KIT_STATE_BEFORE`, the SHA-256 of the one that it may replace (empty: none);
it ends with 9, having written nothing, when another is there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from ci_kit.process import Completed
from ci_kit.smoke_and_rollback.deployment_state import Snapshot, Standing
from ci_kit.smoke_and_rollback.file_store import FileStore
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World
from ci_kit.smoke_and_rollback.target_errors import NoCanary, RollbackError, TargetFailure
from ci_kit.smoke_and_rollback.target_state import Store, Stored, TargetState

CHANGED_CODE = 9
OWN = ("preflight", "identity", "rollback", "wait", "verify", "weight")


def build(options: Options, world: World) -> Strategy:
    """See the module."""
    options.only(*OWN, "state")
    programs = {key: options.texts(key, needed=key in {"identity", "rollback"}) for key in OWN}
    given = options.values.get("state")
    if isinstance(given, dict):
        inner = Options(given, {key: options.lines.get("state", 1) for key in given}, options.file)
        inner.only("read", "write")
        store: Store = ProgramStore(inner.texts("read", needed=True), inner.texts("write", needed=True), world)
    else:
        store = FileStore(Path(options.text("state")))
    return Command(programs, store, world)


class Command(Strategy):
    """Whether a rollback that was begun had an effect is not known of the consumer's programs: it is not made again."""

    repeatable = False

    def __init__(self, programs: dict[str, tuple[str, ...]], store: Store, world: World) -> None:
        self._programs = programs
        self._world = world
        self.state = TargetState(store, world.clock)

    @property
    def shares(self) -> bool:
        """The consumer has a program for it."""
        return bool(self._programs["weight"])

    def preflight(self) -> None:
        """The consumer's own check, and an identity."""
        self.snapshot()
        if self._programs["preflight"] and (done := self._run("preflight", {})).code:
            raise TargetFailure(_failed("preflight", done), next_step="Its output above says why.")

    def snapshot(self) -> Snapshot:
        """The last line that `identity` printed."""
        done = self._run("identity", {}, stream=False)
        lines = done.output.strip().splitlines()
        if done.code or not lines:
            raise TargetFailure(
                f"{_failed('identity', done)}: {' '.join(lines[-3:])[:600]}",
                next_step="It must print what runs, in one line, and end with 0.",
            )
        return Snapshot("command", lines[-1].strip(), lines[-1].strip())

    def standing(self, before: Snapshot, after: Snapshot | None) -> Standing:
        """By identity; never MIDWAY."""
        now = self.snapshot().identity
        if now == before.identity:
            return Standing.BEFORE
        return Standing.AFTER if after is None or now == after.identity else Standing.FOREIGN

    def rollback(self, before: Snapshot) -> None:
        """Run `rollback`, unless the identity is the one before."""
        if self.changed(before):
            self._must("rollback", before)

    def wait(self, deadline: float) -> None:
        """Run `wait`, at most until the deadline."""
        if self._programs["wait"]:
            left = max(1.0, deadline - self._world.clock.monotonic())
            done = self._run("wait", {}, seconds=left)
            if done.code:
                raise RollbackError(_failed("wait", done), next_step="Its output above says why.")

    def verify(self, before: Snapshot) -> None:
        """The identity is the one before, and `verify` agrees."""
        now = self.snapshot().identity
        if now != before.identity:
            raise RollbackError(f"{now} runs, not {before.identity}.", next_step=f"Put {before.identity} back by hand.")
        if self._programs["verify"]:
            self._must("verify", before)

    def weight(self, percent: int, before: Snapshot) -> None:
        """Run `weight`."""
        if not self._programs["weight"]:
            raise NoCanary("rollback.weight names no program.", next_step="Add it, or remove canary.steps.")
        done = self._run("weight", {"CI_KIT_IDENTITY": before.identity, "CI_KIT_WEIGHT": str(percent)})
        if done.code:
            raise TargetFailure(_failed("weight", done), next_step="Its output above says why.")

    def _must(self, key: str, before: Snapshot) -> None:
        done = self._run(key, {"CI_KIT_IDENTITY": before.identity})
        if done.code:
            raise RollbackError(
                _failed(key, done), next_step=f"Its output above says why; put {before.identity} back by hand."
            )

    def _run(self, key: str, more: dict[str, str], *, seconds: float | None = None, stream: bool = True) -> Completed:
        limit = self._world.timeout_seconds if seconds is None else seconds
        env = {**self._world.environ, **more}
        return self._world.runner.run(self._programs[key], timeout_seconds=limit, env=env, stream=stream)


class ProgramStore:
    """The state kept by two programs of the consumer."""

    where = "kept by rollback.state.read and write"

    def __init__(self, read: tuple[str, ...], write: tuple[str, ...], world: World) -> None:
        self._read = read
        self._write = write
        self._world = world

    def load(self) -> Stored:
        """What `read` prints."""
        done = self._world.runner.run(
            self._read, timeout_seconds=self._world.timeout_seconds, env=self._world.environ, stream=False
        )
        if done.code:
            raise TargetFailure(_failed("state.read", done), next_step="Run it by hand.")
        text = done.output.strip()
        return Stored(text or None, hashlib.sha256(text.encode()).hexdigest() if text else "")

    def save(self, text: str, version: str) -> bool:
        """What `write` says: 0, or 9 for a document that changed meanwhile."""
        done = self._world.runner.run(
            self._write, timeout_seconds=self._world.timeout_seconds, stream=False, input_text=text,
            env={**self._world.environ, "CI_KIT_STATE_BEFORE": version},
        )  # fmt: skip
        if done.code not in {0, CHANGED_CODE}:
            raise TargetFailure(_failed("state.write", done), next_step="Run it by hand.")
        return done.code == 0


def _failed(key: str, done: Completed) -> str:
    why = "took too long" if done.timed_out else f"ended with exit code {done.code}"
    return f"rollback.{key} {why}: {' '.join(done.argv)}"

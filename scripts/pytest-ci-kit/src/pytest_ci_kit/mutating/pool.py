"""The worker processes: one copy of the checkout each, one job at a time each, and an end for all of them."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Tuple, Type

from pytest_ci_kit.mutating.processes import adopt_orphans, end_all
from pytest_ci_kit.mutating.task import Task

_SPARE_SECONDS = 60.0  # beyond a job's own limits, before a worker counts as stuck


class Worker:
    """One process and its two pipes."""

    def __init__(self, task: Task, kind: str, number: int) -> None:
        slot = task["slots"][number]
        theirs, self._out = os.pipe()
        self.reading, answers = os.pipe()
        words = [sys.executable, "-m", "pytest_ci_kit.mutating", task["file"], kind, str(number), str(theirs)]
        with Path(task["folder"], f"{kind}-{number}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*words, str(answers), str(os.getpid())],
                cwd=slot["root"],
                env={**os.environ, "PYTHONPATH": slot["pythonpath"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs, answers),
            )
        os.close(theirs)
        os.close(answers)
        self._data = b""

    def ask(self, job: Dict[str, Any]) -> bool:
        """Send a job; False when the process has ended."""
        data = (json.dumps(job) + "\n").encode()
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except OSError:
            return False
        return True

    def heard(self) -> List[Dict[str, Any]]:
        """The answers that are whole by now; `{"stopped": …}` when the process has ended. Blocks while nothing comes."""
        chunk = os.read(self.reading, 1 << 20)
        if not chunk:
            return [{"stopped": "the worker ended"}]
        *lines, self._data = (self._data + chunk).split(b"\n")
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        """At once, with everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for end in (self._out, self.reading):
            with contextlib.suppress(OSError):
                os.close(end)


class Slot:
    """One place for one job at a time: a copy, and the workers that use it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.workers: Dict[str, Worker] = {}
        self.job: Optional[Dict[str, Any]] = None
        self.held: Optional[Dict[str, Any]] = None
        self.kind = ""
        self.until = 0.0


class Pool:
    """All slots. Leaving it ends all processes."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._all = [Slot(number) for number in range(len(task["slots"]))]
        self.slots = self._all

    def __enter__(self) -> Pool:  # noqa: PYI034 - Python 3.9 has no `Self`
        adopt_orphans()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        for slot in self._all:
            self._end(slot)
        end_all(set())

    def only(self, count: int) -> Slot:
        """Use only the first slots from here on; answers the first."""
        for slot in self.slots[count:]:
            self._end(slot)
        self.slots = self._all[:count]
        return self.slots[0]

    def restore(self) -> None:
        """Use all slots again."""
        self.slots = self._all

    def give(self, slot: Slot, kind: str, job: Dict[str, Any]) -> None:
        """Send a job to an idle slot; a worker that has ended is noticed when its answer is awaited."""
        slot.job, slot.kind, slot.held = job, kind, None
        slot.until = time.monotonic() + 2 * job["wall"] + self._task["start-limit"] + _SPARE_SECONDS
        if kind not in slot.workers:
            slot.workers[kind] = Worker(self._task, kind, slot.number)
        slot.workers[kind].ask(job)

    def answers(self, deadline: float) -> List[Tuple[Slot, Dict[str, Any]]]:
        """What the next ready workers say; nothing when the deadline comes first."""
        with selectors.DefaultSelector() as selector:
            busy = [slot for slot in self.slots if slot.job is not None]
            for slot in busy:
                selector.register(slot.workers[slot.kind].reading, selectors.EVENT_READ, slot)
            now = time.monotonic()
            until = min([deadline, *(slot.until for slot in busy)])
            ready = [key.data for key, _ in selector.select(max(0.0, until - now))]
        found = []
        for slot in ready:
            said = [words for words in slot.workers[slot.kind].heard() if "ready" not in words][:1]
            if said and "stopped" in said[0]:
                self._end(slot, slot.kind)
            found += [(slot, words) for words in said]
        for slot in busy:
            if slot not in ready and time.monotonic() > slot.until:
                self._end(slot, slot.kind)
                found.append((slot, {"stopped": "the worker was stuck"}))
        return found

    def one_does(self, slot: Slot, kind: str, job: Dict[str, Any]) -> Dict[str, Any]:
        """The answer to one job, awaited."""
        return self._await([slot], kind, job)[0]

    def all_do(self, kind: str, job: Dict[str, Any]) -> List[Dict[str, Any]]:
        """The answers of all slots to the same job, at the same time."""
        return self._await(self.slots, kind, job)

    def _await(self, slots: List[Slot], kind: str, job: Dict[str, Any]) -> List[Dict[str, Any]]:
        for slot in slots:
            self.give(slot, kind, job)
        found: Dict[int, Dict[str, Any]] = {}
        others = self.slots
        self.slots = slots
        try:
            while len(found) < len(slots):
                for slot, said in self.answers(float("inf")):
                    slot.job = None
                    found[slot.number] = said
        finally:
            self.slots = others
        return [found[slot.number] for slot in slots]

    def _end(self, slot: Slot, kind: str = "") -> None:
        for name in [kind] if kind else list(slot.workers):
            slot.workers.pop(name).end()

"""How a worker talks with the supervisor, and what it answers."""

from __future__ import annotations

import json
import os
from typing import IO, Any, Dict, Optional

from pytest_ci_kit.mutating.forking import Ended

_OK_CODES = (0,)
_NO_TESTS = 5


class Line:
    """The two pipes to the supervisor."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading: IO[str] = os.fdopen(reading, encoding="utf-8")
        self._writing: IO[str] = os.fdopen(writing, "w", encoding="utf-8")

    def next(self) -> Optional[Dict[str, Any]]:
        """The next job; None when there are no more."""
        line = self._reading.readline()
        job: Optional[Dict[str, Any]] = json.loads(line) if line else None
        return job

    def answer(self, **words: object) -> None:
        """One line."""
        self._writing.write(json.dumps(words) + "\n")
        self._writing.flush()


def answer(job: Dict[str, Any], ended: Ended, seconds: float) -> Dict[str, Any]:
    """What became of a job: `unfit`, or `status` with the number of tests that ran and the failure."""
    said: Dict[str, Any] = {}
    ran = []
    for words in ended.said:
        ran += [words["runs"]] if "runs" in words else []
        said.update(words)
    found = {"id": job["id"], "seconds": seconds, "ran": ran, "killer": said.get("failed"), "why": said.get("why", "")}
    if "unfit" in said:
        return {"id": job["id"], "unfit": said["unfit"]}
    if found["killer"] is not None:
        return {**found, "status": "failed"}
    if ended.timed_out:
        return {**found, "status": "timeout"}
    if "broken" in said:
        return {**found, "status": "failed", "why": said["broken"]}
    if said.get("done") or said.get("code") in _OK_CODES:
        return {**found, "status": "passed"}
    if said.get("code") == _NO_TESTS:
        return {**found, "status": "no-tests", "why": "no test was collected"}
    if "code" in said:
        return {**found, "status": "failed", "why": f"pytest ended with exit code {said['code']}"}
    return {**found, "status": "crashed", "why": f"the process ended with {ended.code}"}

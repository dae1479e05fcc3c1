"""`python -m pytest_ci_kit.mutating TASK.json cover|judge`; the other words are this package's own."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import FrameType
from typing import List, Optional

from pytest_ci_kit.mutating.processes import end_with_parent
from pytest_ci_kit.mutating.task import Task, read_task


def main(words: List[str]) -> None:
    """Do what the second word says."""
    task = read_task(words[0])
    if words[1] in ("cover", "judge"):
        signal.signal(signal.SIGTERM, _interrupt)
        # Not at once: what tests started must be ended too.
        end_with_parent(os.getppid(), signal.SIGTERM)
    if words[1] == "cover":
        from pytest_ci_kit.mutating.cover import run  # noqa: PLC0415 - needs coverage, which workers do not

        run(_in_slot(task, 0))
    elif words[1] == "judge":
        from pytest_ci_kit.mutating.supervise import Supervisor  # noqa: PLC0415 - starts no pytest

        Supervisor(task).run()
    elif words[1] == "one":
        from pytest_ci_kit.mutating.forking import Voice  # noqa: PLC0415 - POSIX only
        from pytest_ci_kit.mutating.fresh import run_one  # noqa: PLC0415 - as above

        job = json.loads(words[3])
        run_one(_in_slot(task, job["slot"]), job, Voice(int(words[2])))
    else:
        from pytest_ci_kit.mutating.worker import work  # noqa: PLC0415 - as above

        work(words[1], _in_slot(task, int(words[2])), int(words[3]), int(words[4]), int(words[5]))


def _in_slot(task: Task, number: int) -> Task:
    return {**task, **task["slots"][number], "slot": number}


def _interrupt(_number: int, _frame: Optional[FrameType]) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main(sys.argv[1:])

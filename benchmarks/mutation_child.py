"""Make mutants and judge them, in an interpreter with the room's requirements: `python mutation_child.py TASK.json`.

A task has `project`, `python`, `arguments`, `targets`, `state`, `answer`, and may have `lines` (path → line numbers),
`sample` (how many mutants, drawn with a fixed seed), `own` (false: only mutmut's operators) and `cache`. The answer has
`mutants` with their texts and verdicts, `wall`, and what the run says of itself.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from ci_kit.clock import SystemClock
from ci_kit.github import Event, Workflow
from ci_kit.process import SubprocessRunner
from ci_kit.selective_mutation.budget import Limits
from ci_kit.selective_mutation.generate import generate
from ci_kit.selective_mutation.running import run_mutants
from ci_kit.selective_mutation.suite import Suite
from ci_kit.tools import Tools

SEED = 5


def main(file: str) -> None:
    """Do the task."""
    task = json.loads(Path(file).read_text(encoding="utf-8"))
    project = Path(task["project"])
    sources = {}
    for path in task["targets"]:
        with (project / path).open(encoding="utf-8", newline="") as text:
            sources[path] = text.read()
    lines = task.get("lines")
    wanted = None if lines is None else {path: frozenset(lines.get(path, ())) for path in sources}
    kept = Path(task["state"]) / "mutants.json" if task.get("cache") else None
    mutants = list(generate(sources, wanted, per_line=None, kept=kept).mutants)
    if not task.get("own", True):
        mutants = [mutant for mutant in mutants if not mutant.operator.startswith("ci-kit:")]
    if task.get("sample") and task["sample"] < len(mutants):
        chosen = sorted(random.Random(SEED).sample(range(len(mutants)), task["sample"]))  # noqa: S311 - no secret
        mutants = [mutants[number] for number in chosen]
    environ = dict(os.environ)
    tools = Tools(environ, Event.from_environ({}), Workflow({}), SubprocessRunner(), SystemClock())
    suite = Suite(project, Path(task["python"]), tuple(task["arguments"]), environ=environ)
    cache = Path(task["cache"]) if task.get("cache") else None
    started = time.perf_counter()
    limits = Limits(budget_seconds=3000.0)
    run = run_mutants(mutants, suite, limits, tools, state=Path(task["state"]), cache_file=cache)
    took = time.perf_counter() - started
    about = {name: value for name, value in asdict(run).items() if name != "verdicts"}
    found = [
        {
            "path": mutant.path,
            "function": mutant.function,
            "line": mutant.first_line,
            "operator": mutant.operator,
            "before": mutant.before,
            "after": mutant.after,
            "start": mutant.start,
            **asdict(verdict),
        }
        for mutant, verdict in zip(mutants, run.verdicts, strict=True)
    ]
    Path(task["answer"]).write_text(json.dumps({"mutants": found, "wall": took, **about}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

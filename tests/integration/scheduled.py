"""pytest with the kit's plug-in on real xdist workers, without the rest of the kit."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration.consumer import KIT

PLUGIN = KIT / "scripts" / "pytest-ci-kit" / "src"


@dataclass
class Run:
    """What came out: for every test its final outcomes, in the order of each worker."""

    code: int
    output: str
    outcomes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    workers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    collect_errors: list[str] = field(default_factory=list)
    schedule: dict[str, Any] | None = None

    def worker_of(self, ending: str) -> str:
        (found,) = {worker for worker, names in self.workers.items() if any(name.endswith(ending) for name in names)}
        return found


@dataclass(frozen=True)
class Suite:
    """Files in `root`, which `run` runs."""

    root: Path
    python: Path

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def run(self, *options: str, workers: int = 2, timeout_seconds: float = 120, **task: object) -> Run:
        record = self.root / ".record"
        record.mkdir()
        log = record / "log.jsonl"
        data = {"root": str(self.root), "record": str(record), "mine": [], "others": [], "owns-unplanned": True, **task}
        (record / "task.json").write_text(json.dumps(data))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
        done = subprocess.run(
            [
                self.python, "-m", "pytest", "-p", "pytest_ci_kit", f"--ci-kit-task={record / 'task.json'}", "-n", str(workers),
                "--dist=loadscope", f"--report-log={log}", "-p", "no:cacheprovider", *options,
            ],
            cwd=self.root, env={**environ, "PYTHONPATH": str(PLUGIN), "PYTHONDONTWRITEBYTECODE": "1"}, timeout=timeout_seconds,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        ran = Run(done.returncode, done.stdout)
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
            self._note(json.loads(line), ran)
        written = record / "schedule.json"
        ran.schedule = json.loads(written.read_text()) if written.exists() else None
        return ran

    def _note(self, entry: dict[str, Any], ran: Run) -> None:
        kind = entry.get("$report_type")
        if kind == "CollectReport" and entry["outcome"] == "failed":
            ran.collect_errors.append(str(entry["longrepr"]))
        elif kind == "TestReport" and entry.get("when") in ("call", "???"):
            ran.outcomes[entry["nodeid"]].append(entry["outcome"])
            ran.workers[entry.get("worker_id", "dead")].append(entry["nodeid"])

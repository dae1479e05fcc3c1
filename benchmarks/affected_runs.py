"""Run a project's whole suite, plain or with the recorder, and compare what fails with what was selected."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.affected import Affected, Tree, decide
from ci_kit.affected_build import build_map
from ci_kit.affected_map import AffectedMap
from ci_kit.affected_tree import read_tree
from ci_kit.process import SubprocessRunner
from ci_kit.pytest_config import read_pytest_config

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "scripts" / "pytest-ci-kit" / "src"
OWN = ("-p", "no:cacheprovider", "-q", "--tb=no", "-o", "addopts=")


@dataclass(frozen=True)
class Suite:
    """One run: each test's outcome (`passed` only when all its phases passed), files that could not be collected, time."""

    outcomes: Mapping[str, str]
    broken_files: frozenset[str]
    seconds: float

    @property
    def failed(self) -> frozenset[str]:
        """Tests of which a phase failed."""
        return frozenset(test for test, outcome in self.outcomes.items() if outcome == "failed")


def run_suite(
    root: Path, python: Path, folder: Path, *, limit: float, task: Path | None = None, coverage: bool = False
) -> Suite | None:
    """The whole suite in `root`; None when it did not end within `limit` seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "report.jsonl"
    log.unlink(missing_ok=True)
    words = [f"--report-log={log}", "-p", "pytest_reportlog", *OWN]
    words += ["-p", "pytest_ci_kit", f"--ci-kit-task={task}"] if task else []
    measure = ["-m", "coverage", "run", "--branch", f"--data-file={folder / 'coverage'}", f"--source={root}"]
    path = os.pathsep.join(map(str, (root / "src", root, PLUGIN)))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    started = time.perf_counter()
    try:
        subprocess.run(
            [str(python), *(measure if coverage else []), "-m", "pytest", *words],
            cwd=root, env={**env, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return _read(log, time.perf_counter() - started)


def _read(log: Path, seconds: float) -> Suite:
    outcomes: dict[str, str] = {}
    broken = set()
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []:
        data = json.loads(line)
        if data["$report_type"] == "TestReport":
            if data["outcome"] == "failed" or outcomes.get(data["nodeid"]) != "failed":
                outcomes[data["nodeid"]] = data["outcome"]
        elif data["$report_type"] == "CollectReport" and data["outcome"] == "failed":
            broken.add(data["nodeid"])
    return Suite(outcomes, frozenset(broken), seconds)


def record(root: Path, python: Path, folder: Path, *, limit: float) -> tuple[AffectedMap, Suite]:
    """Run with the recorder and make the map, as shards of a default branch and the gate do."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "record").mkdir(parents=True)
    task = folder / "task.json"
    keys = {"root": str(root), "record": str(folder / "record"), "mine": [], "others": [], "owns-unplanned": True}
    task.write_text(json.dumps({**keys, "record-map": True}), encoding="utf-8")
    suite = run_suite(root, python, folder, limit=limit, task=task)
    processes = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "record").glob("footprints-*.json")]
    if suite is None or not processes:
        raise RuntimeError(f"the suite of {root.name} could not be recorded")
    if not suite.outcomes:
        raise RuntimeError(
            f"the suite of {root.name} ran no test; these files cannot be collected: {suite.broken_files}"
        )
    tree = tree_of(root)
    shard = {"tier": "tests", "processes": processes}
    return build_map([shard], commit="", digests=tree.digests, source_of=tree.source_of), suite


def tree_of(root: Path) -> Tree:
    """The checkout as the plan job sees it."""
    digests = read_tree(root, SubprocessRunner())
    patterns = read_pytest_config(root).python_files
    tests = frozenset(file for file in digests if any(Path(file).match(pattern) for pattern in patterns))
    return Tree(digests, lambda file: (root / file).read_text(encoding="utf-8", errors="replace"), tests)


def affected(root: Path, known: AffectedMap) -> Affected:
    """What the tree at `root` affects."""
    return decide(known, "", tree_of(root), ["tests"])["tests"]

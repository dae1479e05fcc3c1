"""Record the map of affected tests of a project, change the project, and ask which tests the change affects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ci_kit.affected import Affected, Tree, decide
from ci_kit.affected_build import build_map
from ci_kit.affected_map import AffectedMap
from ci_kit.affected_tree import read_tree
from ci_kit.process import SubprocessRunner

KIT = Path(__file__).resolve().parents[2]
PLUGIN = KIT / "scripts" / "pytest-ci-kit" / "src"
OWN = ("-p", "no:cacheprovider", "-p", "no:randomly")
LIMIT_SECONDS = 300


def pytest_in(root: Path, *words: str, python: Path | str = sys.executable) -> subprocess.CompletedProcess[str]:
    """pytest with the plug-in in the project at `root`, whose `src` and itself are importable."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV", "CI_KIT_"))}
    path = os.pathsep.join(map(str, (root / "src", root, PLUGIN)))
    return subprocess.run(
        [str(python), "-m", "pytest", "-p", "pytest_ci_kit", *OWN, *words],
        cwd=root, env={**env, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True,
        timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """A project and its map."""

    root: Path
    known: AffectedMap

    def affected(self) -> Affected:
        """What the project as it is now affects."""
        return decide(self.known, "", tree_of(self.root), ["tests"])["tests"]


def tree_of(root: Path) -> Tree:
    digests = read_tree(root, SubprocessRunner())
    tests = frozenset(name for name in digests if Path(name).name.startswith("test_"))
    return Tree(digests, lambda file: (root / file).read_text(encoding="utf-8"), tests)


def record(root: Path, folder: Path, *words: str, python: Path | str = sys.executable) -> Recorded:
    """Run the whole suite with the recorder; every test must pass."""
    (folder / "record").mkdir(parents=True)
    task = folder / "task.json"
    keys = {"root": str(root), "record": str(folder / "record"), "mine": [], "others": [], "owns-unplanned": True}
    task.write_text(json.dumps({**keys, "record-map": True}))
    done = pytest_in(root, f"--ci-kit-task={task}", "-q", *words, python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    processes = [json.loads(path.read_text()) for path in sorted((folder / "record").glob("footprints-*.json"))]
    tree = tree_of(root)
    shards = [{"tier": "tests", "processes": [process]} for process in processes]
    return Recorded(root, build_map(shards, commit="c" * 40, digests=tree.digests, source_of=tree.source_of))

"""Projects that nobody here wrote: measured in shards, on several Pythons, they have the coverage of one plain run each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.consumer import KIT, UV, Consumer, Environment, require_python
from integration.coverage_shop import Shop, facts, write

# Newest first. Python 3.10 stops at an older coverage than the others.
PYTHONS = ("3.13", "3.12", "3.11", "3.10")
SHARDS = (8, 2, 1)
RELEASES = 2


@dataclass(frozen=True)
class Project:
    """`more` are files that its authors keep elsewhere (in tox) or that switch branches on."""

    name: str
    branch: bool
    more: Mapping[str, str]


PROJECTS = [
    Project("cachetools", True, {".coveragerc": "[run]\nbranch = true\nsource = src\n", "pytest.ini": "[pytest]\npythonpath = src\ntestpaths = tests\n"}),
    # With lines alone, which Python 3.12 and newer measure by sys.monitoring; one test ends a `Pool` at once.
    Project("toolz", False, {}),
]  # fmt: skip


def command(*words: str | Path, cwd: Path) -> None:
    done = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    wanted = KIT / "tests" / "integration" / "real_projects.txt"
    options = ("--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", wanted, "-d", folder)
    command(UV, "tool", "run", "--python", sys.executable, "pip", "download", *options, cwd=folder)
    return folder


class Runs:
    """One project, measured on each Python as it is asked for: once plainly and once in every number of shards."""

    def __init__(self, project: Project, sources: Path, folder: Path) -> None:
        self.project, self.shop = project, Shop(folder, {})
        unpack(sources, project, self.shop.here)
        self._pythons: dict[str, Path] = {}

    def python(self, version: str) -> Path:
        """An environment for the project's tests; skips where there is no such Python."""
        path = require_python(version)
        if version not in self._pythons:
            made = Environment.make(self.shop.folder / f"venv-{version}", ("pytest", "coverage"), path)
            self._pythons[version] = made.python
        return self._pythons[version]

    def measure(self, version: str) -> None:
        """Each number of shards leaves its results in a folder of its own, the plain run a data file beside them."""
        python, folder = self.python(version), self.shop.folder / version
        if folder.exists():
            return
        folder.mkdir()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda count: self._shards(version, count), SHARDS))
        plain = ("coverage", "run", f"--data-file={folder / 'plain'}", "-m", "pytest", "-q", "-p", "no:cacheprovider")
        command(python, "-m", *plain, cwd=self.shop.here)

    def _shards(self, version: str, count: int) -> None:
        temp = self.shop.folder / version / str(count)
        temp.mkdir()
        here = Consumer(self.shop.here, temp, self._pythons[version])
        for index in range(1, count + 1):
            ran = here.run("--shard", f"{index}/{count}", "--workers", "1", "--reruns", "0")
            assert ran.code == 0, ran.log
            assert ran.manifest["core"] == ("sysmon" if version >= "3.12" and not self.project.branch else "ctrace")

    def releases(self) -> set[str]:
        """The releases of coverage that measured."""
        manifests = self.shop.folder.glob("*/*/ci-kit/results/*/coverage/manifest.json")
        return {json.loads(path.read_text())["coverage-version"] for path in manifests}


@pytest.fixture(scope="module", params=PROJECTS, ids=lambda project: project.name)
def runs(request: pytest.FixtureRequest, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(request.param, sources, tmp_path_factory.mktemp(request.param.name))


@pytest.mark.parametrize("version", PYTHONS)
def test_every_number_of_shards_equals_a_plain_run_line_by_line_and_branch_by_branch(runs: Runs, version: str) -> None:
    runs.measure(version)
    expected = plain(runs.shop, [version])
    assert bool(sum(len(file["executed_branches"] or ()) for file in expected.values())) == runs.project.branch
    for count in SHARDS:
        assert combined(runs.shop, [version], count) == expected, count


@pytest.mark.parametrize("count", SHARDS)
def test_all_pythons_together_equal_their_plain_runs(runs: Runs, count: int) -> None:
    for version in PYTHONS:
        runs.measure(version)
    assert combined(runs.shop, PYTHONS, count) == plain(runs.shop, PYTHONS)
    assert len(runs.releases()) == RELEASES


def unpack(sources: Path, project: Project, here: Path) -> None:
    with tarfile.open(next(sources.glob(f"{project.name}-*.tar.gz"))) as tar:
        tar.extractall(here.parent / "unpacked", filter="data")
    next((here.parent / "unpacked").iterdir()).rename(here)
    write(here, project.more)


def combined(shop: Shop, versions: Sequence[str], count: int) -> dict[str, Any]:
    """What the kit says of these Pythons' legs."""
    data = shop.folder / f"legs-{'-'.join(versions)}-{count}"
    for version in versions:
        shutil.copytree(shop.folder / version / str(count) / "ci-kit" / "results", data, dirs_exist_ok=True)
    ran = shop.combine("--data", str(data), "--total", "50", "--html", "false", GITHUB_SHA="")
    assert ran.code == 0, ran.log
    assert len(ran.report["legs"]) == count * len(versions)
    return facts(json.loads((ran.temp / "coverage" / "coverage.json").read_text()))


def plain(shop: Shop, versions: Sequence[str]) -> dict[str, Any]:
    """What coverage's own command line says of their unsharded runs, read by the same Python and release."""
    target = shop.folder / "plain.data"
    files = [shop.folder / version / "plain" for version in versions]
    command(sys.executable, "-m", "coverage", "combine", "--keep", f"--data-file={target}", *files, cwd=shop.here)
    command(sys.executable, "-m", "coverage", "json", f"--data-file={target}", "-o", f"{target}.json", cwd=shop.here)
    return facts(json.loads(Path(f"{target}.json").read_text()))

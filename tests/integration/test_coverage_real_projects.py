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
from integration.consumer import KIT, UV, Consumer, Environment, find_python
from integration.coverage_shop import Shop, facts, write

# Newest first, with the number of shards that each has. Python 3.10 stops at an older coverage than the others.
SHARDS = {"3.13": 8, "3.12": 2, "3.11": 1, "3.10": 2}


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


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Environment]:
    folder = tmp_path_factory.mktemp("environments")
    pythons = {version: path for version in SHARDS if (path := find_python(version))}
    return {
        version: Environment.make(folder / version, ("pytest", "coverage"), path) for version, path in pythons.items()
    }


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_shards_and_pythons_equal_plain_runs_line_by_line_and_branch_by_branch(
    project: Project, sources: Path, environments: Mapping[str, Environment], tmp_path: Path
) -> None:
    shop = Shop(tmp_path, {})
    unpack(sources, project, shop.here)

    def measure(version: str) -> None:
        temp = tmp_path / version
        temp.mkdir()
        here = Consumer(shop.here, temp, environments[version].python)
        for index in range(1, SHARDS[version] + 1):
            ran = here.run("--shard", f"{index}/{SHARDS[version]}", "--workers", "1", "--reruns", "0")
            assert ran.code == 0, ran.log
            assert ran.manifest["core"] == ("sysmon" if version >= "3.12" and not project.branch else "ctrace")
        words = (
            "-m",
            "coverage",
            "run",
            f"--data-file={temp / 'plain'}",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
        )
        command(here.python, *words, cwd=shop.here)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(measure, environments))
    versions = [(version,) for version in environments]
    for chosen in [*versions, tuple(environments)]:
        found = combined(shop, chosen)
        assert found == plain(shop, chosen), chosen
        assert bool(sum(len(file["executed_branches"] or ()) for file in found.values())) == project.branch
    releases = {json.loads(path.read_text())["coverage-version"] for path in tmp_path.glob("*/ci-kit/results/*/coverage/manifest.json")}  # fmt: skip
    assert len(releases) == (2 if "3.10" in environments else 1)


def unpack(sources: Path, project: Project, here: Path) -> None:
    with tarfile.open(next(sources.glob(f"{project.name}-*.tar.gz"))) as tar:
        tar.extractall(here.parent / "unpacked", filter="data")
    next((here.parent / "unpacked").iterdir()).rename(here)
    write(here, project.more)


def combined(shop: Shop, versions: Sequence[str]) -> dict[str, Any]:
    """What the kit says of these Pythons' legs."""
    data = shop.folder / f"legs-{'-'.join(versions)}"
    for version in versions:
        shutil.copytree(shop.folder / version / "ci-kit" / "results", data, dirs_exist_ok=True)
    ran = shop.combine("--data", str(data), "--total", "50", "--html", "false", GITHUB_SHA="")
    assert ran.code == 0, ran.log
    assert len(ran.report["legs"]) == sum(SHARDS[version] for version in versions)
    return facts(json.loads((ran.temp / "coverage" / "coverage.json").read_text()))


def plain(shop: Shop, versions: Sequence[str]) -> dict[str, Any]:
    """What coverage's own command line says of their unsharded runs, read by the same Python and release."""
    target = shop.folder / "plain.data"
    files = [shop.folder / version / "plain" for version in versions]
    command(sys.executable, "-m", "coverage", "combine", "--keep", f"--data-file={target}", *files, cwd=shop.here)
    command(sys.executable, "-m", "coverage", "json", f"--data-file={target}", "-o", f"{target}.json", cwd=shop.here)
    return facts(json.loads(Path(f"{target}.json").read_text()))

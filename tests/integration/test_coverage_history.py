"""From a run of the default branch through the history to a pull request, which runs on fewer Pythons."""

from __future__ import annotations

import json
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ci_kit.history import History, write_history
from ci_kit.pipeline.remember_coverage import remember_coverage
from integration.coverage_shop import SOURCES, Ran, Shop, facts
from integration.git_kit import Repository

NEW = f"{sys.version_info.major}.{sys.version_info.minor}"
OLD = "3.9"
CONFIG = (
    f'python: ["{OLD}", "{NEW}"]\ntiers: [{{name: unit, paths: [tests]}}]\ncoverage: {{total: 0, regression: forbid}}\n'
)
PRICE = textwrap.dedent(SOURCES["src/shop/price.py"])


Leg = tuple[int, int, str, str]
ON_NEW: tuple[Leg, ...] = ((1, 2, NEW, "tests/test_price.py"), (2, 2, NEW, "tests/test_discount.py"))
ON_OLD: Leg = (1, 1, OLD, "tests/test_shelf.py")


class Project:
    """The shop in git; the shelf's tests run on the old Python alone, the others on the new one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        Shop(folder / "first")
        self.repository = Repository(folder / "first" / "work")
        self.repository.commit({".github/ci-kit.yml": CONFIG, "notes.txt": "first\n", ".gitignore": "__pycache__/\n"})

    def run(self, name: str, *legs: Leg, **environ: str) -> Ran:
        """Measure the legs at the commit that is checked out, and combine them."""
        shop = Shop(self.folder / name, {})
        head = self.repository.git("rev-parse", "HEAD")
        shop.here = self.repository.root
        for index, count, python, test in legs:
            shop.measure(index, count=count, commit=head, python=python, tests=[test])
        usual = {"GITHUB_SHA": head, "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/heads/main"}
        return shop.combine(**usual | environ)


PULL_REQUEST = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/1/merge"}


def history_of(folder: Path, report: dict[str, Any]) -> str:
    jobs = {"plan": "success", "test": "success"}
    history, said = remember_coverage(History(), report, jobs, datetime.now(UTC), partial=False)
    assert said == "The coverage of this commit is kept."
    return str(write_history(folder / "kept", history))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def first(project: Project) -> Ran:
    return project.run("first", *ON_NEW, ON_OLD)


def test_the_default_branch_also_tells_what_a_pull_request_would_cover(first: Ran, project: Project) -> None:
    assert first.code == 0, first.log
    assert "no earlier run has left a record of its coverage: this is the first one" in first.log + first.summary
    narrow = first.report["as-pull-request"]
    assert narrow["legs"] == [f"unit · Python {NEW}"]
    alone = project.run("alone", *ON_NEW)
    assert alone.report["as-pull-request"] is None
    assert narrow["files"] == alone.report["files"]
    assert narrow["files"] != first.report["files"]


def test_a_pull_request_is_held_against_what_its_own_tests_cover(first: Ran, project: Project, tmp_path: Path) -> None:
    history = history_of(tmp_path, first.report)
    before = project.repository.git("rev-parse", "HEAD")
    project.repository.git("checkout", "-q", "-b", "work")
    try:
        # A comment on top moves every line; the test of a discount is gone.
        project.repository.commit({"src/shop/price.py": f"# Prices.\n{PRICE}", "tests/test_discount.py": "def test_nothing():\n    pass\n"})  # fmt: skip
        worse = project.run("worse", *ON_NEW, CI_KIT_HISTORY=history, **PULL_REQUEST)
        project.repository.commit({"tests/test_discount.py": textwrap.dedent(SOURCES["tests/test_discount.py"])})
        better = project.run("better", *ON_NEW, CI_KIT_HISTORY=history, **PULL_REQUEST)
    finally:
        project.repository.git("checkout", "-q", "main")
    assert better.code == 0, better.log
    assert better.report["regression"]["commit"] == before
    assert better.report["regression"]["distance"] == 2
    assert better.report["untouched"] == {"lost": 0, "gained": 0, "files": [], "recounted": []}
    assert worse.code == 1, worse.log
    step = worse.report["regression"]
    assert (step["commit"], step["distance"], step["passed"], step["short-by"]) == (before, 1, False, 2)
    assert step["lost"] == [{"path": "src/shop/price.py", "more-uncovered": 2}]
    [shift] = worse.report["untouched"]["files"]
    assert shift["path"] == "src/shop/price.py"
    assert PRICE.splitlines()[7] == "        result -= discount"
    assert shift["lost-lines"] == ["9"]
    assert shift["lost-branches"] == [[8, 9]]
    now = facts(json.loads((worse.temp / "coverage" / "coverage.json").read_text()))["src/shop/price.py"]
    assert 9 in now["missing_lines"]
    assert [8, 9] in now["missing_branches"]


def test_a_run_of_fewer_tests_still_is_not_compared(first: Ran, project: Project, tmp_path: Path) -> None:
    history = history_of(tmp_path, first.report)
    project.repository.commit({"notes.txt": "second\n"})
    old_alone = project.run("old", ON_OLD, CI_KIT_HISTORY=history, **PULL_REQUEST)
    assert old_alone.code == 0, old_alone.log
    assert old_alone.report["regression"] is None
    assert "1 earlier commit left out" in old_alone.log + old_alone.summary

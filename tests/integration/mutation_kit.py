"""Small projects with suites of every kind, mutants written by hand, and what becomes of them."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.github import Event, Workflow
from ci_kit.process import SubprocessRunner
from ci_kit.selective_mutation.budget import Limits
from ci_kit.selective_mutation.mutants import Mutant, mutant_id
from ci_kit.selective_mutation.running import Run, run_mutants
from ci_kit.selective_mutation.suite import Suite
from ci_kit.selective_mutation.verdicts import Verdict
from ci_kit.tools import Tools
from integration.consumer import Environment, find_python
from integration.git_kit import Repository
from integration.pipeline_kit import ROOT, Step, run_step
from tooling.environment import built_once

LIMITS = Limits(budget_seconds=240.0, floor_seconds=1.0, workers=2)
AUTH_SERVICE = ROOT / "examples" / "auth-service"
PACKAGES = {
    "newest": ("pytest", "coverage", "pytest-asyncio", "pytest-cov", "pytest-xdist", "pytest-rerunfailures"),
    "oldest": ("pytest==7.4.4", "coverage==7.0.5"),
    "django": ("pytest", "coverage", "django", "pytest-django"),
    "gevent": ("pytest", "coverage", "gevent"),
    "auth-service": (
        "-r",
        str(AUTH_SERVICE / "pyproject.toml"),
        "pytest",
        "httpx2",
        "pytest-cov",
        "pytest-xdist",
        "pytest-rerunfailures",
    ),
}


def environment(name: str, temporary: pytest.TempPathFactory) -> Path:
    """An interpreter with pytest, made once for all workers of this test run; `oldest` is what the kit still supports."""
    base = temporary.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "mutation-environments" / name
    with built_once(folder) as missing:
        if missing:
            oldest = find_python("3.9") if name == "oldest" else None
            Environment.make(folder, PACKAGES[name], oldest or sys.executable)
    return folder / "bin" / "python"


def tools(environ: Mapping[str, str] | None = None) -> Tools:
    """Real clients."""
    kept = dict(os.environ if environ is None else environ)
    return Tools(kept, Event.from_environ({}), Workflow({}), SubprocessRunner(), SystemClock())


def pull_request(repository: Repository, python: Path, *labels: str, since: str = "", **environ: str) -> Step:
    """The step for HEAD as a merge commit of a pull request with all after the revision `since`, by default the first one."""
    tip = repository.git("rev-parse", "HEAD")
    base = repository.git("rev-parse", since) if since else repository.git("rev-list", "--max-parents=0", "HEAD")
    repository.git("checkout", "-q", "-B", "merge", base)
    repository.git("merge", "-q", "--no-ff", "-m", "merge", tip)
    payload = {
        "pull_request": {
            "number": 1,
            "labels": [{"name": name} for name in labels],
            "head": {"sha": tip, "repo": {"full_name": "o/r"}},
            "base": {"sha": base, "ref": "main"},
        }
    }
    given = {"CI_KIT_PYTHON": str(python), "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/1/merge"}
    return run_step(repository.root, "run", room="selective-mutation", payload=payload, **given, **environ)


@dataclass(frozen=True)
class Project:
    """A folder with files, and the interpreter of its tests."""

    folder: Path
    python: Path

    @classmethod
    def make(cls, folder: Path, python: Path, files: Mapping[str, str]) -> Project:
        project = cls(folder, python)
        for name, text in files.items():
            project.write(name, text)
        return project

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(textwrap.dedent(text), encoding="utf-8")

    def mutant(self, path: str, function: str, before: str, after: str) -> Mutant:
        """The change of the one place where `before` stands."""
        text = (self.folder / path).read_text(encoding="utf-8")
        assert text.count(before) == 1, before
        start = text.index(before)
        line = text.count("\n", 0, start) + 1
        last = line + before.count("\n")
        name = mutant_id(path, function, "by hand", before, after, 0)
        place = {"first_line": line, "last_line": last, "operator": "by hand", "start": start, "original": text}
        return Mutant(name, path, function, 1, before=before, after=after, security=False, **place)  # type: ignore[arg-type]

    def tried(self, *changes: tuple[str, str, str, str]) -> Run:
        """Judge changes, each as `mutant` takes it."""
        return self.judge(*(self.mutant(*change) for change in changes))

    def judge(
        self,
        *mutants: Mutant,
        limits: Limits = LIMITS,
        arguments: tuple[str, ...] = (),
        environ: Mapping[str, str] | None = None,
        cache: Path | None = None,
    ) -> Run:
        seen = {**os.environ, **(environ or {})}
        suite = Suite(self.folder, self.python, arguments, environ=seen)
        state = self.folder.parent / f"{self.folder.name}-state"
        return run_mutants(mutants, suite, limits, tools(seen), state=state, cache_file=cache)

    def only(self, mutant: Mutant, *, limits: Limits = LIMITS, environ: Mapping[str, str] | None = None) -> Verdict:
        """The one mutant's verdict."""
        (verdict,) = self.judge(mutant, limits=limits, environ=environ).verdicts
        return replace(verdict, seconds=0.0)


# Code with one test that notices changes, and one line whose changes nobody notices.
JWT = """
LIMIT = 4


def accepts(length, admin):
    if length > LIMIT:
        raise ValueError("too long")
    if admin:
        return "admin"
    return "user"
"""
TESTS = """
import pytest

from app.jwt import accepts


def test_roles():
    assert accepts(1, True) == "admin"
    assert accepts(4, False) == "user"


def test_too_long():
    with pytest.raises(ValueError, match="^too long$"):
        accepts(5, False)
"""
SHOP = """\
    def price(net, rate):
        if net < 0:
            raise ValueError("less than nothing")
        return round(net * (100 + rate) / 100)


    def unused():
        return 1
"""
TEST_SHOP = """\
    from {package} import price


    def test_price():
        assert price(100, 19) == 119
"""


def shop(folder: Path, python: Path, *, code: str, package: str, more: Mapping[str, str] | None = None) -> Project:
    """A project with the code above at the path `code`, imported as `package`."""
    test = textwrap.dedent(TEST_SHOP).format(package=package)
    return Project.make(folder, python, {code: SHOP, "tests/test_shop.py": test, **(more or {})})


def usual(project: Project, code: str) -> tuple[Mutant, Mutant, Mutant]:
    """A mutant that is noticed, one that is not, and one that no test runs."""
    return (
        project.mutant(code, "price", "net * (100", "net / (100"),
        project.mutant(code, "price", "net < 0", "net < -1"),
        project.mutant(code, "unused", "return 1", "return 2"),
    )


USUAL = ["killed", "survived", "no-coverage"]

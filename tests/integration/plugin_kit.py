"""Environments with a certain pytest and what suites use beside it, and runs of plain pytest with the plug-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from integration.consumer import KIT, UV, Environment, find_python
from tooling.environment import built_once

PLUGIN = KIT / "scripts" / "pytest-ci-kit"
COMMON = (
    "anyio", "coverage", "django", "freezegun", "psycopg[binary]", "pytest-asyncio", "pytest-django", "pytest-reportlog",
    "pytest-xdist", "redis", "requests", "responses", "sqlalchemy>=2", "trio",
)  # fmt: skip
PACKAGES = {
    "pytest 7.4": ("pytest==7.4.4", "pytest-rerunfailures<15"),
    "pytest 8.4": ("pytest==8.4.2", "pytest-rerunfailures"),
    "newest pytest": ("pytest", "pytest-rerunfailures"),
}
PYTHONS = {"pytest 7.4": "3.9"}
PLUGINS = ("-p", "pytest_ci_kit", "-p", "xdist")
LIMIT_SECONDS = 180


def environment(name: str, temporary: pytest.TempPathFactory) -> Environment:
    """The environment `name` of `PACKAGES`, made once for all workers of this test run."""
    base = temporary.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "environments" / name.replace(" ", "-")
    with built_once(folder) as missing:
        if missing:
            oldest = find_python(PYTHONS[name]) if name in PYTHONS else None
            Environment.make(folder, (*COMMON, *PACKAGES[name]), oldest or sys.executable)
    return Environment(folder / "bin" / "python")


@dataclass(frozen=True)
class Finished:
    """How a run of pytest ended. `said` holds what the suite's own `say` wrote, in the order of the whole run."""

    code: int
    log: str
    outcomes: Mapping[str, str]
    said: Sequence[Any]

    def of(self, kind: str) -> list[list[Any]]:
        return [line[1:] for line in self.said if line[0] == kind]


# A suite's `conftest.py`: one line for each event, appended by whole lines, so that their order is that of all workers.
SAY = """\
    import json, os, pytest

    LOG = os.open(os.environ["SAID"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


    def say(kind, *values):
        os.write(LOG, (json.dumps([kind, WORKER, *values]) + "\\n").encode())
"""


def run_pytest(
    folder: Path, made: Environment, files: Mapping[str, str], *options: str, env: Mapping[str, str] | None = None
) -> Finished:
    """Plain pytest on a suite, with the plug-in as an installed one has it, xdist, and no other plug-in."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    said = folder / "said.jsonl"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CI_KIT", "COV"))}
    done = subprocess.run(
        [made.python, "-m", "pytest", *PLUGINS, "-p", "no:cacheprovider", "--junitxml=junit.xml", *options],
        cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS,
        env={
            **kept, "PYTHONPATH": str(PLUGIN / "src"), "PYTHONDONTWRITEBYTECODE": "1", "SAID": str(said),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(env or {}),
        },
    )  # fmt: skip
    lines = said.read_text(encoding="utf-8").splitlines() if said.exists() else []
    return Finished(
        done.returncode,
        done.stdout + done.stderr,
        _outcomes(folder / "junit.xml"),
        [json.loads(line) for line in lines],
    )


def _outcomes(path: Path) -> dict[str, str]:
    found = {}
    for case in ET.parse(path).iter("testcase"):  # noqa: S314 - our own pytest wrote it
        states = [child.tag for child in case if child.tag in {"failure", "error", "skipped"}]
        found[str(case.get("name"))] = states[0] if states else "passed"
    return found


__all__ = ["PACKAGES", "PLUGIN", "SAY", "UV", "Finished", "environment", "run_pytest"]

"""A machine without Node, or with an old one: `act run` and `scripts/demo` say so before they do anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from ci_kit.tools import KIT_ROOT

NODE = ("node", "nodejs", "npm", "npx")
WORKFLOW = "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n"


def bare_path(folder: Path, programs: Mapping[str, str]) -> Path:
    """A folder for PATH with all that this machine has, but with these shell scripts for its Node programs."""
    folder.mkdir()
    for entry in os.environ["PATH"].split(os.pathsep):
        for program in Path(entry).glob("*"):
            place = folder / program.name
            if program.name not in NODE and not place.is_symlink() and os.access(program, os.X_OK):
                place.symlink_to(program)
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The least that can be run."""
    place = tmp_path / "shop" / ".github" / "workflows"
    place.mkdir(parents=True)
    (place / "ci.yml").write_text(WORKFLOW)
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path / "shop")], check=True, timeout=60)
    return tmp_path / "shop"


@pytest.mark.parametrize(
    ("programs", "found"),
    [
        ({}, "node is missing; actions are Node programs"),
        ({"node": "echo v22.1.0"}, "npm is missing; actions are Node programs"),
        ({"node": "echo v18.19.1", "npm": ":"}, "node --version says 'v18.19.1'; the stand-ins need Node 20 or newer"),
        ({"node": "exit 1", "npm": ":"}, "node --version says ''"),
    ],
    ids=["none", "no npm", "old", "broken"],
)
def test_act_run(programs: dict[str, str], found: str, repository: Path, tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "PATH": str(bare_path(tmp_path / "bin", programs)),
        "PYTHONPATH": str(KIT_ROOT / "scripts"),
    }
    argv = [
        "-m",
        "ci_kit",
        "act",
        "run",
        "--actions",
        "stand-ins",
        "--repo",
        str(repository),
        "--output",
        str(tmp_path / "out"),
    ]
    ran = subprocess.run([sys.executable, *argv], env=environ, capture_output=True, text=True, timeout=60, check=False)
    said = ran.stdout + ran.stderr
    assert ran.returncode == 3, said
    assert found in said
    assert "Install Node 20 or newer." in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("programs", "found"),
    [
        ({}, "this machine has no node, npm."),
        ({"node": "echo v18.19.1", "npm": ":"}, "this machine has Node v18.19.1."),
        ({"node": "exit 1", "npm": ":"}, "this machine has Node that does not run."),
    ],
    ids=["none", "old", "broken"],
)
def test_the_demo(programs: dict[str, str], found: str, tmp_path: Path) -> None:
    environ = {**os.environ, "PATH": str(bare_path(tmp_path / "bin", programs))}
    demo = [sys.executable, str(KIT_ROOT / "scripts" / "demo")]
    ran = subprocess.run(demo, env=environ, capture_output=True, text=True, timeout=60, check=False)
    expected = f"scripts/demo: {found} Install git, Python 3.11+ and Node 20+ (with npm).\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, "", expected)

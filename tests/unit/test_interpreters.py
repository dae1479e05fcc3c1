"""Whether this machine brings a Python of the plan's version."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ci_kit.pipeline.interpreters import is_here
from ci_kit.process import SubprocessRunner

THIS = "{}.{}".format(*sys.version_info)


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin")}


def put(path: Path, text: str | None = None) -> None:
    """This very interpreter, or a program that only prints."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        path.symlink_to(os.path.realpath(sys.executable))
    else:
        path.write_text(f"#!/bin/sh\necho {text}\n")
        path.chmod(0o755)


def test_nothing_is_here(nowhere: dict[str, str]) -> None:
    assert not is_here(THIS, nowhere, SubprocessRunner())
    assert not is_here(THIS, {}, SubprocessRunner())


def test_one_on_path_counts_when_it_is_what_its_name_says(nowhere: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path / "bin" / f"python{THIS}")
    assert is_here(THIS, nowhere, SubprocessRunner())
    put(tmp_path / "bin" / "python3.99")
    assert not is_here("3.99", nowhere, SubprocessRunner())


@pytest.mark.parametrize("answer", [f"{THIS} pypy", "", "command not found"])
def test_a_shim_that_leads_nowhere_and_another_implementation_do_not_count(
    nowhere: dict[str, str], tmp_path: Path, answer: str
) -> None:
    put(tmp_path / "bin" / f"python{THIS}", f"'{answer}'")
    assert not is_here(THIS, nowhere, SubprocessRunner())


@pytest.mark.parametrize("variable", ["RUNNER_TOOL_CACHE", "AGENT_TOOLSDIRECTORY"])
def test_the_tool_cache_counts(nowhere: dict[str, str], tmp_path: Path, variable: str) -> None:
    environ = {**nowhere, variable: str(tmp_path / "tools")}
    put(tmp_path / "tools" / "Python" / f"{THIS}.1" / "x64" / "bin" / "python3", "broken")
    assert not is_here(THIS, environ, SubprocessRunner())
    put(tmp_path / "tools" / "Python" / f"{THIS}.2" / "x64" / "bin" / "python3")
    assert is_here(THIS, environ, SubprocessRunner())

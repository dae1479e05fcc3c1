from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake
from ci_kit.test.model import Interpreter
from ci_kit.test.surroundings import base, for_tests
from ci_kit.tests_python import find_python

VENV = Interpreter(Path("/v/bin/python"), "3.12.1", "CPython", "/v/bin/python", Path("/v"), in_venv=True)
JOB = {
    "PATH": "/usr/bin:/v/bin:/bin", "HOME": "/home/x", "GITHUB_SHA": "a", "GITHUB_TOKEN": "t", "SHARED": "job",
    "CI_KIT_ENV": "A=1", "CI_KIT_SHARD": "1/1", "GITHUB_OUTPUT": "/o", "GITHUB_ENV": "/e", "GITHUB_PATH": "/p",
    "GITHUB_STATE": "/s", "GITHUB_STEP_SUMMARY": "/m", "ACTIONS_RUNTIME_TOKEN": "t", "ACTIONS_ID_TOKEN_REQUEST_URL": "u",
    "COV_CORE_SOURCE": "x", "COVERAGE_PROCESS_START": "other",
}  # fmt: skip


def seen(environ: dict[str, str], **more: object) -> dict[str, str]:
    given: dict[str, object] = {
        "interpreter": VENV, "search_path": (Path("/kit"),), "tier": {}, "secrets": {}, "coverage_rc": None,
    }  # fmt: skip
    return for_tests(environ, **(given | more))  # type: ignore[arg-type]


def test_what_belongs_to_the_kit_and_the_runner_stays_out() -> None:
    assert base(JOB) == {name: JOB[name] for name in ("PATH", "HOME", "GITHUB_SHA", "GITHUB_TOKEN", "SHARED")}


def test_the_tier_wins_over_the_job_and_secrets_over_both() -> None:
    assert seen(JOB)["SHARED"] == "job"
    assert seen(JOB, tier={"SHARED": "tier"})["SHARED"] == "tier"
    assert seen(JOB, tier={"SHARED": "tier"}, secrets={"SHARED": "secret"})["SHARED"] == "secret"


def test_the_consumers_own_path_stays_behind_the_kits() -> None:
    assert seen(JOB)["PYTHONPATH"] == "/kit"
    assert seen({**JOB, "PYTHONPATH": "/a:/b"})["PYTHONPATH"] == "/kit:/a:/b"
    assert seen({**JOB, "PYTHONPATH": ""})["PYTHONPATH"] == "/kit"


def test_programs_of_the_environment_come_first() -> None:
    found = seen(JOB)
    assert found["PATH"] == "/v/bin:/usr/bin:/bin"
    assert found["VIRTUAL_ENV"] == "/v"


def test_only_this_measurement_runs() -> None:
    assert "COVERAGE_PROCESS_START" not in seen(JOB)
    assert seen(JOB, coverage_rc=Path("/rc"))["COVERAGE_PROCESS_START"] == "/rc"


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o755)
    return path


def test_which_python_runs_the_tests(tmp_path: Path) -> None:
    on_path = program(tmp_path / "bin", "python3")
    environ = {"PATH": str(tmp_path / "bin")}
    assert find_python("", environ, tmp_path) == on_path
    better = program(tmp_path / "bin", "python")
    assert find_python("", environ, tmp_path) == better
    laptop = program(tmp_path / "venv" / "bin", "python")
    assert find_python("", environ, tmp_path) == laptop
    active = program(tmp_path / "active" / "bin", "python")
    assert find_python("", {**environ, "VIRTUAL_ENV": str(tmp_path / "active")}, tmp_path) == active
    assert find_python(str(on_path), environ, tmp_path) == on_path
    assert find_python("python3", environ, tmp_path) == on_path


def test_no_python(tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match="input python"):
        find_python("/nowhere/python", {"PATH": str(tmp_path)}, tmp_path)
    with pytest.raises(CallerMistake, match="found no Python"):
        find_python("", {"PATH": str(tmp_path)}, tmp_path)

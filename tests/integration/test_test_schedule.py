"""How `ci-kit test run` uses the cores: with and without a history, and what it says of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from integration.consumer import Consumer, Environment


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment.make(tmp_path_factory.mktemp("environment") / "venv", ("pytest",), sys.executable)


BIG = "import pytest\n\n\n@pytest.mark.parametrize('n', range(40))\ndef test_n(n):\n    pass\n"


def test_a_run_on_workers_tells_how_well_they_were_used(environment: Environment, tmp_path: Path) -> None:
    files = {"test_big.py": BIG, **{f"test_{n}.py": "def test_small():\n    pass\n" for n in range(4)}}
    here = Consumer.make(tmp_path, environment, files)
    ran = here.run("--workers", "2", "--coverage", "false")
    assert ran.code == 0, ran.log
    schedule = ran.report["schedule"]
    assert [cut["file"] for cut in schedule["cut"]] == ["test_big.py"]
    assert schedule["units"] == schedule["cut"][0]["pieces"] + 4
    assert schedule["ratio"] == pytest.approx(schedule["makespan"] / schedule["lower-bound"], rel=0.2)
    assert "on 2 workers" in ran.summary
    assert any("cut over workers: test_big.py" in note for note in ran.report["notes"])
    alone = here.run("--workers", "1", "--coverage", "false")
    assert alone.report["schedule"] is None


def test_the_scope_of_the_configuration_reaches_the_workers(environment: Environment, tmp_path: Path) -> None:
    here = Consumer.make(
        tmp_path, environment, {".github/ci-kit.yml": "test: {scope: module}\n", "test_big.py": BIG, "test_a.py": BIG}
    )
    ran = here.run("--workers", "2", "--coverage", "false")
    assert ran.code == 0, ran.log
    assert ran.report["schedule"]["units"] == 2
    homes = {(result["file"], result["worker"]) for result in ran.report["results"]}
    assert len(homes) == 2

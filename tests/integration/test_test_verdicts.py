"""`ci-kit test run`: the random order, the quarantine, new tests and services that die, on real suites."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ci_kit.affected import Affected
from ci_kit.affected_plan import TestChoice, write_choice
from ci_kit.history import History, Run, write_history
from ci_kit.history_merge import Heard, merge
from ci_kit.plan import Plan, PlannedTier, write_plan
from ci_kit.share import Share
from integration.consumer import Consumer, Environment, Ran

ALL = "with plug-ins that order tests"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Environment]:
    made: dict[str, Environment] = {}

    def get(name: str) -> Environment:
        if name not in made:
            more = ["pytest-randomly", "pytest-random-order", "pytest-order"] if name == ALL else []
            folder = tmp_path_factory.mktemp("environment") / "venv"
            made[name] = Environment.make(folder, ["pytest", "coverage", *more], sys.executable)
        return made[name]

    return get


@pytest.fixture
def consumer(environments: Callable[[str], Environment], tmp_path: Path) -> Callable[..., Consumer]:
    def make(files: Mapping[str, str], environment: str = "plain") -> Consumer:
        return Consumer.make(tmp_path, environments(environment), files)

    return make


def run(here: Consumer, *options: str, workers: int = 1, env: Mapping[str, str] | None = None) -> Ran:
    return here.run("--workers", str(workers), "--coverage", "false", *options, env=env)


MANY = {
    f"{folder}/test_{folder}_{file}.py": "def test_a(): pass\ndef test_b(): pass\n\n\nclass TestC:\n    def test_d(self): pass\n    def test_e(self): pass\n"
    for folder in ("one", "two")
    for file in "xyz"
}


def order(ran: Ran) -> list[str]:
    assert ran.code == 0, ran.log
    return [result["id"] for result in ran.report["results"]]


def test_the_order_is_the_seeds(consumer: Callable[..., Consumer]) -> None:
    here = consumer(MANY)
    ran = run(here, "--seed", "1")
    assert ran.report["seed"] == 1
    assert "| seed |" in ran.summary
    first = order(ran)  # the next run writes to the same folder
    assert order(run(here, "--seed", "1")) == first
    assert order(run(here, "--seed", "2")) != first
    for index in (1, 2, 3):
        ids = order(run(here, "--seed", "1", "--shard", f"{index}/3"))
        assert ids == [name for name in first if name in ids]
    assert sorted(order(run(here, "--seed", "1", workers=2))) == sorted(first)
    by_run = [run(here, env={"GITHUB_RUN_ID": number}).report["seed"] for number in ("17", "17", "18")]
    assert by_run[0] == by_run[1] != by_run[2]


def test_the_projects_own_order(consumer: Callable[..., Consumer]) -> None:
    here = consumer(MANY | {".github/ci-kit.yml": "test: {random-order: false}\n"})
    ran = run(here)
    assert ran.report["seed"] is None
    assert (
        order(ran) == ran.report["collected"] == sorted(ran.report["collected"], key=lambda name: name.split("::")[0])
    )


RANDOM = """\
    import pathlib
    import random

    def test_value():
        pathlib.Path(__file__).with_name("value").open("a").write(f"{random.random()}\\n")
    """


def test_plug_ins_that_order_tests(consumer: Callable[..., Consumer]) -> None:
    here = consumer(MANY | {"one/test_random.py": RANDOM}, ALL)
    first = order(run(here, "--seed", "1"))
    assert order(run(here, "--seed", "1", "--pytest-args", "-p\nno:randomly")) == first
    assert order(run(here, "--seed", "1")) == first
    values = (here.root / "one" / "value").read_text().split()
    assert values[0] == values[2] != values[1], "pytest-randomly seeds `random` with the kit's seed"
    with_theirs = run(here, "--seed", "1", "--pytest-args", "--random-order")
    assert order(with_theirs) == order(run(here, "--seed", "1", "--pytest-args", "--random-order"))
    assert any("pytest-random-order shuffles" in note for note in with_theirs.report["notes"])
    marked = (
        "import pytest\n\n\n@pytest.mark.order(2)\ndef test_b(): pass\n\n\n@pytest.mark.order(1)\ndef test_a(): pass\n"
    )
    here.write({"one/test_steps.py": marked})
    ordered = run(here, "--seed", "1")
    steps = [name for name in order(ordered) if "test_steps" in name]
    assert steps == ["one/test_steps.py::test_a", "one/test_steps.py::test_b"]
    assert any("has the mark order" in note for note in ordered.report["notes"])


def entry(test: str, days: int) -> str:
    day = (datetime.now(UTC) + timedelta(days=days)).date()
    return f'- {{id: "{test}", owner: me, reason: known, expires: {day}}}\n'


FILE = ".github/ci-kit-quarantine.yml"


def test_what_is_in_quarantine_does_not_gate(consumer: Callable[..., Consumer]) -> None:
    text = "import pytest\n\n\n@pytest.mark.parametrize('x', [1, 2])\ndef test_bad(x):\n    assert x == 1\n\n\ndef test_good():\n    pass\n"
    here = consumer({"test_a.py": text, FILE: entry("test_a.py::test_bad[[]2", 3) + entry("test_a.py::test_b*", 3)})
    ran = run(here, "--reruns", "0")
    assert (ran.code, ran.report["verdict"], ran.outputs["failed"]) == (0, "passed", "0"), ran.log
    bad = ran.result("::test_bad[2]")
    assert (bad["outcome"], bad["quarantined"], bad["class"]) == ("failed", True, None)
    assert [found["tests"] for found in ran.report["quarantine"]] == [0, 2]
    assert "1 failed in quarantine" in ran.summary
    assert "::error" not in ran.log
    here.write({"test_b.py": "def test_other():\n    assert 0\n"})
    assert run(here, "--reruns", "0").code == 1
    here.write({"test_b.py": "", FILE: entry("test_a.py::test_bad*", -1)})
    expired = run(here, "--reruns", "0")
    assert expired.code == 1
    assert expired.result("::test_bad[2]")["quarantined"] is False


@pytest.mark.parametrize("workers", [1, 2])
def test_many_failures_of_one_pattern_in_quarantine_do_not_stop_a_shard(
    consumer: Callable[..., Consumer], workers: int
) -> None:
    text = "import pytest\n\n\n@pytest.mark.parametrize('x', range(6))\ndef test_bad(x):\n    assert x < 0\n"
    here = consumer({
        "test_a.py": text,
        "test_b.py": "def test_good():\n    pass\n",
        ".github/ci-kit.yml": "test: {maxfail: 2}\n",
        FILE: entry("test_a.py::test_bad*", 3),
    })  # fmt: skip
    ran = run(here, "--reruns", "0", workers=workers)
    assert (ran.code, ran.report["verdict"], len(ran.report["results"])) == (0, "passed", 7), ran.log


def test_a_failure_that_comes_from_the_seed_is_real(consumer: Callable[..., Consumer]) -> None:
    text = """import pathlib
import random


def test_chance():
    seen = pathlib.Path(__file__).with_name("seen")
    drawn = repr(random.random())
    if not seen.exists():
        seen.write_text(drawn)
    assert seen.read_text() != drawn
"""
    ran = run(consumer({"test_a.py": text}, ALL), "--reruns", "0", "--seed", "7")
    assert (ran.code, ran.result("::test_chance")["class"]) == (1, "real"), ran.log


def test_an_expired_or_malformed_entry_is_an_error_with_its_line(consumer: Callable[..., Consumer]) -> None:
    here = consumer(
        {"test_a.py": "def test_good():\n    pass\n", FILE: entry("x", 3) + entry("test_a.py::test_good", -1)}
    )
    ran = run(here)
    assert (ran.code, ran.report["verdict"]) == (1, "failed"), ran.log
    assert ran.report["why"].startswith(f"{FILE}:2: the entry for test_a.py::test_good expired on")
    here.write({FILE: "- {id: a}\n"})
    wrong = run(here)
    assert (wrong.code, f"{FILE}:1" in wrong.log) == (2, True), wrong.log
    here.write({FILE: "", ".github/ci-kit.yml": "test: {quarantine: ../../etc/passwd}\n"})
    assert run(here).code == 2


SERVER = "import socket\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\nwhile True:\n    s.accept()[0].close()\n"


@pytest.fixture
def server() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("dies", [True, False])
def test_a_service_that_dies(consumer: Callable[..., Consumer], server: subprocess.Popen[str], dies: bool) -> None:
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    config = f"tiers:\n  - name: one\n    services: {{box: {{image: box, ready: 'tcp://127.0.0.1:{port}'}}}}\n"
    kill = f"    os.kill({server.pid}, 9)\n" if dies else ""
    text = f"import os\n\n\ndef test_uses_it():\n{kill}    assert 0\n"
    ran = run(consumer({"test_a.py": text, ".github/ci-kit.yml": config}), "--reruns", "0")
    assert ran.code == (3 if dies else 1), ran.log
    assert ("The service box" in ran.report["why"]) == dies
    assert (ran.result("::test_uses_it")["class"] is None) == dies


@pytest.mark.parametrize("file", ["test_a.py", "conftest.py"])
def test_a_service_that_dies_while_files_are_imported(
    consumer: Callable[..., Consumer], server: subprocess.Popen[str], file: str
) -> None:
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    config = f"tiers:\n  - name: one\n    services: {{box: {{image: box, ready: 'tcp://127.0.0.1:{port}'}}}}\n"
    files = {"test_a.py": "def test_good():\n    pass\n", ".github/ci-kit.yml": config}
    ran = run(consumer(files | {file: f"import os\n\nos.kill({server.pid}, 9)\nraise ConnectionError\n"}))
    assert ran.code == 3, ran.log
    assert "The service box" in ran.report["why"]


@pytest.mark.parametrize("known", [False, True], ids=["new", "changed"])
def test_a_new_or_changed_test_is_tried_some_more_times(consumer: Callable[..., Consumer], known: bool) -> None:
    """Only on a pull request, and new tests only in files of which the history knows something."""
    text = (
        "from pathlib import Path\n\nCOUNT = Path(__file__).with_suffix('.count')\n\n\ndef test_old():\n    pass\n\n\n"
    )
    text += "def test_new():\n    COUNT.open('a').write('x')\n    assert len(COUNT.read_text()) != 3\n"
    here = consumer({"test_a.py": text, "test_b.py": "def test_unknown():\n    pass\n"})
    (here.temp / "event.json").write_text(json.dumps({"pull_request": {"number": 1}}))
    env = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(here.temp / "event.json")}
    plan = made_plan(here, "test_a.py::test_old", *(["test_a.py::test_new"] if known else []))
    if known:
        changed = Affected(all=False, reason="1 file differs", changed=frozenset({"test_a.py::test_new"}))
        write_choice(plan.parent, TestChoice("affected-first", tiers={"tests": changed}))
    ran = run(here, "--plan", str(plan), env=env)
    assert ran.code == 0, ran.log
    new = ran.result("::test_new")
    assert (new["class"], new["flaky"], new["outcome"]) == ("flaky", True, "passed"), ran.log
    assert "1 of 3 more runs" in new["evidence"]
    assert (here.root / "test_a.count").read_text() == "xxxx"
    assert any("1 new or changed test ran 3 more times" in note for note in ran.report["notes"])
    run(here, "--plan", str(plan))
    assert (here.root / "test_a.count").read_text() == "xxxxx", "not on other events"


def made_plan(here: Consumer, *known_tests: str) -> Path:
    """A plan with a history beside it that knows these tests of one file."""
    times = dict.fromkeys(known_tests, (0.0, 0.1, 0.0))
    collected = [(test, "test_a.py") for test in known_tests]
    heard = Heard("tests", "3.12", 1, collected, times, frozenset(), frozenset(), True, 0.1)
    known = Run("1", 1, "c" * 40, "2026-01-01T00:00:00+00:00", "default-branch", 60.0)
    folder = here.temp / "plan"
    write_history(folder, merge(History(), known, [heard], {"tests": True}))
    tier = PlannedTier("tests", (Share(("test_a.py", "test_b.py")),))
    return write_plan(folder, Plan("ci", "pull-request", "", (tier,), ("3.12",)))

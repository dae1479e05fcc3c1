"""`ci-kit test run` on real suites, with the oldest, a middle and the newest pytest."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from integration.consumer import Consumer, Environment, find_python

PACKAGES = {
    "pytest 7.4": ("pytest==7.4.4", "coverage==7.3.4"),
    "pytest 8.4": ("pytest==8.4.2", "coverage==7.9.2", "pytest-cov==6.2.1"),
    "newest pytest": ("pytest", "coverage", "pytest-cov"),
}


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Environment]:
    """Environments by name, each made when it is first asked for; the kit's plug-ins are added by the kit."""
    made: dict[str, Environment] = {}

    def get(name: str) -> Environment:
        if name not in made:
            oldest = find_python("3.9") if name == "pytest 7.4" else None
            folder = tmp_path_factory.mktemp("environment") / "venv"
            made[name] = Environment.make(folder, PACKAGES[name], oldest or sys.executable)
        return made[name]

    return get


@pytest.fixture
def consumer(environments: Callable[[str], Environment], tmp_path: Path) -> Callable[..., Consumer]:
    """Makes a repository from its files, with the newest pytest unless another is named."""

    def make(files: dict[str, str], environment: str = "newest pytest") -> Consumer:
        return Consumer.make(tmp_path, environments(environment), files)

    return make


OUTCOMES = """\
    import os, sys, unittest
    import pytest

    STATE = os.path.join(os.path.dirname(__file__), "state")


    def test_passes():
        print("output")


    def test_fails():
        assert {"a": 1} == {"a": 2}, "pipe | and `ticks`"


    @pytest.fixture
    def broken():
        raise RuntimeError("no set-up")


    def test_set_up(broken):
        pass


    @pytest.fixture
    def untidy():
        yield
        raise RuntimeError("no tear-down")


    def test_tear_down(untidy):
        pass


    @pytest.mark.skip(reason="not today")
    def test_skipped():
        pass


    @pytest.mark.xfail(reason="known")
    def test_xfails():
        assert False


    @pytest.mark.xfail(reason="thought so")
    def test_xpasses():
        pass


    @pytest.mark.xfail(strict=True)
    def test_strict():
        pass


    def test_flaky():
        if not os.path.exists(STATE):
            open(STATE, "w").close()
            raise OSError("first time")


    @pytest.mark.parametrize("value", ["a b", "c::d", "e[f]", "ü", "new\\nline"], ids=str)
    def test_names(value):
        pass


    class TestClass:
        def test_method(self):
            pass


    class TestUnit(unittest.TestCase):
        def test_unit(self):
            self.assertEqual(1, 2)
    """
EXPECTED = {
    "test_passes": "passed", "test_fails": "failed", "test_set_up": "error", "test_tear_down": "error",
    "test_skipped": "skipped", "test_xfails": "xfailed", "test_xpasses": "xpassed", "test_strict": "failed",
    "test_flaky": "passed", "TestClass::test_method": "passed", "TestUnit::test_unit": "failed",
}  # fmt: skip


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("environment", PACKAGES)
def test_every_outcome_is_told(consumer: Callable[..., Consumer], environment: str, workers: str) -> None:
    here = consumer(
        {"tests/größe/test_all.py": OUTCOMES, "tests/test_more.py": "def test_more():\n    pass\n"}, environment
    )
    ran = here.run("--workers", workers, "--reruns", "1")
    assert ran.code == 1, ran.log
    names = {name: outcome for name, outcome in ran.outcomes.items() if not name.startswith("test_names")}
    assert names == EXPECTED | {"test_more": "passed"}
    assert sum(name.startswith("test_names[") for name in ran.outcomes) == 5
    report = ran.report
    assert sorted(report["collected"]) == sorted(result["id"] for result in report["results"])
    assert report["verdict"] == "failed"
    assert report["exit"] == 1
    assert [result["id"] for result in report["results"] if result["flaky"]] == ["tests/größe/test_all.py::test_flaky"]
    assert ran.result("::test_flaky")["attempts"] == 2
    fails = ran.result("::test_fails")
    assert (fails["file"], fails["line"], fails["at"]) == ("tests/größe/test_all.py", 11, "tests/größe/test_all.py:12")
    assert "pipe | and `ticks`" in fails["message"]
    assert "no set-up" in ran.result("::test_set_up")["message"]
    assert ran.result("::test_skipped")["message"] == "not today"
    assert ran.outputs["failed"] == "5"
    assert ran.outputs["verdict"] == "failed"
    workers_seen = {result["worker"] for result in report["results"]}
    assert workers_seen <= {"gw0", "gw1"} if workers == "2" else workers_seen == {"main"}
    suite = ET.parse(ran.folder / "junit.xml").getroot()  # noqa: S314 - written by the kit
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")) == (
        "17",
        "3",
        "2",
        "2",
    )
    assert len(suite.findall(".//flakyFailure")) == 1
    assert "test_fails" in ran.summary
    assert ran.summary.count("\n") < 200


def test_the_command_of_the_summary_reproduces_the_failures(consumer: Callable[..., Consumer]) -> None:
    here = consumer({"tests/a b/test_x.py": "def test_one():\n    assert 0\n\n\ndef test_two():\n    assert 1\n"})
    ran = here.run("--reruns", "0")
    command = re.search(r"python -m pytest '([^']+)'", ran.summary)
    assert command
    done = here.pytest(command[1])
    assert "1 failed" in done.stdout
    assert "1 passed" not in done.stdout


MANY = {
    **{f"tests/unit/test_{n}.py": f"def test_{n}():\n    pass\n\n\nclass TestC:\n    def test_m(self):\n        pass\n"
       for n in range(7)},
    "tests/unit/conftest.py": "collect_ignore = ['test_3.py']\n",
    "tests/unit/test_3.py": "raise SystemExit\n",
    "tests/odd.md": ">>> 1 + 1\n2\n",
    "tests/data.yaml": "x\n",
    "tests/conftest.py": """\
        import pytest

        class Item(pytest.Item):
            def runtest(self):
                pass

        class File(pytest.File):
            def collect(self):
                yield Item.from_parent(self, name="an item\\nof two lines")

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".yaml":
                return File.from_parent(parent, path=file_path)
        """,
    "tests/package/__init__.py": "def test_in_init():\n    pass\n",
    "tests/package/test_p.py": "def test_p():\n    pass\n",
    "pytest.ini": "[pytest]\naddopts = --doctest-glob=*.md\npython_files = test_*.py __init__.py\ntestpaths = tests\n",
}  # fmt: skip


@pytest.mark.parametrize("environment", PACKAGES)
@pytest.mark.parametrize("count", [3, 12])
def test_shards_run_every_test_exactly_once(consumer: Callable[..., Consumer], environment: str, count: int) -> None:
    here = consumer(MANY, environment)
    plain = here.pytest("--collect-only", "-q")
    runs = [here.run("--shard", f"{index}/{count}", "--coverage", "false") for index in range(1, count + 1)]
    assert {ran.code for ran in runs} == {0}, [ran.log for ran in runs if ran.code]
    ids = [result["id"] for ran in runs for result in ran.report["results"]]
    assert len(ids) == len(set(ids))
    assert len(ids) == 6 * 2 + 4
    assert all(name.splitlines()[0] in plain.stdout for name in ids), (ids, plain.stdout)
    files = [file for ran in runs for file in ran.report["files"]]
    assert len(files) == len(set(files))
    for ran in runs[1:]:
        assert {name.partition("::")[0] for name in ran.report["collected"]} <= set(ran.report["files"])
    empty = [ran for ran in runs if not ran.report["files"]]
    assert all(ran.report["verdict"] == "empty" and ran.report["exit"] is None for ran in empty)
    assert bool(empty) == (count == 12)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("environment", PACKAGES)
def test_a_conftest_that_raises(consumer: Callable[..., Consumer], environment: str, workers: str) -> None:
    here = consumer(
        {"tests/test_a.py": "def test_a():\n    pass\n", "tests/conftest.py": "import os\n\n1 / 0\n"}, environment
    )
    ran = here.run("--workers", workers)
    assert ran.code == 1, ran.log
    (result,) = ran.report["results"]
    assert (result["id"], result["outcome"], result["at"]) == ("tests/conftest.py", "error", "tests/conftest.py:3")
    assert "ZeroDivisionError" in result["message"]
    assert "tests/conftest.py:3" in ran.log


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("environment", PACKAGES)
def test_a_file_that_does_not_import(consumer: Callable[..., Consumer], environment: str, workers: str) -> None:
    files = {"tests/test_a.py": "def test_a():\n    pass\n", "tests/test_b.py": "import nothing_of_this_name\n"}
    ran = consumer(files, environment).run("--workers", workers)
    assert ran.code == 1, ran.log
    result = ran.result("tests/test_b.py")
    assert result["outcome"] == "error"
    assert "nothing_of_this_name" in result["message"]
    assert result["file"] == "tests/test_b.py"
    assert "tests/test_b.py" in ran.summary


def test_a_file_that_skips_itself(consumer: Callable[..., Consumer]) -> None:
    ran = consumer({"test_a.py": "import pytest\npytest.importorskip('nothing_of_this_name')\n"}).run()
    assert ran.code == 0, ran.log
    assert ran.report["verdict"] == "empty"
    assert any("test_a.py was skipped as a whole" in note for note in ran.report["notes"])


DEADLY = {"os.kill(os.getpid(), 9)": "SIGKILL", "os._exit(0)": "exit code 0", "os._exit(7)": "exit code 7"}


@pytest.mark.parametrize("end", DEADLY)
def test_pytest_dies_in_a_test(consumer: Callable[..., Consumer], end: str) -> None:
    """The other tests run all the same, in a second process, and only the one that died failed."""
    text = f"import os\n\n\ndef test_good():\n    pass\n\n\ndef test_deadly():\n    {end}\n\n\ndef test_after():\n    pass\n"
    ran = consumer({"test_a.py": text, ".github/ci-kit.yml": "test: {random-order: false}\n"}).run("--workers", "1")
    assert ran.code == 1, ran.log
    assert ran.outcomes == {"test_good": "passed", "test_deadly": "failed", "test_after": "passed"}
    assert ran.report["verdict"] == "failed"
    assert DEADLY[end] in ran.result("::test_deadly")["message"]
    assert "test_a.py::test_deadly" in ran.summary.replace("\\", "")
    assert ran.manifest["broken"] == 1
    assert ran.manifest["files"]


def test_pytest_dies_outside_of_a_test(consumer: Callable[..., Consumer]) -> None:
    text = "import os\n\n\ndef pytest_sessionfinish():\n    os._exit(7)\n"
    ran = consumer({"test_a.py": "def test_good():\n    pass\n", "conftest.py": text}).run("--workers", "1")
    assert ran.code == 3, ran.log
    assert (ran.report["verdict"], ran.report["exit"]) == ("error", 7)
    assert ran.outcomes == {"test_good": "passed"}


def test_tests_that_die_one_after_the_other_come_to_an_end(consumer: Callable[..., Consumer]) -> None:
    text = (
        "import os\nimport pytest\n\n\n@pytest.mark.parametrize('x', range(30))\ndef test_deadly(x):\n    os._exit(x)\n"
    )
    ran = consumer({"test_a.py": text}).run("--workers", "1", "--coverage", "false")
    assert ran.code == 3, ran.log
    assert ran.report["counts"] == {"failed": 10}
    assert "in the middle of its work" in ran.report["why"]


SECRET = "pä$$ word-1"
LEAKS = """\
    import os, sys
    import pytest


    @pytest.mark.parametrize("value", [os.environ["TOKEN"]])
    def test_leaks(value):
        print("printed", value)
        sys.stderr.write(repr(value))
        %s
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("end", "codes"),
    [("os._exit(7)", (1, 1)), ("assert value == 'other'", (1, 1)), ("pytest.skip(value)", (0, 0)), ("pytest.exit(value)", (3, 1))],
)  # fmt: skip
def test_a_secret_is_left_nowhere(
    consumer: Callable[..., Consumer], end: str, codes: tuple[int, int], workers: int
) -> None:
    """Also where a test's name holds it and nothing but the name is left of the test."""
    here = consumer({"test_a.py": LEAKS % end})
    ran = here.run("--workers", str(workers), "--reruns", "1", env={"CI_KIT_ENV": f"TOKEN={SECRET}"})
    assert ran.code == codes[workers - 1], ran.log
    left = [path for path in ran.folder.rglob("*") if path.is_file()]
    forms = (SECRET, ascii(SECRET)[1:-1], SECRET.encode("unicode_escape").decode(), json.dumps(SECRET)[1:-1])
    for form in forms:
        assert [path.name for path in left if form.encode() in path.read_bytes()] == []
        assert form not in ran.summary.replace("\\", "")
        assert not [line for line in ran.log.splitlines() if line.startswith("::error") and form in line]
    assert "***" in (ran.folder / "test.json").read_text()
    if end.startswith("os._exit") and workers == 1:
        assert ran.report["results"][0]["id"] == "test_a.py::test_leaks[***]"


def test_a_secret_does_not_reach_what_installs_the_plug_ins(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "empty")], check=True, timeout=60)
    here = Consumer.make(tmp_path, Environment(tmp_path / "empty" / "bin" / "python"), {"test_a.py": ""})
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text(f'#!/bin/sh\nenv >> "{tools}/seen"\nexit 1\n')
    (tools / "uv").chmod(0o755)
    env = {"CI_KIT_ENV": "TOKEN=s3cret-token", "PATH": f"{tools}:{os.environ['PATH']}"}
    ran = here.run(env=env)
    assert ran.code == 3, ran.log
    seen = (tools / "seen").read_text()
    assert "PATH=" in seen
    assert "s3cret-token" not in seen


def test_a_secret_in_what_pytest_refuses(consumer: Callable[..., Consumer]) -> None:
    here = consumer({"test_a.py": "def test_a():\n    pass\n"})
    ran = here.run("--pytest-args", "--token=s3cret-token", env={"CI_KIT_ENV": "TOKEN=s3cret-token"})
    assert ran.code == 2, ran.log
    assert "refused" in ran.report["why"]
    assert "***" in ran.report["why"]
    assert "s3cret-token" not in (ran.folder / "test.json").read_text() + ran.summary


@pytest.mark.parametrize("environment", PACKAGES)
def test_a_worker_dies_in_a_test(consumer: Callable[..., Consumer], environment: str) -> None:
    files = {f"test_{n}.py": "def test_good():\n    pass\n" for n in range(4)}
    here = consumer({**files, "test_x.py": "import os\n\n\ndef test_deadly():\n    os._exit(0)\n"}, environment)
    ran = here.run("--workers", "2")
    assert ran.code == 1, ran.log
    result = ran.result("::test_deadly")
    assert result["outcome"] == "failed"
    assert "crashed" in result["message"]
    assert ran.report["counts"] == {"passed": 4, "failed": 1}
    assert ran.manifest["broken"] == 1


def test_the_time_limit(consumer: Callable[..., Consumer]) -> None:
    hang = "import threading\n\n\ndef test_hangs():\n    threading.Event().wait(120)\n"
    here = consumer({"test_a.py": "def test_good():\n    pass\n", "test_b.py": hang})
    ran = here.run("--workers", "2", env={"CI_KIT_TIMEOUT": "20s"})
    assert ran.code == 3, ran.log
    assert ran.outcomes == {"test_good": "passed", "test_hangs": "failed"}
    hung = ran.result("::test_hangs")
    assert (hung["class"], hung["reproduce"]) == ("hung", "python -m pytest test_b.py::test_hangs")
    assert 'test_b.py", line 5 in test_hangs' in (ran.folder / "stacks.txt").read_text(encoding="utf-8")
    assert "line 5 in test_hangs" in ran.summary
    assert "time limit" in ran.report["why"]
    assert any("input timeout, 20 s" in note and "raise the input timeout" in note for note in ran.report["notes"])
    assert "test_b.py::test_hangs" in ran.report["why"]


def test_the_configured_time_limit(consumer: Callable[..., Consumer]) -> None:
    """The step's own limit is far and not spoken of; what was killed in the middle gives no coverage that counts."""
    files = {
        ".github/ci-kit.yml": "test: {timeout: 8s}\n",
        "conftest.py": "import threading\n\n\ndef pytest_sessionfinish():\n    threading.Event().wait(120)\n",
        "test_a.py": "import subprocess, sys\n\n\ndef test_good():\n    subprocess.run([sys.executable, 'x.py'])\n",
        "x.py": "print(1)\n",
    }
    ran = consumer(files).run("--workers", "1", env={"CI_KIT_TIMEOUT": "5m"})
    assert ran.code == 3, ran.log
    assert "time limit of 8 s" in ran.report["why"]
    assert not any("input timeout" in note for note in ran.report["notes"])
    assert ran.manifest["broken"] == 1
    assert any("coverage data of 1 process is lost" in note for note in ran.report["notes"])


def test_the_job_is_cancelled(consumer: Callable[..., Consumer]) -> None:
    """What is known by then is reported, and nothing stays behind."""
    text = "import os, threading\n\n\ndef test_good():\n    pass\n\n\n"
    text += "def test_hangs():\n    os.write(1, b'hanging in %d\\n' % os.getpid())\n    threading.Event().wait(120)\n"
    here = consumer({"test_a.py": text})
    with here.start("--workers", "1", "--pytest-args", "-s") as step:
        assert step.stdout is not None
        process = next(int(line.split()[-1]) for line in step.stdout if b"hanging in" in line)
        step.terminate()
        log = step.stdout.read().decode()
    assert step.returncode == 128 + signal.SIGTERM, log
    ran = here.ended(step.returncode, log)
    assert ran.outcomes == {"test_good": "passed"}
    assert ran.manifest["broken"] == 1
    assert "test_a.py::test_hangs" in ran.report["why"]
    assert "in test_hangs" in (ran.folder / "stacks.txt").read_text(encoding="utf-8")
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_pytest_refuses(consumer: Callable[..., Consumer]) -> None:
    ran = consumer({"test_a.py": "def test_a():\n    pass\n"}).run("--pytest-args", "--no-such-option")
    assert ran.code == 2, ran.log
    assert "--no-such-option" in ran.report["why"]


def test_mistakes_of_the_caller(consumer: Callable[..., Consumer], tmp_path: Path) -> None:
    here = consumer({"test_a.py": "def test_a():\n    pass\n", "plan.json": "{}"})
    for options, said in {
        ("--tier", "unot"): "there is no tier 'unot'",
        ("--shard", "3/2"): "input shard",
        ("--workers", "many"): "input workers",
        ("--config", "nothing.yml"): "input config",
        ("--plan", "nothing.json"): "input plan: there is no file",
    }.items():
        ran = here.run(*options)
        assert (ran.code, said in ran.log) == (2, True), ran.log
    nowhere = Consumer(here.root, here.temp, tmp_path / "no-python")
    assert nowhere.run().code == 2
    broken = here.run("--plan", "plan.json")
    assert broken.code == 3
    assert "plan" in broken.log


@pytest.mark.parametrize("environment", PACKAGES)
def test_the_projects_own_options(consumer: Callable[..., Consumer], environment: str) -> None:
    cov = "" if environment == "pytest 7.4" else "--cov=lib --cov-fail-under=100 --cov-report=term"
    here = consumer(
        {
            "pytest.ini": f"[pytest]\npythonpath = src\naddopts = -x -n 3 --dist load --reruns 5 {cov} -p no:xdist -m quick\n"
            "markers = quick\nfilterwarnings = error\n",
            "src/lib.py": "def used():\n    return 1\n\n\ndef unused():\n    return 2\n",
            "test_a.py": "import pytest\nimport lib\n\n\n@pytest.mark.quick\ndef test_a():\n    assert lib.used() == 1\n\n\n"
            "def test_slow():\n    pass\n",
        },
        environment,
    )
    ran = here.run("--workers", "2")
    assert ran.code == 0, ran.log
    assert ran.outcomes == {"test_a": "passed"}
    assert ran.report["deselected"] == ["test_a.py::test_slow"]
    (note,) = [note for note in ran.report["notes"] if "replace" in note]
    assert "-x" in note
    assert "-m" not in note.split()
    assert not (here.root / ".coverage").exists()
    assert ran.manifest["files"]


def test_plug_in_loading_switched_off(consumer: Callable[..., Consumer]) -> None:
    here = consumer({"test_a.py": "def test_a():\n    pass\n", "test_b.py": "def test_b():\n    pass\n"})
    ran = here.run("--workers", "2", env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    assert ran.code == 0, ran.log
    assert ran.report["counts"] == {"passed": 2}


SURROUNDINGS = """\
    import os

    def test_variables():
        assert "TOKEN" in os.environ and os.environ["TOKEN"] == "secret=value"
        assert os.environ["FROM_TIER"] == "yes"
        assert os.environ["KEPT"] == "1"
        assert os.environ["PYTHONPATH"].split(os.pathsep)[-2:] == ["/one", "/two"]
        forbidden = [name for name in os.environ if name.startswith(("CI_KIT_", "ACTIONS_"))]
        forbidden += [n for n in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH") if n in os.environ]
        assert not forbidden

    def test_commands():
        os.write(1, b"\\n::set-output name=x::y\\n")
    """


def test_what_the_tests_see(consumer: Callable[..., Consumer]) -> None:
    config = "tiers:\n  - {name: one, paths: [tests/one], env: {FROM_TIER: true, TOKEN: no}}\n  - {name: two, paths: [tests/two]}\n"
    here = consumer({
        ".github/ci-kit.yml": config.replace("true", '"yes"'), "tests/one/test_a.py": SURROUNDINGS,
        "tests/two/test_b.py": "def test_b():\n    pass\n",
    })  # fmt: skip
    env = {
        "CI_KIT_ENV": "TOKEN=secret=value", "ACTIONS_RUNTIME_TOKEN": "t", "GITHUB_ENV": "/nowhere", "KEPT": "1",
        "GITHUB_PATH": "/nowhere", "PYTHONPATH": "/one:/two", "GITHUB_ACTIONS": "true",
    }  # fmt: skip
    ran = here.run("--tier", "one", "--pytest-args", "-s", env=env)
    assert ran.code == 0, ran.log
    assert set(ran.outcomes) == {"test_variables", "test_commands"}
    lines = ran.log.splitlines()
    assert lines.index("::add-mask::secret=value") < lines.index("::set-output name=x::y")
    (stop,) = [n for n, line in enumerate(lines) if line.startswith("::stop-commands::")]
    token = lines[stop].removeprefix("::stop-commands::")
    assert stop < next(n for n, line in enumerate(lines) if "set-output" in line) < lines.index(f"::{token}::")
    assert "secret=value" not in json.dumps(ran.report)
    without = here.run("--tier", "two")
    assert set(without.outcomes) == {"test_b"}
    assert here.run().code == 2


def test_a_test_that_prints_without_end(consumer: Callable[..., Consumer]) -> None:
    size = 40_000_000
    here = consumer({"test_a.py": f"def test_a():\n    print('x' * {size})\n    assert 0\n"})
    ran = here.run("--reruns", "0")
    assert ran.code == 1
    assert len(ran.log) < 2_000_000
    assert sum(path.stat().st_size for path in ran.folder.rglob("*")) < 4_000_000
    assert len(ran.summary) < 100_000


def test_subtests_are_not_counted_twice(consumer: Callable[..., Consumer]) -> None:
    here = consumer({"test_a.py": """\
        import unittest

        class TestA(unittest.TestCase):
            def test_parts(self):
                for number in range(3):
                    with self.subTest(number=number):
                        self.assertNotEqual(number, 1)

            def test_good(self):
                with self.subTest("fine"):
                    pass
        """})  # fmt: skip
    ran = here.run("--reruns", "0")
    assert ran.code == 1, ran.log
    assert ran.outcomes == {"TestA::test_parts": "failed", "TestA::test_good": "passed"}


def test_names_that_change_from_process_to_process(consumer: Callable[..., Consumer]) -> None:
    text = "import os, pytest\n\n\n@pytest.mark.parametrize('x', [os.getpid()])\ndef test_a(x):\n    pass\n"
    ran = consumer({"test_a.py": text, "test_b.py": "def test_b():\n    pass\n"}).run("--workers", "2")
    assert (ran.code, ran.report["verdict"]) == (1, "failed"), ran.log
    assert "collected different tests" in ran.report["why"]
    assert "test_a.py::test_a[" in ran.report["why"]
    assert len(ran.report["unstable"]) == 2
    assert "Different tests were collected" not in ran.log


def test_an_order_that_changes_from_process_to_process(consumer: Callable[..., Consumer]) -> None:
    text = (
        "import pytest\n\n\n@pytest.mark.parametrize('x', {'n%d' % n for n in range(40)})\ndef test_a(x):\n    pass\n"
    )
    files = {"test_a.py": text, "test_b.py": "def test_b():\n    pass\n"}
    here = consumer(files | {".github/ci-kit.yml": "test: {random-order: false}\n"})
    ran = here.run("--workers", "2")
    assert ran.code == 1, ran.log
    assert "same tests in different orders" in ran.report["why"]
    here.write({".github/ci-kit.yml": "test: {random-order: true}\n"})
    assert here.run("--workers", "2").code == 0, "sorted by the seed, the order is the same everywhere"


def test_thousands_of_tests(consumer: Callable[..., Consumer]) -> None:
    text = "import pytest\n\n\n@pytest.mark.parametrize('x', range(3000))\ndef test_a(x):\n    assert x != 1234\n"
    ran = consumer({"test_a.py": text}).run("--workers", "1", "--reruns", "0", "--coverage", "false")
    assert ran.code == 1
    assert ran.report["counts"] == {"passed": 2999, "failed": 1}
    assert len(ran.summary) < 10_000


def test_a_second_run_leaves_nothing_of_the_first(consumer: Callable[..., Consumer]) -> None:
    here = consumer({"test_a.py": "def test_a():\n    pass\n"})
    first = here.run()
    (first.folder / "coverage" / "coverage.old").write_text("x")
    second = here.run("--coverage", "false")
    assert second.folder == first.folder
    assert second.report["coverage"] is None
    assert not (second.folder / "coverage").exists()
    assert not list((here.temp / "ci-kit" / "test").iterdir())
    assert sorted(path.name for path in here.root.iterdir()) == [".pytest_cache", "test_a.py"]

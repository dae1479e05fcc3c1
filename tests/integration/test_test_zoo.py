"""The suite zoo: small suites with every kind of failure, on several releases of pytest, each told apart."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from integration.consumer import Consumer, Environment

PYTESTS = {"pytest 8.4": "pytest==8.4.2", "pytest 9.0": "pytest==9.0.2", "newest pytest": "pytest"}
NEWEST = "newest pytest"


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Environment]:
    made: dict[str, Environment] = {}

    def get(name: str) -> Environment:
        if name not in made:
            folder = tmp_path_factory.mktemp("zoo") / "venv"
            made[name] = Environment.make(folder, [PYTESTS[name], "coverage", "pytest-asyncio"], sys.executable)
        return made[name]

    return get


@pytest.fixture
def consumer(environments: Callable[[str], Environment], tmp_path: Path) -> Callable[..., Consumer]:
    def make(files: Mapping[str, str], environment: str = NEWEST, config: str = "") -> Consumer:
        more = {".github/ci-kit.yml": f"test: {{{config}}}\n"} if config else {}
        return Consumer.make(tmp_path, environments(environment), {**files, **more})

    return make


@dataclass(frozen=True)
class Told:
    """What is to be said of one failing test."""

    failing: str
    said: str = ""
    polluter: str | None = None
    outcome: str = "failed"


@dataclass(frozen=True)
class Suite:
    """A suite, how it is run, and its failures by id."""

    files: Mapping[str, str]
    told: Mapping[str, Told]
    passed: int
    workers: int = 1
    options: tuple[str, ...] = ()
    config: str = ""
    code: int = 1
    only: str = field(default="")


GOOD = "def test_good():\n    pass\n\n\n"
STATE = "import os\nfrom pathlib import Path\n\nSTATE = Path(__file__).with_suffix('.state')\n\n\n"
HANGS = "import threading\n\n\ndef test_hangs():\n    threading.Event().wait(100)\n\n\n" + GOOD
HOLDS = """\
import os
import socket
import sys
import threading
from pathlib import Path


def test_holds():
    Path("ME.state").touch()
    if hasattr(sys, "held"):
        return
    sys.held = socket.socket()
    sys.held.bind(("127.0.0.1", PORT))
    for _ in range(500 if "PYTEST_XDIST_WORKER" in os.environ else 0):
        if Path("OTHER.state").exists():
            break
        threading.Event().wait(0.01)
"""
ALONE = {
    "test_real.py": GOOD + "def test_it():\n    assert 1 == 2\n",
    "test_in_place.py": STATE + "def test_it():\n    if not STATE.exists():\n        STATE.touch()\n        raise OSError('x')\n",
    "test_once.py": STATE + "def test_it():\n    if not STATE.exists():\n        STATE.write_text(str(os.getpid()))\n"
    "    assert STATE.read_text() != str(os.getpid())\n",
    "test_unit.py": "import unittest\n\n\nclass TestA(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls):\n        cls.x = 1\n\n"
    "    def test_it(self):\n        self.assertEqual(self.x, 2)\n\n    def test_good(self):\n        self.assertEqual(self.x, 1)\n\n"
    "    def test_parts(self):\n        for n in range(3):\n            with self.subTest(n=n):\n                self.assertNotEqual(n, 1)\n\n"
    "    def test_good_parts(self):\n        with self.subTest('fine'):\n            pass\n",
    "pytest.ini": "[pytest]\naddopts = --doctest-modules\nasyncio_default_fixture_loop_scope = function\n",
    "lib.py": 'def doc():\n    """\n    >>> 1 + 1\n    3\n    """\n',
    "test_async.py": "import asyncio\nimport pytest\n\n\n@pytest.mark.asyncio\nasync def test_it():\n    await asyncio.sleep(0)\n"
    "    assert False\n\n\n@pytest.mark.asyncio\nasync def test_good():\n    await asyncio.sleep(0)\n",
    "test_set_up.py": "import pytest\n\n\n@pytest.fixture\ndef broken():\n    raise OSError('gone')\n\n\ndef test_it(broken):\n    pass\n",
}  # fmt: skip
ZOO = {
    "what fails alone, and what does not": Suite(
        ALONE,
        {
            "test_real.py::test_it": Told("real", "fails alone"),
            "test_in_place.py::test_it": Told("flaky", "It failed (OSError: x) and passed in attempt 2.", outcome="passed"),
            "test_once.py::test_it": Told("flaky", "passes alone"),
            "test_unit.py::TestA::test_it": Told("real", "fails alone"),
            "test_unit.py::TestA::test_parts": Told("real", "fails alone"),
            "lib.py::lib.doc": Told("real", "fails alone"),
            "test_async.py::test_it": Told("real", "fails alone"),
            "test_set_up.py::test_it": Told("real", "fails alone", outcome="error"),
        },
        passed=4,
        options=("--seed", "1"),
    ),
    "what depends on the order": Suite(
        {
            "test_polluter.py": GOOD + "def test_pollutes():\n    import sys\n    sys.polluted = True\n",
            "test_victim.py": "import sys\n\n\ndef test_it():\n    assert not hasattr(sys, 'polluted')\n",
            "test_needs.py": "import sys\n\n\ndef test_prepares():\n    sys.ready = True\n\n\n" + GOOD
            + "def test_needy():\n    assert hasattr(sys, 'ready')\n",
        },
        {
            "test_victim.py::test_it": Told("order-dependent", "fails after", "test_polluter.py::test_pollutes"),
            "test_needs.py::test_needy": Told("order-dependent", "passes after", "test_needs.py::test_prepares"),
        },
        passed=4,
        options=("--seed", "3"),
    ),
    "what ends or holds up its process": Suite(
        {
            "test_aborts.py": "import os\n\n\ndef test_it():\n    os.abort()\n\n\n" + GOOD,
            "test_leaves.py": "import os\n\n\ndef test_it():\n    os._exit(0)\n\n\n" + GOOD,
            "test_waits.py": HANGS,
        },
        {
            "test_aborts.py::test_it": Told("crashed", "SIGABRT"),
            "test_leaves.py::test_it": Told("crashed", "exit code 0"),
            "test_waits.py::test_hangs": Told("hung", "within 2 s"),
        },
        passed=3,
        config="test-timeout: 2s",
    ),
    "the same on workers": Suite(
        {
            "test_aborts.py": "import os\n\n\ndef test_it():\n    os.abort()\n\n\n" + GOOD,
            "test_pollutes.py": "import sys\n\n\ndef test_pollutes():\n    sys.polluted = True\n\n\n"
            "def test_it():\n    assert not hasattr(sys, 'polluted')\n",
            "test_waits.py": HANGS,
        },
        {
            "test_aborts.py::test_it": Told("crashed", "SIGABRT"),
            "test_pollutes.py::test_it": Told("order-dependent", "fails after", "test_pollutes.py::test_pollutes"),
            "test_waits.py::test_hangs": Told("hung", "within 2 s"),
        },
        passed=3,
        workers=2,
        config="test-timeout: 2s, random-order: false",
    ),
    "thousands": Suite(
        {"test_a.py": "import pytest\n\n\n@pytest.mark.parametrize('x', range(3000))\ndef test_many(x):\n    pass\n\n\n"
         "def test_it():\n    assert 0\n"},
        {"test_a.py::test_it": Told("real", "fails alone")},
        passed=3000,
        only=NEWEST,
    ),
}  # fmt: skip
CASES = [(name, release) for name, suite in ZOO.items() for release in PYTESTS if suite.only in ("", release)]


@pytest.mark.parametrize(("name", "environment"), CASES)
def test_every_kind_is_told(consumer: Callable[..., Consumer], name: str, environment: str) -> None:
    suite = ZOO[name]
    here = consumer(suite.files, environment, suite.config)
    ran = here.run(*suite.options, "--workers", str(suite.workers), "--coverage", "false", "--reruns", "1")
    assert ran.code == suite.code, ran.log
    results = ran.report["results"]
    found = {result["id"]: result for result in results if result["class"] is not None}
    assert {test: (result["class"], result["outcome"], result["polluter"]) for test, result in found.items()} == {
        test: (told.failing, told.outcome, told.polluter) for test, told in suite.told.items()
    }, ran.log
    for test, told in suite.told.items():
        assert told.said in f"{found[test]['evidence']} {found[test]['message']}"
        assert found[test]["reproduce"].startswith("python -m pytest "), found[test]
    assert ran.report["counts"].get("passed", 0) == suite.passed + sum(
        t.outcome == "passed" for t in suite.told.values()
    )
    assert sorted(result["id"] for result in results) == sorted(ran.report["collected"])


@pytest.mark.parametrize("environment", PYTESTS)
def test_what_fails_only_beside_others(consumer: Callable[..., Consumer], environment: str) -> None:
    """Two tests want the same port as long as their process lives. Which one loses is a matter of luck."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    text = HOLDS.replace("PORT", str(port))
    here = consumer(
        {
            "test_a.py": text.replace("ME", "a").replace("OTHER", "b"),
            "test_b.py": text.replace("ME", "b").replace("OTHER", "a"),
        },
        environment,
        "random-order: false",
    )
    ran = here.run("--workers", "2", "--coverage", "false", "--reruns", "0")
    assert ran.code == 1, ran.log
    (failed,) = [result for result in ran.report["results"] if result["class"] is not None]
    other = "test_b.py::test_holds" if failed["id"].startswith("test_a") else "test_a.py::test_holds"
    assert (failed["class"], failed["polluter"]) == ("parallel-unsafe", other), failed
    assert failed["reproduce"] == f"python -m pytest -n 2 --dist load {other} {failed['id']}"


def test_the_command_reproduces_what_it_says(consumer: Callable[..., Consumer]) -> None:
    here = consumer(
        {
            "test_a.py": GOOD + "def test_pollutes():\n    import sys\n    sys.polluted = True\n\n\n"
            + "def test_it():\n    import sys\n    assert not hasattr(sys, 'polluted')\n"
        },
        config="random-order: false",
    )  # fmt: skip
    ran = here.run("--workers", "1", "--coverage", "false", "--reruns", "0")
    command = ran.result("::test_it")["reproduce"].split()
    assert command[:3] == ["python", "-m", "pytest"]
    assert "1 failed, 1 passed" in here.pytest(*command[3:]).stdout
    assert "1 passed" in here.pytest(command[-1]).stdout

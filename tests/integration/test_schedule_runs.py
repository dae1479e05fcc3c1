"""The scheduler on real xdist workers: every test once, together what belongs together, whatever dies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from integration.consumer import Environment, find_python
from integration.scheduled import Run, Suite

PACKAGES = {
    "pytest 7.4": ("pytest==7.4.4", "pytest-xdist", "pytest-reportlog", "pytest-rerunfailures<15"),
    "newest pytest": ("pytest", "pytest-xdist", "pytest-reportlog", "pytest-rerunfailures"),
}
TRIVIAL = "import pytest\n\n\n@pytest.mark.parametrize('n', range({count}))\ndef test_n(n):\n    pass\n"


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Environment]:
    """Environments by name, each made when it is first asked for."""
    made: dict[str, Environment] = {}

    def get(name: str) -> Environment:
        if name not in made:
            oldest = find_python("3.9") if name == "pytest 7.4" else None
            folder = tmp_path_factory.mktemp("environment") / "venv"
            made[name] = Environment.make(folder, PACKAGES[name], oldest or sys.executable)
        return made[name]

    return get


@pytest.fixture
def suite(environments: Callable[[str], Environment], tmp_path: Path) -> Callable[..., Suite]:
    """Makes a suite from its files, with the newest pytest unless another is named."""

    def make(files: dict[str, str], environment: str = "newest pytest") -> Suite:
        made = Suite(tmp_path, environments(environment).python)
        made.write(files)
        return made

    return make


def each_once(ran: Run, count: int) -> None:
    assert len(ran.outcomes) == count, ran.output
    assert all(len(found) == 1 for found in ran.outcomes.values()), ran.output


MIXED = """\
    import pytest

    class TestA:
        def test_1(self): pass
        def test_2(self): pass
        class TestInner:
            def test_3(self): pass

    class TestB:
        @pytest.mark.parametrize("x", ["a::b", "c[d]"])
        def test_4(self, x): pass

    def test_5(): pass
    def test_6(): pass
    """


@pytest.mark.parametrize("environment", PACKAGES)
@pytest.mark.parametrize("scope", ["auto", "class", "module", "file", "none"])
def test_every_scope_runs_every_test_once(suite: Callable[..., Suite], environment: str, scope: str) -> None:
    ran = suite({f"test_{name}.py": MIXED for name in "abcd"}, environment).run(scope=scope)
    assert ran.code == 0, ran.output
    each_once(ran, 28)
    assert ran.schedule is not None
    assert ran.schedule["units"] == {"auto": 4, "class": 12, "module": 4, "file": 4, "none": 28}[scope]
    assert ran.schedule["makespan"] >= ran.schedule["lower-bound"] * 0.99
    if scope != "none":
        for file in "abcd":
            for parts in (("::test_5", "::test_6"), ("::test_1", "::test_2", "::TestInner::test_3")):
                homes = {
                    worker
                    for worker, names in ran.workers.items()
                    for name in names
                    if name.startswith(f"test_{file}") and name.endswith(parts)
                }
                assert len(homes) == 1


def test_a_module_beyond_the_fair_share_is_cut_and_that_is_said(suite: Callable[..., Suite]) -> None:
    here = suite({"test_big.py": TRIVIAL.format(count=80), "test_small.py": TRIVIAL.format(count=10)})
    ran = here.run(workers=2)
    assert ran.code == 0, ran.output
    each_once(ran, 90)
    assert ran.schedule is not None
    (cut,) = ran.schedule["cut"]
    assert cut["file"] == "test_big.py"
    assert cut["pieces"] == ran.schedule["units"] - 1
    homes = {worker for worker, names in ran.workers.items() if any("test_big" in name for name in names)}
    assert len(homes) == 2


GROUPED = """\
    import pytest

    @pytest.mark.xdist_group("db")
    def test_grouped(): pass

    def test_free(): pass

    @pytest.mark.xdist_group(name="other")
    class TestWhole:
        def test_1(self): pass
        def test_2(self): pass
    """


@pytest.mark.parametrize("environment", PACKAGES)
@pytest.mark.parametrize("scope", ["auto", "module", "none"])
def test_groups_are_on_one_worker(suite: Callable[..., Suite], environment: str, scope: str) -> None:
    here = suite(
        {**{f"test_{n}.py": GROUPED for n in range(6)}, **{f"test_x{n}.py": TRIVIAL.format(count=9) for n in range(4)}},
        environment,
    )
    ran = here.run(workers=3, scope=scope)
    assert ran.code == 0, ran.output
    each_once(ran, 60)
    assert not any("@" in name for name in ran.outcomes)
    for ending in ("::test_grouped", "::test_1", "::test_2"):
        ran.worker_of(ending)
    assert ran.worker_of("TestWhole::test_1") == ran.worker_of("TestWhole::test_2")


DEADLY = """\
    import os

    def test_before(): pass
    def test_deadly(): os._exit(3)
    def test_after(): pass
    def test_last(): pass
    """


@pytest.mark.parametrize("environment", PACKAGES)
@pytest.mark.parametrize("scope", ["auto", "module", "none"])
@pytest.mark.parametrize("reruns", ["0", "2"])
def test_a_deadly_test_is_reported_once_and_all_others_run(
    suite: Callable[..., Suite], environment: str, scope: str, reruns: str
) -> None:
    here = suite(
        {**{f"test_{n}.py": TRIVIAL.format(count=9) for n in range(4)}, "test_x.py": DEADLY, "test_y.py": DEADLY},
        environment,
    )
    ran = here.run(f"--reruns={reruns}", scope=scope)
    assert ran.code == 1, ran.output
    each_once(ran, 44)
    failed = sorted(name for name, found in ran.outcomes.items() if found == ["failed"])
    assert failed == ["test_x.py::test_deadly", "test_y.py::test_deadly"]


@pytest.mark.parametrize("environment", PACKAGES)
def test_every_worker_dies_and_the_last_test_is_deadly(suite: Callable[..., Suite], environment: str) -> None:
    files = {f"test_{n}.py": "import os\n\n\ndef test_deadly():\n    os._exit(0)\n" for n in range(4)}
    ran = suite(files, environment).run()
    assert ran.code == 1, ran.output
    each_once(ran, 4)
    assert all(found == ["failed"] for found in ran.outcomes.values())


def test_no_worker_may_be_replaced(suite: Callable[..., Suite]) -> None:
    here = suite({**{f"test_{n}.py": TRIVIAL.format(count=3) for n in range(6)}, "test_x.py": DEADLY})
    ran = here.run("--max-worker-restart=0")
    assert ran.code != 0, ran.output
    assert "worker restarting disabled" in ran.output
    assert all(len(found) == 1 for found in ran.outcomes.values())


@pytest.mark.parametrize("environment", PACKAGES)
def test_stop_at_the_first_failure(suite: Callable[..., Suite], environment: str) -> None:
    text = "import pytest, time\n\n\n@pytest.mark.parametrize('n', range(200))\ndef test_n(n):\n    time.sleep(0.02)\n    assert n != 3\n"
    ran = suite({"test_a.py": text, "test_b.py": text.replace("!= 3", ">= 0")}, environment).run("-x", scope="file")
    assert ran.code in (1, 2), ran.output
    assert len(ran.outcomes) < 120, "what was not sent yet did not run"
    assert ran.schedule is None


@pytest.mark.parametrize("environment", PACKAGES)
def test_names_that_differ_from_worker_to_worker(suite: Callable[..., Suite], environment: str) -> None:
    unstable = "import os, pytest\n\n\n@pytest.mark.parametrize('x', [os.getpid()])\ndef test_a(x):\n    pass\n"
    ran = suite({"test_a.py": unstable, "test_b.py": TRIVIAL.format(count=5)}, environment).run(timeout_seconds=60)
    assert ran.code == 1, ran.output
    assert "collected other tests" in ran.output
    assert not ran.outcomes


def test_a_replacement_that_collects_differently(suite: Callable[..., Suite]) -> None:
    text = """\
        import os, pytest

        NAME = "new" if os.environ["PYTEST_XDIST_WORKER"] > "gw1" else "old"

        @pytest.mark.parametrize("x", [NAME])
        def test_a(x): pass
        """
    ran = suite({"test_a.py": text, "test_b.py": DEADLY}).run(timeout_seconds=60, scope="file")
    assert ran.code == 1, ran.output
    assert "gw2 collected" in ran.output
    assert "test_a.py::test_a[old]" in ran.outcomes
    assert all(len(found) == 1 for found in ran.outcomes.values())


def test_more_workers_than_tests(suite: Callable[..., Suite]) -> None:
    ran = suite({"test_a.py": "def test_a():\n    pass\n"}).run(workers=3)
    assert ran.code == 0, ran.output
    each_once(ran, 1)


def test_nothing_collected(suite: Callable[..., Suite]) -> None:
    ran = suite({"test_a.py": "x = 1\n"}).run()
    assert ran.code == 5, ran.output
    assert ran.schedule is None


def test_the_consumers_own_scheduler_wins(suite: Callable[..., Suite]) -> None:
    conftest = """\
        from xdist.scheduler import LoadScheduling

        def pytest_xdist_make_scheduler(config, log):
            print("theirs")
            return LoadScheduling(config, log)
        """
    ran = suite({"conftest.py": conftest, "test_a.py": TRIVIAL.format(count=9)}).run("-s")
    assert ran.code == 0, ran.output
    assert "theirs" in ran.output
    assert ran.schedule is None


def test_each_is_left_to_xdist(suite: Callable[..., Suite]) -> None:
    ran = suite({"test_a.py": TRIVIAL.format(count=3)}).run("--dist=each")
    assert ran.code == 0, ran.output
    assert [len(found) for found in ran.outcomes.values()] == [2, 2, 2]
    assert ran.schedule is None


def test_known_durations_decide(suite: Callable[..., Suite]) -> None:
    here = suite({f"test_{n}.py": "def test_a():\n    pass\n" for n in range(12)})
    ran = here.run(durations={f"test_{n}.py::test_a": float(n + 1) for n in range(12)})
    assert ran.code == 0, ran.output
    firsts = {names[0] for names in ran.workers.values()}
    assert firsts <= {"test_11.py::test_a", "test_10.py::test_a"}

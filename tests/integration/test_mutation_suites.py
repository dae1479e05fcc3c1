"""Mutants in suites of every kind: the right verdict, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.selective_mutation.budget import Limits
from integration.mutation_kit import USUAL, Project, environment, shop, usual


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment("newest", tmp_path_factory)


LAYOUTS = {
    "flat": ("shop.py", "shop", {}),
    "package": ("shop/prices.py", "shop.prices", {"shop/__init__.py": ""}),
    "src": ("src/shop/prices.py", "shop.prices", {"src/shop/__init__.py": "", "pyproject.toml": ""}),
    "namespace": ("src/firm/shop/prices.py", "firm.shop.prices", {"src/firm/shop/__init__.py": ""}),
    "importlib": ("shop.py", "shop", {"pytest.ini": "[pytest]\naddopts = --import-mode=importlib\npythonpath = .\n"}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, python: Path, tmp_path: Path) -> None:
    code, package, more = LAYOUTS[layout]
    project = shop(tmp_path / "project", python, code=code, package=package, more=more)
    before = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    run = project.judge(*usual(project, code))
    assert [verdict.status for verdict in run.verdicts] == USUAL
    assert [verdict.how for verdict in run.verdicts[:2]] == ["fork", "fresh"]
    assert run.verdicts[0].killer == "tests/test_shop.py::test_price"
    assert run.verdicts[1].tests == ("tests/test_shop.py::test_price",)
    assert run.why_fresh == ""
    after = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    assert after == before, "the source tree is not touched"


def test_the_oldest_python_and_pytest(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    project = shop(tmp_path / "project", environment("oldest", tmp_path_factory), code="shop.py", package="shop")
    run = project.judge(*usual(project, "shop.py"))
    assert [(verdict.status, verdict.how) for verdict in run.verdicts[:2]] == [
        ("killed", "fork"),
        ("survived", "fresh"),
    ]


def test_options_of_other_plugins_and_strict_warnings_do_not_interfere(python: Path, tmp_path: Path) -> None:
    settings = """\
        [pytest]
        addopts = -n 2 --dist loadfile --cov=shop --cov-fail-under=100 --cov-report=xml -x --lf --strict-config
        cache_dir = .theirs
        filterwarnings = error
        asyncio_default_fixture_loop_scope = function
    """
    more = {"pytest.ini": settings, ".coveragerc": "[run]\nbranch = true\ncontext = theirs\nsource = nowhere\n"}
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more=more)
    assert [verdict.status for verdict in project.judge(*usual(project, "shop.py")).verdicts] == USUAL


def test_asyncio_with_a_loop_and_fixtures_of_the_session(python: Path, tmp_path: Path) -> None:
    files = {
        "pytest.ini": "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = session\n",
        "tills.py": "async def add(one, other):\n    return one + other\n\n\ndef opened():\n    return 'open'\n",
        "test_tills.py": """\
            import pytest, pytest_asyncio
            from tills import add, opened

            @pytest_asyncio.fixture(scope="session", loop_scope="session")
            async def till():
                assert await add(1, 1) == 2
                return opened()

            @pytest.mark.asyncio(loop_scope="session")
            async def test_first(till):
                pass

            @pytest.mark.asyncio(loop_scope="session")
            async def test_second(till):
                assert till == "open"
        """,
    }
    project = Project.make(tmp_path / "project", python, files)
    run = project.tried(("tills.py", "add", "one + other", "one - other"), ("tills.py", "opened", "'open'", "'shut'"))
    assert [verdict.status for verdict in run.verdicts] == ["killed", "killed"]
    # The set-up ran in the first test, and only the second looks at what it made.
    assert run.verdicts[1].killer == "test_tills.py::test_second"


def test_unittest_classes_with_a_shared_set_up(python: Path, tmp_path: Path) -> None:
    files = {
        "stock.py": "def filled():\n    return [1, 2]\n\n\ndef emptied(stock):\n    stock.clear()\n    return stock\n",
        "test_stock.py": """\
            import unittest
            from stock import emptied, filled

            class TestStock(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    cls.stock = filled()

                def test_a_is_a_list(self):
                    self.assertIsInstance(self.stock, list)

                def test_b_has_two(self):
                    self.assertEqual(len(self.stock), 2)

                def test_c_is_emptied(self):
                    self.assertIsInstance(emptied([1]), list)
        """,
    }
    project = Project.make(tmp_path / "project", python, files)
    run = project.tried(("stock.py", "filled", "[1, 2]", "[1]"), ("stock.py", "emptied", "stock.clear()", "pass"))
    assert [verdict.status for verdict in run.verdicts] == ["killed", "survived"]
    assert run.verdicts[0].killer == "test_stock.py::TestStock::test_b_has_two"


def test_a_suite_with_a_thread_at_collection_runs_in_fresh_processes(python: Path, tmp_path: Path) -> None:
    keeper = "import threading\nstop = threading.Event()\nthreading.Thread(target=stop.wait, daemon=True).start()\n"
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more={"conftest.py": keeper})
    run = project.judge(*usual(project, "shop.py"))
    assert [verdict.status for verdict in run.verdicts] == USUAL
    assert {verdict.how for verdict in run.verdicts[:2]} == {"fresh"}
    assert "is alive after the collection" in run.why_fresh


def test_a_suite_that_notices_a_fork_runs_in_fresh_processes(python: Path, tmp_path: Path) -> None:
    more = {"tests/test_process.py": "import os\nfrom shop import price\nPID = os.getpid()\n\n\n"
            "def test_same():\n    assert price(1, 0) == 1\n    assert os.getpid() == PID\n"}  # fmt: skip
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more=more)
    run = project.judge(*usual(project, "shop.py"))
    assert [verdict.status for verdict in run.verdicts] == USUAL
    assert "did not survive in a fork" in run.why_fresh
    assert "test_same" in run.why_fresh


def test_hanging_dying_and_filling_the_memory(python: Path, tmp_path: Path) -> None:
    files = {
        "loops.py": """\
            import os, time

            def count(limit):
                found = 0
                while found < limit:
                    found += 1
                return found

            def leave(really):
                if really:
                    os._exit(0)
                return 1

            def rest(seconds):
                time.sleep(seconds)
                return 2

            def fill(times):
                return bytearray(10 * times)
        """,
        "test_loops.py": """\
            import loops

            def test_count():
                assert loops.count(3) == 3

            def test_leave():
                assert loops.leave(False) == 1

            def test_rest():
                assert loops.rest(0) == 2

            def test_fill():
                assert loops.fill(1)
        """,
    }
    project = Project.make(tmp_path / "project", python, files)
    run = project.judge(
        project.mutant("loops.py", "count", "found += 1", "found -= 1"),
        project.mutant("loops.py", "leave", "if really", "if not really"),
        project.mutant("loops.py", "rest", "(seconds)\n", "(seconds + 3600)\n"),
        project.mutant("loops.py", "fill", "10 * times", "10 ** 15 * times"),
        limits=Limits(budget_seconds=200, floor_seconds=0.5, workers=2),
    )
    assert [verdict.status for verdict in run.verdicts] == ["timeout", "killed", "timeout", "killed"]
    assert [verdict.killer for verdict in run.verdicts] == [
        f"test_loops.py::test_{name}" for name in ("count", "leave", "rest", "fill")
    ]


def test_code_that_runs_at_import_is_judged_in_a_fresh_process(python: Path, tmp_path: Path) -> None:
    files = {
        "table.py": """\
            def doubled(numbers, times=2):
                return [times * number for number in numbers]

            TABLE = doubled([1, 2])
            UNSEEN = 3

            def last():
                return TABLE[-1]
        """,
        "test_table.py": "import table\n\n\ndef test_last():\n    assert table.last() == 4\n",
    }
    project = Project.make(tmp_path / "project", python, files)
    run = project.judge(
        project.mutant("table.py", "doubled", "times * number", "times + number + 1"),
        project.mutant("table.py", "", "times=2", "times=3"),
        project.mutant("table.py", "", "[1, 2]", "[1"),
        project.mutant("table.py", "", "UNSEEN = 3", "UNSEEN = 4"),
    )
    assert [(verdict.status, verdict.how) for verdict in run.verdicts] == [
        ("killed", "fresh"), ("killed", "fresh"), ("killed", "fresh"), ("survived", "fresh"),
    ]  # fmt: skip
    assert run.verdicts[2].killer == "test_table.py", "it cannot be imported any more"


def test_code_of_other_processes_is_covered_and_judged(python: Path, tmp_path: Path) -> None:
    files = {
        "tool.py": "import sys\n\n\ndef main():\n    print('sum', 1 + 1)\n\n\nif __name__ == '__main__':\n    main()\n",
        "test_tool.py": """\
            import subprocess, sys
            import tool

            def test_output():
                done = subprocess.run([sys.executable, "-m", "tool"], capture_output=True, text=True)
                assert done.stdout == "sum 2\\n"

            def test_import():
                assert tool.sys
        """,
        "other.py": "def called():\n    return 5\n",
        "test_other.py": "from other import called\n\n\ndef test_called():\n    assert called() == 5\n",
    }
    project = Project.make(tmp_path / "project", python, files)
    mutants = (
        project.mutant("tool.py", "main", "1 + 1", "1 - 1"),
        project.mutant("other.py", "called", "return 5", "return 6"),
    )
    run = project.judge(*mutants)
    assert [(verdict.status, verdict.how) for verdict in run.verdicts] == [("killed", "fresh"), ("killed", "fork")]
    assert run.verdicts[0].tests == ("test_tool.py::test_output",)


def test_a_module_that_a_test_imports_belongs_to_no_test(python: Path, tmp_path: Path) -> None:
    files = {
        "late.py": "def answer():\n    return 42\n\n\nVALUE = answer()\n",
        "near.py": "def one():\n    return 1\n",
        "test_late.py": """\
            from near import one

            def test_a_imports():
                import late
                assert late.VALUE and one() == 1

            def test_b_looks():
                import late
                assert late.VALUE == 42
        """,
    }
    project = Project.make(tmp_path / "project", python, files)
    mutants = (
        project.mutant("late.py", "answer", "return 42", "return 43"),
        project.mutant("near.py", "one", "return 1", "return 2"),
    )
    run = project.judge(*mutants)
    assert [(verdict.status, verdict.killer) for verdict in run.verdicts] == [
        ("killed", "test_late.py::test_b_looks"), ("killed", "test_late.py::test_a_imports"),
    ]  # fmt: skip


def test_a_test_that_fails_alone_is_no_witness(python: Path, tmp_path: Path) -> None:
    files = {
        "flags.py": "STATE = []\n\n\ndef flag(value):\n    return bool(value)\n\n\ndef start():\n    STATE.append(1)\n",
        "test_flags.py": """\
            from flags import STATE, flag, start

            def test_a_starts():
                start()

            def test_b_depends_on_the_first():
                assert flag(True) in (True, 7)
                assert STATE
        """,
    }
    project = Project.make(tmp_path / "project", python, files)
    run = project.judge(
        project.mutant("flags.py", "flag", "bool(value)", "7"),
        project.mutant("flags.py", "start", "append(1)", "append(0)"),
        project.mutant("flags.py", "start", "STATE.append(1)", "none.append(1)"),
    )
    assert [verdict.status for verdict in run.verdicts] == ["no-coverage", "survived", "killed"]
    assert run.why_fresh == ""
    assert run.distrusted == ("test_flags.py::test_b_depends_on_the_first",)


def test_red_without_mutants_is_refused(python: Path, tmp_path: Path) -> None:
    more = {"tests/test_red.py": "def test_red():\n    assert 1 == 2\n"}
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more=more)
    with pytest.raises(InfrastructureFailure, match=r"not green without any mutant.*test_red"):
        project.judge(*usual(project, "shop.py"))
    run = project.judge(*usual(project, "shop.py"), arguments=("--deselect=tests/test_red.py::test_red",))
    assert [verdict.status for verdict in run.verdicts] == USUAL


def test_no_tests_is_refused(python: Path, tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", python, {"shop.py": "def price():\n    return 1\n"})
    with pytest.raises(CallerMistake, match="collects no tests"):
        project.judge(project.mutant("shop.py", "price", "return 1", "return 2"))


def test_an_import_from_elsewhere_is_refused(python: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "shop.py").write_text("def price(net, rate):\n    return 119\n", encoding="utf-8")
    more = {"conftest.py": f"import sys\nsys.path.insert(0, {str(installed)!r})\n"}
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more=more)
    with pytest.raises(InfrastructureFailure, match=r"import shop\.py from .*installed.*not from the checkout"):
        project.judge(*usual(project, "shop.py"))


def test_a_function_that_swallows_everything_has_no_control(python: Path, tmp_path: Path) -> None:
    files = {
        "calm.py": "def calm():\n    return 1\n",
        "test_calm.py": """\
            import contextlib
            import calm

            def test_calm():
                with contextlib.suppress(Exception):
                    calm.calm()
        """,
    }
    project = Project.make(tmp_path / "project", python, files)
    with pytest.raises(InfrastructureFailure, match="a forced failure was not noticed"):
        project.judge(project.mutant("calm.py", "calm", "return 1", "return 2"))


def test_a_function_of_three_thousand_lines(python: Path, tmp_path: Path) -> None:
    lines = "".join(f"    total += {number} * x\n" for number in range(3000))
    files = {
        "long.py": f"def long(x):\n    total = 0\n{lines}    return total\n",
        "test_long.py": "from long import long\n\n\ndef test_long():\n    assert long(1) == sum(range(3000))\n",
    }
    project = Project.make(tmp_path / "project", python, {})
    for name, text in files.items():
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / name).write_text(text, encoding="utf-8")
    run = project.judge(
        project.mutant("long.py", "long", "total += 2999 * x", "total -= 2999 * x"),
        project.mutant("long.py", "long", "total = 0", "total = -0"),
    )
    assert [verdict.status for verdict in run.verdicts] == ["killed", "survived"]


def test_an_editable_installation_is_imported_from_the_copy(python: Path, tmp_path: Path) -> None:
    project = shop(tmp_path / "project", python, code="lib/shop.py", package="shop")
    run = project.judge(*usual(project, "lib/shop.py"), environ={"PYTHONPATH": str(project.folder / "lib")})
    assert [verdict.status for verdict in run.verdicts] == USUAL


def test_nested_functions_methods_and_closures(python: Path, tmp_path: Path) -> None:
    files = {
        "nested.py": """\
            import functools

            def noting(function):
                @functools.wraps(function)
                def wrapper(*values):
                    return function(*values) + 1
                return wrapper

            class Base:
                def size(self):
                    return 1

            class Child(Base):
                def __hidden(self):
                    return 10

                def size(self):
                    return super().size() + self.__hidden()

                @property
                def twice(self):
                    return 2 * self.size()

                @staticmethod
                @noting
                def noted(value):
                    return value * 3
        """,
        "test_nested.py": """\
            from nested import Child

            def test_child():
                assert Child().size() == 11
                assert Child().twice == 22
                assert Child.noted(2) == 7
        """,
    }
    project = Project.make(tmp_path / "project", python, files)
    run = project.judge(
        project.mutant("nested.py", "noting.<locals>.wrapper", "(*values) + 1", "(*values) - 1"),
        project.mutant("nested.py", "Child.__hidden", "return 10", "return 11"),
        project.mutant("nested.py", "Child.size", "super().size() +", "super().size() -"),
        project.mutant("nested.py", "Child.twice", "2 * self", "3 * self"),
        project.mutant("nested.py", "Child.noted", "value * 3", "value * 4"),
        project.mutant("nested.py", "", "    @noting\n", "\n"),
    )
    assert [(verdict.status, verdict.how) for verdict in run.verdicts] == [("killed", "fork")] * 5 + [
        ("killed", "fresh")
    ]


def test_the_budget_leaves_the_rest_pending_and_the_next_run_goes_on(python: Path, tmp_path: Path) -> None:
    project = shop(tmp_path / "project", python, code="shop.py", package="shop")
    # A survivor takes a fork and a process of its own: no machine judges so many in the time.
    mutants = [project.mutant("shop.py", "price", "net < 0", f"net < -{number}") for number in range(1, 2000)]
    limits = Limits(budget_seconds=25, workers=1)
    first = project.judge(*mutants, limits=limits)
    reached = sum(verdict.status == "survived" for verdict in first.verdicts)
    assert 0 < reached < len(mutants)
    assert {verdict.status for verdict in first.verdicts} == {"survived", "pending"}
    second = project.judge(*mutants, limits=limits)
    assert second.resumed == reached
    assert sum(verdict.status == "survived" for verdict in second.verdicts) > reached

"""A second run over the same project: what the first one left makes it quicker, and no verdict other."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.selective_mutation.running import Run
from integration.mutation_kit import USUAL, Project, environment, shop, usual

FILES = {
    "stock.py": """\
        NAMES = []

        def add(one, other):
            return one + other

        def twice(one):
            return 2 * one

        def named(name):
            NAMES.append(name)
            return name.upper()

        def waits(seconds):
            while seconds:
                seconds -= 1
            return "done"

        def odd(number):
            return number % 2 == 1
    """,
    "test_stock.py": """\
        import stock

        def test_add():
            assert stock.add(1, 2) == 3

        def test_twice():
            assert stock.twice(4) == 8

        def test_named():
            before = len(stock.NAMES)
            assert before == 0
            assert stock.named("a") == "A"
            assert stock.NAMES == ["a"]
            stock.NAMES.clear()

        def test_waits():
            assert stock.waits(3) == "done"

        def test_odd():
            assert stock.odd(1)
    """,
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment("newest", tmp_path_factory)


def told(run: Run) -> list[tuple[str, str | None]]:
    return [(verdict.status, verdict.killer) for verdict in run.verdicts]


def test_what_was_noticed_is_asked_again_and_what_survived_is_known(python: Path, tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project", python, FILES)
    mutants = [
        project.mutant("stock.py", "add", "one + other", "one - other"),
        project.mutant("stock.py", "twice", "2 * one", "3 * one"),
        # It leaves a name behind, with which its own test fails without any mutant.
        project.mutant("stock.py", "named", "name.upper()", "name.lower()"),
        project.mutant("stock.py", "named", "NAMES.append(name)", "NAMES.append(None)"),
        project.mutant("stock.py", "waits", "seconds -= 1", "seconds += 1"),
        project.mutant("stock.py", "waits", '"done"', '"gone"'),
        project.mutant("stock.py", "odd", "% 2 == 1", "% 3 == 1"),
    ]
    cache = tmp_path / "cache.json"
    first = project.judge(*mutants, cache=cache)
    test = "test_stock.py::test_"
    assert told(first) == [
        ("killed", f"{test}add"), ("killed", f"{test}twice"), ("killed", f"{test}named"), ("killed", f"{test}named"),
        ("timeout", f"{test}waits"), ("killed", f"{test}waits"), ("survived", None),
    ]  # fmt: skip
    again = project.judge(*mutants, cache=cache)
    assert told(again) == told(first)
    assert [verdict.how for verdict in again.verdicts] == ["fork"] * 6 + ["cache"]
    project.write(
        "test_stock.py", FILES["test_stock.py"].replace("== 8", "> 0").replace("stock.odd(1)", "not stock.odd(4)")
    )
    after = project.judge(*mutants, cache=cache)
    expected = told(first)
    expected[1], expected[6] = ("survived", None), ("killed", f"{test}odd")
    assert told(after) == expected


def test_a_suite_that_notices_a_fork_does_so_again(python: Path, tmp_path: Path) -> None:
    test = """\
        import os
        from shop import price
        PID = os.getpid()

        def test_same():
            assert os.getpid() == PID
            assert price(100, 19) == 119
    """
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more={"tests/test_shop.py": test})
    cache = tmp_path / "cache.json"
    for _ in range(2):
        run = project.judge(*usual(project, "shop.py"), cache=cache)
        assert [verdict.status for verdict in run.verdicts] == USUAL
        assert run.distrusted == ()
    assert run.verdicts[0].killer == "tests/test_shop.py::test_same"


def test_a_plugin_of_the_project_is_imported_anew_for_every_mutant(python: Path, tmp_path: Path) -> None:
    plugin = "from shop import price\nPRICE = price(100, 19)\n"
    test = "from shop_plugin import PRICE\n\n\ndef test_price():\n    assert PRICE == 119\n"
    more = {
        "pytest.ini": "[pytest]\naddopts = -p shop_plugin\n",
        "shop_plugin.py": plugin,
        "tests/test_plugin.py": test,
    }
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more=more)
    (project.folder / "tests/test_shop.py").write_text(
        "from shop import price\n\n\ndef test_call():\n    assert price(1, 0) is not None\n", encoding="utf-8"
    )
    run = project.judge(*usual(project, "shop.py"))
    assert [verdict.status for verdict in run.verdicts] == USUAL
    assert (run.verdicts[0].killer, run.verdicts[0].how) == ("tests/test_plugin.py::test_price", "fresh")

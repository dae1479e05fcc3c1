"""Whatever a change breaks is among the tests that it is said to affect: real suites, recorded, changed and run whole."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from integration.consumer import Environment, find_python
from integration.pipeline_kit import write
from tooling.recorded import Recorded, pytest_in, record

SHOP: Mapping[str, str] = {
    "pytest.ini": "[pytest]\naddopts = --doctest-modules\ntestpaths = src tests\n",
    "src/shop/__init__.py": "from .price import *\nfrom .kinds import Book\n",
    "src/shop/price.py": (
        "from .rates import RATES\n"
        "__all__ = ['total', 'cheap']\n"
        "LIMIT = 10\n\n"
        "def rounded(function):\n    def inner(*args):\n        return round(function(*args), 2)\n    return inner\n\n"
        "@rounded\ndef total(x, kind='a'):\n    return x * RATES[kind]\n\n"
        "def cheap(x):\n    return x < LIMIT\n"
    ),
    "src/shop/rates.py": "def load():\n    return {'a': 2, 'b': 3}\n\nRATES = load()\n",
    "src/shop/kinds.py": (
        "class Thing:\n    def name(self):\n        return 'thing'\n\n    def label(self):\n        return f'<{self.name()}>'\n\n"
        "class Book(Thing):\n    pages = 3\n"
    ),
    "src/shop/plugins/__init__.py": "import importlib\n\ndef find(name):\n    return importlib.import_module(f'shop.plugins.{name}')\n",
    "src/shop/plugins/post.py": "COST = 4\n\ndef cost():\n    return 5\n",
    "src/shop/stock.py": (
        "import functools\nfrom pathlib import Path\n\n"
        "@functools.lru_cache\ndef stock():\n    return parse(Path(__file__).with_name('stock.csv').read_text())\n\n"
        "def parse(text):\n    return [int(word) for word in text.split(';')]\n"
    ),
    "src/shop/stock.csv": "1;2;3\n",
    "src/shop/doc.py": 'def double(x):\n    """Twice.\n\n    >>> double(2)\n    4\n    """\n    return x * 2\n',
    "src/shop/tool.py": "def main():\n    print('done')\n\nif __name__ == '__main__':\n    main()\n",
    "tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef ten():\n    return 10\n",
    "tests/stocks/conftest.py": (
        "import pytest\nfrom shop import stock\n\n"
        "@pytest.fixture(scope='session')\ndef numbers():\n    return stock.stock()\n"
    ),
    "tests/test_price.py": (
        "import shop\nfrom shop import *\n\n"
        "def test_total(ten):\n    assert total(ten) == 20\n\n"
        "def test_kind():\n    assert total(1, 'b') == 3\n\n"
        "def test_cheap():\n    assert cheap(9) and not cheap(10)\n"
    ),
    "tests/test_kinds.py": (
        "import pytest\nfrom shop import Book\nfrom shop.kinds import Thing\n\n"
        "class TestBook:\n    make = Book\n    want = '<thing>'\n\n    def test_label(self):\n        assert self.make().label() == self.want\n\n"
        "class TestThing(TestBook):\n    make = Thing\n\n"
        "def test_pages():\n    assert Book.pages == 3\n"
    ),
    "tests/test_plugins.py": (
        "from shop.plugins import find\n\n"
        "def test_cost():\n    assert find('post').cost() == 5\n\n"
        "def test_constant():\n    assert find('post').COST == 4\n"
    ),
    "tests/stocks/test_stock.py": (
        "from shop.stock import parse, stock\n\n"
        "def test_numbers(numbers):\n    assert numbers == [1, 2, 3]\n\n"
        "def test_sum(numbers):\n    assert sum(numbers) == 6\n\n"
        "def test_cached():\n    assert stock()[0] == 1\n\n"
        "def test_parse():\n    assert parse('7') == [7]\n"
    ),
    "tests/test_tool.py": (
        "import subprocess, sys\n\n"
        "def test_tool():\n    out = subprocess.run([sys.executable, '-m', 'shop.tool'], capture_output=True, text=True)\n"
        "    assert out.stdout == 'done\\n'\n"
    ),
    "tests/test_alone.py": "def test_alone():\n    assert True\n",
    "README.md": "# Shop\n",
}  # fmt: skip

CHANGES = {
    "function": ("src/shop/price.py", "x < LIMIT", "x <= LIMIT"),
    "constant": ("src/shop/price.py", "LIMIT = 10", "LIMIT = 11"),
    "decorator's inner function": ("src/shop/price.py", "return round(function(*args), 2)", "return 1"),
    "decorator": ("src/shop/price.py", "@rounded\n", "@(lambda f: lambda *a: 0)\n"),
    "default": ("src/shop/price.py", "kind='a'", "kind='b'"),
    "code that ran at import": ("src/shop/rates.py", "'a': 2", "'a': 4"),
    "star import": ("src/shop/price.py", "'total', 'cheap'", "'total'"),
    "base class": ("src/shop/kinds.py", "return 'thing'", "return 'other'"),
    "override added": ("src/shop/kinds.py", "    pages = 3", "    pages = 3\n    def name(self):\n        return 'book'"),
    "class attribute": ("src/shop/kinds.py", "pages = 3", "pages = 4"),
    "inherited test": ("tests/test_kinds.py", "want = '<thing>'", "want = '<x>'"),
    "module imported by name, function": ("src/shop/plugins/post.py", "return 5", "return 6"),
    "module imported by name, constant": ("src/shop/plugins/post.py", "COST = 4", "COST = 5"),
    "fixture": ("tests/conftest.py", "return 10", "return 11"),
    "shared fixture": ("tests/stocks/conftest.py", "stock.stock()", "[9]"),
    "behind a cache": ("src/shop/stock.py", "[int(word) for", "[2 * int(word) for"),
    "cached function": ("src/shop/stock.py", "    return parse(", "    return [0] and parse('5') and parse('4;4'+"),
    "data file": ("src/shop/stock.csv", "1;2;3", "5;6;7"),
    "doctest": ("src/shop/doc.py", "    4\n", "    5\n"),
    "doctested function": ("src/shop/doc.py", "x * 2", "x * 3"),
    "in another process": ("src/shop/tool.py", "print('done')", "print('gone')"),
    "test": ("tests/test_alone.py", "assert True", "assert False"),
}  # fmt: skip


def python_of(label: str, temporary: pytest.TempPathFactory) -> Path:
    if label == "own":
        return Path(sys.executable)
    other = find_python(label)
    if other is None:
        pytest.skip(f"there is no Python {label}; install it with pyenv")
    return Environment.make(temporary.mktemp(f"python-{label}"), ["pytest"], other).python


@pytest.fixture(scope="module", params=["own", "3.12"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recorded, Path]:
    python = python_of(request.param, tmp_path_factory)
    root = write(tmp_path_factory.mktemp("shop") / "repo", dict(SHOP))
    return record(root, tmp_path_factory.mktemp("recorded"), python=python), python


def failing(output: str) -> set[str]:
    return set(re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE))


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_change_breaks_is_affected(name: str, shop: tuple[Recorded, Path], tmp_path: Path) -> None:
    recorded, python = shop
    file, old, new = CHANGES[name]
    root = tmp_path / "repo"
    shutil.copytree(recorded.root, root)
    assert old in SHOP[file]
    (root / file).write_text(SHOP[file].replace(old, new, 1))
    found = Recorded(root, recorded.known).affected()
    broken = failing(pytest_in(root, "-q", "-rfE", python=python).stdout)
    assert broken, "this change breaks nothing, so it proves nothing"
    assert not found.all, found.reason
    assert broken <= found.tests | {test for test in broken if "::" not in test}
    if name not in ("test", "fixture"):  # tests/conftest.py holds for all tests below it
        assert "tests/test_alone.py::test_alone" in found.unaffected


def test_nothing_changed_leaves_only_what_starts_processes(shop: tuple[Recorded, Path]) -> None:
    recorded, _ = shop
    found = recorded.affected()
    assert not found.all
    assert found.tests == {"tests/test_tool.py::test_tool"}


def test_workers_record_the_same_map(shop: tuple[Recorded, Path], tmp_path: Path) -> None:
    recorded, _ = shop
    parallel = record(recorded.root, tmp_path / "recorded", "-p", "xdist", "-n", "2")
    one, other = recorded.known.tiers["tests"], parallel.known.tiers["tests"]
    assert set(one.tests) == set(other.tests)
    assert parallel.known.blocks == recorded.known.blocks
    for number, test in enumerate(other.tests):
        own = other.files[number]
        assert one.files[one.tests.index(test)] == own
        assert number in other.touching(own) or test not in ran_of(recorded)


def ran_of(recorded: Recorded) -> set[str]:
    tier = recorded.known.tiers["tests"]
    return {tier.tests[n] for n, file in enumerate(tier.files) if n in tier.touching(file)}


def choose(root: Path, folder: Path, unaffected: list[str], *, only: bool, environments: list[str]) -> list[str]:
    """The tests that ran, in their order."""
    (folder / "record").mkdir(parents=True)
    keys = {"root": str(root), "record": str(folder / "record"), "mine": [], "others": [], "owns-unplanned": True}
    choice = {"unaffected": unaffected, "only": only, "environments": environments}
    (folder / "task.json").write_text(json.dumps({**keys, **choice}))
    done = pytest_in(root, f"--ci-kit-task={folder / 'task.json'}", "-v", "tests")
    assert done.returncode == 0, done.stdout
    return re.findall(r"^(\S+::\S+) PASSED", done.stdout, re.MULTILINE)


def test_affected_tests_run_first_or_alone_and_only_in_the_same_environment(tmp_path: Path) -> None:
    root = write(tmp_path / "repo", {name: text for name, text in SHOP.items() if "tool" not in name})
    recorded = record(root, tmp_path / "recorded")
    environments = sorted(recorded.known.environments)
    everything = choose(root, tmp_path / "all", [], only=False, environments=[])
    later = [test for test in everything if test != "tests/test_price.py::test_cheap"]
    first = choose(root, tmp_path / "first", later, only=False, environments=environments)
    assert first[0] == "tests/test_price.py::test_cheap"
    assert [test.partition("::")[0] for test in first[:3]] == ["tests/test_price.py"] * 3
    assert sorted(first) == sorted(everything)
    alone = choose(root, tmp_path / "alone", later, only=True, environments=environments)
    assert alone == ["tests/test_price.py::test_cheap"]
    left_out = json.loads((tmp_path / "alone" / "record" / "choice-main.json").read_text())
    assert sorted(left_out["not-selected"]) == sorted(later)
    elsewhere = choose(root, tmp_path / "elsewhere", later, only=True, environments=["3.0 other"])
    assert elsewhere == everything

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ci_kit.affected import Affected, Tree, changed_files, decide
from ci_kit.affected_build import READ, build_map
from ci_kit.affected_imports import import_graph, reach, reach_back
from ci_kit.affected_map import AffectedMap, Sets, TierMap, pack, read_map, unpack, write_map
from ci_kit.pipeline.mapping import source_reader
from hypothesis import given
from hypothesis import strategies as st

FILES = {
    "src/shop/__init__.py": "from shop.price import total\n",
    "src/shop/price.py": "RATE = 2\n\ndef total(x):\n    return x * RATE\n\ndef unused():\n    return 1\n",
    "src/shop/stock.py": "import shop.price\n\ndef left():\n    return 3\n\ndef setting():\n    return 5\n\nX = setting()\n",
    "src/shop/unloaded.py": "def script():\n    return 1\n",
    "tests/conftest.py": "",
    "tests/a/conftest.py": "",
    "tests/a/test_price.py": "from shop import total\n\ndef test_total():\n    assert total(2) == 4\n\ndef test_data():\n    pass\n",
    "tests/test_stock.py": "from shop.stock import left\n\ndef test_left():\n    assert left() == 3\n\ndef test_skipped():\n    pass\n",
    "tests/data/prices.csv": "1;2\n",
    "data/never.csv": "3\n",
    "pyproject.toml": "",
    "README.md": "# Shop\n",
    "NAMED.md": "# Named\n",
}  # fmt: skip
FILES["tests/test_stock.py"] += "# reads NAMED.md\n"
TOTAL, DATA = "tests/a/test_price.py::test_total", "tests/a/test_price.py::test_data"
LEFT, SKIPPED = "tests/test_stock.py::test_left", "tests/test_stock.py::test_skipped"
Change = Mapping[str, str | None]
ALL = {TOTAL, DATA, LEFT, SKIPPED}


def digests(files: Mapping[str, str]) -> dict[str, str]:
    return {name: f"d:{text}" for name, text in files.items()}


def line(file: str, text: str) -> int:
    return FILES[file].splitlines().index(text) + 1


def footprints() -> dict[str, Any]:
    spots = [
        ["tests/a/test_price.py", line("tests/a/test_price.py", "def test_total():")],
        ["src/shop/price.py", line("src/shop/price.py", "def total(x):")],
        ["tests/a/test_price.py", line("tests/a/test_price.py", "def test_data():")],
        ["tests/data/prices.csv", READ],
        ["tests/test_stock.py", line("tests/test_stock.py", "def test_left():")],
        ["src/shop/stock.py", line("src/shop/stock.py", "def left():")],
        ["src/shop/stock.py", line("src/shop/stock.py", "def setting():")],
    ]
    process = {
        "python": "3.12", "environment": "e", "spots": spots,
        "tests": [
            [TOTAL, "tests/a/test_price.py", [0, 1]],
            [DATA, "tests/a/test_price.py", [2, 3]],
            [LEFT, "tests/test_stock.py", [4, 5]],
            [SKIPPED, "tests/test_stock.py", []],
        ],
        "outside": [6], "uncertain": {SKIPPED: "it did not pass when the map was recorded"}, "early": [], "copies": [],
        "loaded": [name for name in FILES if name.endswith(".py") and "unloaded" not in name],
    }  # fmt: skip
    return {"tier": "unit", "processes": [process]}


def recorded(changes: Mapping[str, object] | None = None) -> AffectedMap:
    shard = footprints()
    shard["processes"][0] |= changes or {}
    return build_map([shard], commit="c0ffee", digests=digests(FILES), source_of=FILES.__getitem__)


def after(changed: Change, known: AffectedMap | None = None) -> Affected:
    files: dict[str, str] = dict(FILES)
    for name, text in changed.items():
        if text is None:
            del files[name]
        else:
            files[name] = text
    tests = frozenset(name for name in files if Path(name).name.startswith("test_"))
    tree = Tree(digests(files), files.__getitem__, tests)
    return decide(known or recorded(), "", tree, ["unit"])["unit"]


def replaced(file: str, old: str, new: str) -> dict[str, str | None]:
    assert old in FILES[file]
    return {file: FILES[file].replace(old, new)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"blocks": {}},
        {"tiers": {"unit": TierMap(("a",), ("a.py",), Sets(("0",)), {"src/shop/price.py": {"total": 7}})}},
        {"tiers": {"unit": TierMap(("a",), ("a.py",), Sets(("5",)), {"src/shop/price.py": {"total": 0}})}},
    ],
    ids=["no blocks", "no such set", "no such test"],
)
def test_a_map_that_contradicts_itself_means_all(wrong: Mapping[str, Any]) -> None:
    known = dataclasses.replace(recorded(), **wrong)
    found = after(replaced("src/shop/price.py", "x * RATE", "x + RATE"), known)
    assert found.all
    assert found.reason.startswith("the map contradicts itself (")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, set()),
        (replaced("src/shop/price.py", "x * RATE", "x + RATE"), {TOTAL}),
        (replaced("src/shop/price.py", "return 1", "return 2"), set()),
        (replaced("src/shop/price.py", "RATE = 2", "RATE = 3"), {TOTAL, DATA, LEFT}),
        (replaced("src/shop/price.py", "def unused", "def spare"), {TOTAL, DATA, LEFT}),
        (replaced("src/shop/stock.py", "return 3", "return 4"), {LEFT}),
        (replaced("src/shop/stock.py", "return 5", "return 6"), {LEFT}),  # ran at import: whoever imports it
        (replaced("tests/a/test_price.py", "total(2)", "total(3)"), {TOTAL}),
        ({"tests/a/test_price.py": "X = 1\n" + FILES["tests/a/test_price.py"]}, {TOTAL, DATA}),
        ({"tests/data/prices.csv": "3;4\n"}, {DATA}),
        ({"tests/data/prices.csv": None}, {DATA}),
        ({"tests/a/conftest.py": "X = 1\n"}, {TOTAL, DATA}),
        ({"tests/b/conftest.py": "X = 1\n"}, set()),
        ({"tests/test_new.py": "def test_it():\n    pass\n"}, set()),
        ({"src/shop/stock.py": None}, {LEFT}),
        ({"README.md": "# Other\n"}, set()),
        ({"docs/page.md": "new\n"}, set()),
    ],
)  # fmt: skip
def test_only_what_depends_on_the_change_is_affected(change: Change, expected: set[str]) -> None:
    found = after(change)
    assert not found.all
    assert found.tests == expected | {SKIPPED}  # whose whole footprint nobody knows
    assert found.unaffected == ALL - expected - {SKIPPED}
    assert "c0ffee" in found.reason


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (replaced("tests/a/test_price.py", "total(2)", "total(3)"), {TOTAL}),
        (replaced("src/shop/price.py", "x * RATE", "x + RATE"), set()),
        ({"tests/a/test_price.py": "X = 1\n" + FILES["tests/a/test_price.py"]}, set()),
    ],
)
def test_a_changed_test_is_one_whose_own_function_differs(change: Change, expected: set[str]) -> None:
    assert after(change).changed == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pyproject.toml": "x = 1\n"}, "configures"),
        ({"uv.lock": "new"}, "configures"),
        ({"requirements/dev.txt": "new"}, "configures"),
        ({".github/ci-kit.yml": "new"}, "configures"),
        ({".github/workflows/ci.yml": "new"}, "configures"),
        ({"conftest.py": "X = 1\n"}, "holds for all tests"),
        ({"src/shop/new.py": "X = 1\n"}, "is new"),
        ({"src/shop/new.csv": "1\n"}, "is new"),
        ({"src/shop/unloaded.py": "X = 1\n"}, "no test was seen to use it"),
        ({"src/shop/unloaded.py": None}, "no test was seen to use it"),
        ({"data/never.csv": "4\n"}, "no test was seen to use it"),
        ({"src/fast.c": "int x;\n"}, "is new"),
        ({"NAMED.md": "# Other\n"}, "tests/test_stock.py names"),
    ],
)
def test_what_the_map_cannot_tell_means_all(change: Change, reason: str) -> None:
    found = after(change)
    assert found.all
    assert reason in found.reason
    assert next(iter(change)) in found.reason


@pytest.mark.parametrize(
    ("process", "change", "reason"),
    [
        ({"copies": ["shop"]}, {}, "installed copy of shop"),
        ({"uncertain": {"": "another tool holds it"}}, {}, "another tool holds it"),
        ({"early": ["src/shop/price.py"]}, replaced("src/shop/price.py", "x * RATE", "x"), "every test may depend on it"),
        (
            {"tests": footprints()["processes"][0]["tests"][:2]},  # then only a dynamic import explains stock.py
            replaced("src/shop/stock.py", "return 3", "return 4"),
            "every test may depend on it",
        ),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_relied_on_means_all(process: dict[str, Any], change: Change, reason: str) -> None:
    found = after(change, recorded(process))
    assert found.all
    assert reason in found.reason


def test_without_a_map_or_for_an_unknown_tier_all_tests_are_affected() -> None:
    tree = Tree(digests(FILES), FILES.__getitem__)
    assert decide(None, "no map was found", tree, ["unit"])["unit"].reason == "no map was found"
    assert decide(recorded(), "", tree, ["e2e"])["e2e"].all


def test_a_data_file_read_while_importing_belongs_to_every_test() -> None:
    shard = footprints()["processes"][0]
    known = recorded({"spots": [*shard["spots"], ["data/never.csv", READ]], "outside": [6, 7]})
    assert after({"data/never.csv": "9\n"}, known).all


def test_a_cached_function_counts_for_whoever_names_it() -> None:
    files = {
        "app.py": "import functools\n\n@functools.cache\ndef load():\n    return parse()\n\ndef parse():\n    return 1\n",
        "test_app.py": "from app import load\n\ndef test_one():\n    load()\n\ndef test_two():\n    load()\n",
        "test_other.py": "def test_three():\n    pass\n",
    }
    process = {
        "python": "3.12", "environment": "e", "spots": [["app.py", 3], ["app.py", 7], ["test_app.py", 3], ["test_app.py", 6], ["test_other.py", 1]],
        "tests": [["one", "test_app.py", [0, 1, 2]], ["two", "test_app.py", [3]], ["three", "test_other.py", [4]]],
        "outside": [], "uncertain": {}, "early": [], "copies": [], "loaded": list(files),
    }  # fmt: skip
    known = build_map(
        [{"tier": "t", "processes": [process]}], commit="", digests=digests(files), source_of=files.__getitem__
    )
    now = {**files, "app.py": files["app.py"].replace("return 1", "return 2")}
    found = decide(known, "", Tree(digests(now), now.__getitem__), ["t"])["t"]
    assert found.tests == {"one", "two"}


def test_the_map_survives_its_file(tmp_path: Path) -> None:
    known = recorded()
    assert read_map(write_map(tmp_path, known)) == (known, "")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "ci-kit/affected/1"}', "nonsense", "[" * 100_000])
def test_a_broken_map_is_a_note_and_no_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "affected.json"
    path.write_text(text)
    found, why = read_map(path)
    assert found is None
    assert "cannot be read" in why


def test_a_map_whose_numbers_do_not_fit_is_broken(tmp_path: Path) -> None:
    path = write_map(tmp_path, recorded())
    data = json.loads(path.read_text())
    data["loaded"] = [10_000]
    path.write_text(json.dumps(data))
    assert read_map(path)[0] is None


@given(st.frozensets(st.integers(0, 400)))
def test_ranges_hold_exactly_their_numbers(numbers: frozenset[int]) -> None:
    assert frozenset(unpack(pack(numbers))) == numbers


EDITS: list[Change] = [
    replaced("src/shop/price.py", "x * RATE", "x + RATE"), {"src/shop/stock.py": "X = 1\n"}, {"tests/data/prices.csv": "5\n"},
    {"tests/a/conftest.py": "Y = 2\n"}, {"README.md": "?"}, {"pyproject.toml": "?"}, {"tests/test_new.py": "def test_n(): ...\n"},
    {"src/shop/new.py": ""}, replaced("tests/test_stock.py", "== 3", "== 4"),
]  # fmt: skip


@given(st.sets(st.integers(0, len(EDITS) - 1)), st.sets(st.integers(0, len(EDITS) - 1)))
def test_more_changes_never_affect_fewer_tests(some: set[int], others: set[int]) -> None:
    def answer(chosen: set[int]) -> frozenset[str]:
        merged: dict[str, str | None] = {}
        for index in chosen:
            merged |= EDITS[index]
        found = after(merged)
        return frozenset(ALL) if found.all else found.tests

    assert answer(some) <= answer(some | others)


def test_imports_reach_files_and_their_packages() -> None:
    graph = import_graph(
        {
            "src/p/__init__.py": [], "src/p/a.py": [".b"], "src/p/b.py": ["..nothing"], "src/p/json.py": [],
            "tests/test_a.py": ["p.a.f", "json"], "tests/helpers.py": ["importlib"], "tests/test_b.py": ["helpers"],
        }
    )  # fmt: skip
    assert graph["tests/test_a.py"] == {"src/p/__init__.py", "src/p/a.py"}  # json is the standard library's
    assert reach(graph, ["tests/test_a.py"]) >= {"src/p/b.py"}
    assert reach_back(graph, ["src/p/b.py"]) == {"src/p/b.py", "src/p/a.py", "tests/test_a.py"}
    assert graph["tests/test_b.py"] == {"tests/helpers.py"}


def test_what_imports_dynamically_may_import_all() -> None:
    graph = import_graph({"a.py": [], "b.py": [], "c.py": []}, dynamic=["a.py"])
    assert graph["a.py"] == {"b.py", "c.py"}


def test_changed_files_are_new_gone_or_different() -> None:
    assert changed_files({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == ("b", "c", "d")


def test_a_map_is_small_for_a_large_project(tmp_path: Path) -> None:
    """10,000 tests over 1,000 files of ten functions, each run by 300 tests."""
    sets = tuple(pack(range(n % 9000, n % 9000 + 300)) for n in range(10_000))
    tests = tuple(f"tests/test_m{n // 10}.py::test_case_number_{n}" for n in range(10_000))
    large = TierMap(
        tests=tests,
        files=tuple(test.partition("::")[0] for test in tests),
        sets=Sets(sets),
        ran={f"src/m{n}.py": {f"f{k}": n * 10 + k for k in range(10)} for n in range(1000)},
    )
    known = dataclasses.replace(recorded(), tiers={"unit": large})
    path = write_map(tmp_path, known)
    assert path.stat().st_size < 2_000_000
    assert read_map(path) == (known, "")


def test_each_source_is_read_once(tmp_path: Path) -> None:
    """A change of many pages looks for each of their names in every source."""
    read = source_reader(tmp_path)
    (tmp_path / "a.py").write_text("A = 1\n")
    assert (read("a.py"), read("gone.py")) == ("A = 1\n", "")
    (tmp_path / "a.py").unlink()
    assert read("a.py") == "A = 1\n"

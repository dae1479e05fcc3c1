"""Mutated code in living functions."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"
TEXT = """\
from __future__ import annotations
import json

def plain(a, b=2):
    return a + b

def outer(a):
    c = 1
    def inner():
        return a + c
    return inner

class Shape:
    size = 3

    def area(self):
        return self.size * 2

    def text(self):
        return json.dumps(self.size)

    class Part:
        def __init__(self):
            super().__init__()
            self.__hidden = 1

        @property
        def hidden(self):
            return self.__hidden + 1

def counting():
    yield 1
    yield 2

LATER = outer(5)
PAIR = (lambda: 1, lambda: 1)
RUNNING = counting()
next(RUNNING)
"""


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SOURCES))
    return importlib.import_module("pytest_ci_kit.mutating.codes")


@pytest.fixture
def module(tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "ci_kit_mutating_sample.py"
    path.write_text(TEXT, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("ci_kit_mutating_sample", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules[spec.name]


def change(codes: ModuleType, module: ModuleType, before: str, after: str) -> None:
    start = TEXT.index(before)
    line = TEXT.count("\n", 0, start) + 1
    mutated = TEXT[:start] + after + TEXT[start + len(before) :]
    living = codes.Living([module.__file__])
    living.replace(*codes.differences(TEXT, mutated, module.__file__, (line, line)))


def test_functions_methods_and_closures_that_exist_already(codes: ModuleType, module: ModuleType) -> None:
    shape = module.Shape()
    change(codes, module, "a + b", "a - b")
    assert module.plain(5) == 3
    change(codes, module, "self.size * 2", "self.size * 20")
    assert shape.area() == 60
    change(codes, module, "json.dumps(self.size)", "json.dumps(None)")
    assert shape.text() == "null"
    change(codes, module, "self.__hidden + 1", "self.__hidden + 10")
    assert shape.Part().hidden == 11
    change(codes, module, "self.__hidden = 1", "self.__hidden = 2")
    assert shape.Part().hidden == 12


def test_a_closure_made_before_and_after(codes: ModuleType, module: ModuleType) -> None:
    change(codes, module, "return a + c", "return a - c")
    assert module.LATER() == 4
    assert module.outer(10)() == 9


def test_of_two_lambdas_on_one_line_only_the_changed_one(codes: ModuleType, module: ModuleType) -> None:
    change(codes, module, "(lambda: 1,", "(lambda: 2,")
    assert [each() for each in module.PAIR] == [2, 1]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("b=2", "b=3", "runs at import"),
        ("size = 3", "size = 4", "runs at import"),
        ("import json", "import json as json", "no part of one statement|runs at import|the same"),
        ("yield 2", "yield 3", "running already"),
        ("return inner", "return lambda: 1", "come or go"),
        ("return a + c", "return a + 1", "other variables"),
        ("return a + b", "return a + b", "the code is the same"),
    ],
)
def test_what_cannot_be_changed_in_a_living_process(
    codes: ModuleType, module: ModuleType, before: str, after: str, why: str
) -> None:
    with pytest.raises(codes.Unfit, match=why):
        change(codes, module, before, after)
    assert module.plain(5) == 7
    assert module.LATER() == 6

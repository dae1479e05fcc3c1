"""Which tests run which lines: the answer of the unmutated run, and what it means for one mutant."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ci_kit.selective_mutation.mutants import Mutant


@dataclass(frozen=True)
class Test:
    """`id` as pytest names it, `file` from the project's folder, `seconds` of all its phases under coverage."""

    __test__ = False  # for pytest, which collects names like this one

    id: str
    file: str
    seconds: float


@dataclass(frozen=True)
class Choice:
    """Numbers of tests, in the order of the collection. `direct` run the changed code themselves. `all` are those that it
    can matter to: more than `direct` where the code also runs at import, in a shared fixture, or in nobody's name.
    """

    direct: tuple[int, ...]
    all: tuple[int, ...]


@dataclass(frozen=True)
class Covering:
    """`lines` has for each target the contexts that ran something of it, each with its lines as the bits of a number.

    `modules` of the standard library and `others` that are installed are what the collection imports.
    A context is `t<number of a test>`, `s<number of a scope>` (set-up of a shared fixture) or empty (import, or unknown).
    """

    tests: tuple[Test, ...]
    scopes: tuple[str, ...]
    lines: Mapping[str, Mapping[str, int]]
    unforkable: str
    modules: tuple[str, ...]
    start_seconds: float
    others: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Covering:
        """From what the unmutated run wrote. Raises `KeyError`, `TypeError` or `ValueError` for something else."""
        return cls(
            tuple(Test(entry["id"], entry["file"], float(entry["seconds"])) for entry in data["tests"]),
            tuple(data["scopes"]),
            {path: {name: int(bits, 16) for name, bits in found.items()} for path, found in data["lines"].items()},
            str(data["unforkable"]),
            tuple(data["modules"]),
            float(data["start-seconds"]),
            tuple(data["others"]),
        )

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "tests": [{"id": test.id, "file": test.file, "seconds": test.seconds} for test in self.tests],
            "scopes": list(self.scopes),
            "lines": {path: {n: f"{bits:x}" for n, bits in found.items()} for path, found in self.lines.items()},
            "unforkable": self.unforkable,
            "modules": list(self.modules),
            "start-seconds": self.start_seconds,
            "others": list(self.others),
        }

    def choose(self, mutant: Mutant) -> Choice:
        """The tests for a mutant; none where no test runs its lines, not even by importing them."""
        contexts = self.lines.get(mutant.path, {})
        first, last = _extent(mutant.original, mutant.first_line, mutant.last_line)
        wanted = _bits(first, last)
        found = {name for name, bits in contexts.items() if bits & wanted}
        direct = {int(name[1:]) for name in found if name.startswith("t")}
        shared = {number for name in found if name.startswith("s") for number in self._below(int(name[1:]))}
        if not found:
            return Choice((), ())
        if "" in found or not mutant.function:
            everyone = tuple(range(len(self.tests)))
            if not direct and not shared:
                direct = self._near(mutant, contexts)
            return Choice(tuple(sorted(direct | shared)), everyone)
        everyone = tuple(sorted(direct | shared))
        return Choice(everyone, everyone)

    def _near(self, mutant: Mutant, contexts: Mapping[str, int]) -> set[int]:
        """Tests that run the definition which the changed line belongs to: they are asked first."""
        first, last = _definition(mutant.original, mutant.first_line)
        wanted = _bits(first, last)
        return {int(name[1:]) for name, bits in contexts.items() if name.startswith("t") and bits & wanted}

    def _below(self, scope: int) -> Iterator[int]:
        name = self.scopes[scope]
        for number, test in enumerate(self.tests):
            if name in {"", ".", test.id} or test.id.startswith((f"{name}::", f"{name}/")):
                yield number

    def seconds(self, numbers: Iterable[int]) -> float:
        """The tests' own time together."""
        return sum(self.tests[number].seconds for number in numbers)


def _bits(first: int, last: int) -> int:
    return int((1 << last + 1) - (1 << first))


@functools.lru_cache(maxsize=64)
def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    """First and last line of every statement; of a compound one, and of an `except` or `case`, those of its head."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt | ast.excepthandler):
            found.append((_begin(node), _head_end(node, node.lineno)))
        elif isinstance(node, ast.match_case):
            found.append((node.pattern.lineno, _head_end(node, node.pattern.lineno)))
    return tuple(found)


def _begin(node: ast.stmt | ast.excepthandler) -> int:
    return int(min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]))


def _head_end(node: ast.AST, line: int) -> int:
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        return max(line, _begin(body[0]) - 1)
    return int(getattr(node, "end_lineno", None) or line)


def _extent(text: str, first: int, last: int) -> tuple[int, int]:
    """The lines of the smallest statements that hold a change: a continuation line has no code of its own."""
    around = [each for each in _ranges(text) if each[0] <= first <= each[1]]
    begin, end = min(around, key=lambda each: each[1] - each[0]) if around else (first, last)
    return min(begin, first), max(end, last)


@functools.lru_cache(maxsize=64)
def _definitions(text: str) -> tuple[tuple[int, int], ...]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return tuple((_begin(node), node.end_lineno or 0) for node in ast.walk(ast.parse(text)) if isinstance(node, kinds))


def _definition(text: str, line: int) -> tuple[int, int]:
    around = [each for each in _definitions(text) if each[0] <= line <= each[1]]
    return min(around, key=lambda each: each[1] - each[0]) if around else (1, text.count("\n") + 1)

"""The controls of a run: a change that changes nothing, and failures that the tests must notice."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ci_kit.selective_mutation.covering import Choice, Covering
from ci_kit.selective_mutation.mutants import Mutant

RAISED = 'raise RuntimeError("a forced failure, made by ci-kit")'
MOST = 5


@dataclass(frozen=True)
class Control:
    """Text put into a file at `start` (in characters), and the tests that run the function around it."""

    path: str
    start: int
    text: str
    choice: Choice


def controls(sources: Mapping[str, str], covering: Covering) -> tuple[Control | None, tuple[Control, ...]]:
    """The no-op and up to `MOST` forced failures, in the functions that most tests run.

    The no-op is None where no test runs any function of the files (path → text).
    """
    places = [
        _Place(path, text, function, first, choice)
        for path, text in sources.items()
        for function, first in _functions(text)
        if (choice := covering.choose(_at(path, text, first))).direct
    ]
    if not places:
        return None, ()
    places.sort(key=lambda place: -len(place.choice.direct))
    return _control(places[0], "pass"), tuple(_control(place, RAISED) for place in places[:MOST])


@dataclass(frozen=True)
class _Place:
    path: str
    text: str
    function: ast.FunctionDef
    first: ast.stmt
    choice: Choice


def _control(place: _Place, statement: str) -> Control:
    text, first = place.text, place.first
    number = min([first.lineno, *(each.lineno for each in getattr(first, "decorator_list", ()))])
    start = _offset(text, number, first.col_offset)
    line = text.split("\n")[number - 1]
    indent = line[: len(line) - len(line.lstrip())]
    # A body on the line of its `def` has only simple statements, which a semicolon may follow.
    between = (
        "; " if first.lineno == place.function.lineno or text[start - len(indent) : start] != indent else f"\n{indent}"
    )
    return Control(place.path, start, statement + between, place.choice)


def _functions(text: str) -> Iterator[tuple[ast.FunctionDef, ast.stmt]]:
    """Plain functions and methods, each with its first statement that runs, which a docstring is not.

    What is decorated may never be called by its own name, and the body of a generator runs later.
    """
    tree = ast.parse(text)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for node in (node for body in bodies for node in body):
        if isinstance(node, ast.FunctionDef) and not node.decorator_list and not _is_generator(node):
            code = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            if code:
                yield node, code[0]


def _is_generator(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))


def _at(path: str, text: str, statement: ast.stmt) -> Mutant:
    """A stand-in that says where: the first statement that runs."""
    return Mutant(
        "", path, "f", 0, statement.lineno, statement.lineno, "", "", "", security=False, start=0, original=text
    )


@functools.lru_cache(maxsize=16)
def _starts(text: str) -> tuple[int, ...]:
    found = [0]
    for line in text.split("\n")[:-1]:
        found.append(found[-1] + len(line) + 1)
    return tuple(found)


def _offset(text: str, line: int, column: int) -> int:
    """The place of a node in characters; its column counts bytes of UTF-8."""
    start = _starts(text)[line - 1]
    whole = text[start : text.find("\n", start) if "\n" in text[start:] else len(text)]
    return start + len(whole.encode()[:column].decode())

"""Code for which no mutant exists: a change there is not tested by mutation, and that is said aloud."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.operators import shapes
from ci_kit.selective_mutation.scopes import DEFINITIONS, Scopes, Statement

# They do nothing of their own that a mutant could change: names are declared, or come from elsewhere.
SILENT = (ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal, ast.Try, ast.TryStar)


def without_mutant(scopes: Scopes, mutants: Iterable[Mutant], wanted: frozenset[int] | None) -> list[tuple[int, int]]:
    """First and last lines of statements (of compound ones: of their headers) that hold `wanted` lines and no mutant.

    Neighbouring ones are one. Imports, docstrings, annotations without a value and the like are no such code.
    """
    changed = {line for mutant in mutants for line in range(mutant.first_line, mutant.last_line + 1)}
    places: list[tuple[int, int]] = []
    for statement in scopes.statements:
        if _is_silent(statement.node):
            continue
        first, last = _lines(statement, scopes)
        lines = range(first, last + 1)
        if (wanted is None or any(line in wanted for line in lines)) and not any(line in changed for line in lines):
            places.append((first, last))
    return list(_joined(sorted(places)))


def _is_silent(node: ast.stmt) -> bool:
    if isinstance(node, DEFINITIONS):  # what is in them counts by itself; a header without decorator says little
        return all(shapes(each) for each in node.decorator_list)
    if isinstance(node, ast.AnnAssign):
        return node.value is None
    return isinstance(node, SILENT) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _lines(statement: Statement, scopes: Scopes) -> tuple[int, int]:
    first = scopes.lines.of(statement.start)
    if isinstance(statement.node, DEFINITIONS):
        return first, max(first, statement.node.lineno - 1)
    end = statement.end
    if statement.header_end < end:
        header = scopes.lines.text[statement.start : statement.header_end].rstrip()
        end = statement.start + len(header)
    return first, max(first, scopes.lines.of(max(end - 1, 0)))


def _joined(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    begun: tuple[int, int] | None = None
    for first, last in places:
        if begun and first <= begun[1] + 1:
            begun = (begun[0], max(begun[1], last))
            continue
        if begun:
            yield begun
        begun = (first, last)
    if begun:
        yield begun

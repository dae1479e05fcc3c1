"""Small changes out of large ones: single hunks of a difference, and faults by mutation in the lines that it changes."""

from __future__ import annotations

import ast
import difflib
import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """New texts of files (None: the file is removed), and what it is: `release`, `file`, `hunk` or `fault`."""

    kind: str
    what: str
    files: dict[str, str | None]


def hunks(before: str, after: str) -> Iterator[tuple[str, range]]:
    """Each hunk alone applied to `before`: the text, and its lines in that text, counted from 1."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield "".join([*old[:i1], *new[j1:j2], *old[i2:]]), range(i1 + 1, i1 + 1 + max(1, j2 - j1))


def faults(source: str, lines: range, chance: random.Random, most: int) -> list[tuple[str, str]]:
    """At most `most` mutants of `source` in `lines`, each with a name; none when it cannot be parsed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found = []
    for node in ast.walk(tree):
        if getattr(node, "lineno", 0) in lines and isinstance(node, ast.expr | ast.Return):
            for mutant in _mutants(node):
                text = _replaced(source, node, mutant)
                if text is not None:
                    found.append((f"line {node.lineno}: {type(node).__name__}", text))
    chance.shuffle(found)
    return found[:most]


_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def _mutants(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield ast.Compare(node.left, [_COMPARED[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.BinOp(node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield ast.Constant(f"{node.value}X")
    elif isinstance(node, ast.Call):
        yield ast.Constant(None)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield ast.Return(ast.Constant(None))


def _replaced(source: str, node: ast.expr | ast.Return, mutant: ast.AST) -> str | None:
    text = ast.get_source_segment(source, node)
    if text is None or node.end_lineno is None or node.end_col_offset is None:
        return None
    lines = source.splitlines(keepends=True)
    start = sum(len(line.encode()) for line in lines[: node.lineno - 1]) + node.col_offset
    end = sum(len(line.encode()) for line in lines[: node.end_lineno - 1]) + node.end_col_offset
    new = ast.unparse(ast.fix_missing_locations(mutant))
    new = new if isinstance(node, ast.Return) or isinstance(mutant, ast.Constant) else f"({new})"
    raw = source.encode()
    result = (raw[:start] + new.encode() + raw[end:]).decode()
    try:
        ast.parse(result)
    except (SyntaxError, ValueError):
        return None
    return result

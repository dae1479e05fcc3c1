"""Where in a file its functions and statements are, from its syntax tree, as offsets into the text."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from ci_kit.selective_mutation.text import Lines

Function = ast.FunctionDef | ast.AsyncFunctionDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Scope:
    """A function: its qualified name and `co_firstlineno`; empty and 0, without a node, for the module."""

    name: str = ""
    first_line: int = 0
    node: Function | None = None
    generator: bool = False

    @property
    def asynchronous(self) -> bool:
        """Its body may `await`."""
        return isinstance(self.node, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Statement:
    """One statement with its offsets. `header_end` is where its first inner statement starts, else its `end`.

    `scope` is the function whose body runs it. `loop` says that a `break` may stand here, `private` that it is inside a
    class, where `__names` are changed. Decorators belong to their definition, and so do default values.
    """

    node: ast.stmt
    scope: Scope
    start: int
    end: int
    header_end: int
    loop: bool
    private: bool


MODULE = Scope()


class Scopes:
    """The statements of a file, parents before children.

    Raises `SyntaxError`, `ValueError` or `RecursionError` where the interpreter cannot parse the text.
    """

    def __init__(self, text: str) -> None:
        self.lines = Lines(text)
        self.tree = ast.parse(text)
        self.statements: list[Statement] = list(self._walk(self.tree.body, MODULE, "", loop=False, private=False))
        self._starts = [each.start for each in self.statements]
        self._parents = _parents(self.statements)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Start and end of a node that has a place; parentheses around it and decorators are outside."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return self.lines.at_byte(node.lineno, node.col_offset), self.lines.at_byte(end_line, end_column)

    def statement_at(self, start: int, end: int) -> Statement | None:
        """The innermost statement that holds all from `start` to `end`; none for what is between statements."""
        at = bisect_right(self._starts, start) - 1
        while at >= 0:
            each = self.statements[at]
            if each.start <= start and end <= each.end:
                return each
            at = self._parents[at]
        return None

    def _walk(
        self, body: list[ast.stmt], scope: Scope, prefix: str, *, loop: bool, private: bool
    ) -> Iterator[Statement]:
        for node in body:
            start, end = self._whole(node)
            blocks = list(_blocks(node))
            first = blocks[0][0] if blocks else None
            header_end = self._whole(first)[0] if first is not None else end
            yield Statement(node, scope, start, end, header_end, loop, private)
            for block in blocks:
                yield from self._block(node, block, scope, prefix, loop=loop, private=private)

    def _block(
        self, node: ast.stmt, block: list[ast.stmt], scope: Scope, prefix: str, *, loop: bool, private: bool
    ) -> Iterator[Statement]:
        if isinstance(node, ast.ClassDef):
            yield from self._walk(block, scope, f"{prefix}{node.name}.", loop=False, private=True)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = prefix + node.name
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            inner = Scope(name, first, node, _is_generator(node))
            yield from self._walk(block, inner, f"{name}.<locals>.", loop=False, private=private)
        else:
            inside = loop or (isinstance(node, ast.For | ast.AsyncFor | ast.While) and block is node.body)
            yield from self._walk(block, scope, prefix, loop=inside, private=private)

    def _whole(self, node: ast.stmt) -> tuple[int, int]:
        start, end = self.span(node)
        if isinstance(node, DEFINITIONS) and node.decorator_list:
            first = self.lines.at_byte(node.decorator_list[0].lineno, node.decorator_list[0].col_offset)
            start = self.lines.text.rindex("@", 0, first)
        return start, end


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if field == "orelse":
            for handler in getattr(node, "handlers", ()):
                yield handler.body
        if block:
            yield block
    for case in getattr(node, "cases", ()):
        yield case.body


def _is_generator(node: Function) -> bool:
    waiting: list[ast.AST] = [*node.body]
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, (*DEFINITIONS, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(each))
    return False


def _parents(statements: list[Statement]) -> list[int]:
    """For each statement the index of the one around it, or -1."""
    found: list[int] = []
    open_: list[int] = []
    for at, each in enumerate(statements):
        while open_ and statements[open_[-1]].end <= each.start:
            open_.pop()
        found.append(open_[-1] if open_ else -1)
        open_.append(at)
    return found

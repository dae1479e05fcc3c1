"""Which tests must run again after a change of the targets, and what is still known of all others.

A test that ran no line of a changed function ran the same instructions before and after the change, so it runs the same
lines now. This holds only while nothing but the bodies of functions changed; then the others' lines are moved along.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from ci_kit.selective_mutation.covering import Covering


@dataclass(frozen=True)
class Carried:
    """`covering` without the tests of `again` (numbers), which have to run."""

    covering: Covering
    again: tuple[int, ...]

    def with_run(self, run: Covering) -> Covering:
        """Together with what a run of the tests `again` found; `run` numbers its tests by itself."""
        numbers = {test.id: number for number, test in enumerate(self.covering.tests)}
        scopes = list(self.covering.scopes)
        lines = {path: dict(found) for path, found in self.covering.lines.items()}
        for path, found in run.lines.items():
            for context, bits in found.items():
                name = context
                if context.startswith("t"):
                    name = f"t{numbers[run.tests[int(context[1:])].id]}"
                elif context.startswith("s"):
                    scope = run.scopes[int(context[1:])]
                    if scope not in scopes:
                        scopes.append(scope)
                    name = f"s{scopes.index(scope)}"
                lines[path][name] = lines[path].get(name, 0) | bits
        return replace(self.covering, scopes=tuple(scopes), lines=lines)


def carry(known: Covering, before: Mapping[str, str], now: Mapping[str, str]) -> Carried | None:
    """None where more than the bodies of functions changed, or a changed one runs at import: all tests must run."""
    again: set[int] = set()
    lines: dict[str, dict[str, int]] = {}
    for path, text in now.items():
        found = known.lines.get(path, {})
        if before[path] == text:
            lines[path] = dict(found)
            continue
        touched = _touched(before[path], text)
        if touched is None:
            return None
        wanted = sum(_bits(first, last) for first, last in touched)
        contexts = {name for name, bits in found.items() if bits & wanted}
        # A shared fixture's set-up is run again with any of its tests, so all of these have to.
        if "" in contexts or any(name.startswith("s") for name in contexts):
            return None
        again |= {int(name[1:]) for name in contexts}
        moved = _moves(before[path], text)
        lines[path] = {name: _moved(bits, moved) for name, bits in found.items() if name not in contexts}
    for found in lines.values():
        for number in again:
            found.pop(f"t{number}", None)
    return Carried(replace(known, lines=lines), tuple(sorted(again)))


def _bits(first: int, last: int) -> int:
    return (1 << last + 1) - (1 << first)


def _touched(before: str, now: str) -> list[tuple[int, int]] | None:
    """The bodies of functions in the old text that differ; None where anything else differs."""
    old, new = _functions(before), _functions(now)
    if old is None or new is None or old[0] != new[0] or [name for name, *_ in old[1]] != [name for name, *_ in new[1]]:
        return None
    pairs = zip(old[1], new[1], strict=True)
    return [(first, last) for (_, body, first, last), (_, other, *_) in pairs if body != other]


def _functions(text: str) -> tuple[str, list[tuple[str, str, int, int]]] | None:
    """What the module does beside its functions' bodies, and these: name, what they do, first and last line of the body."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    found: list[tuple[str, str, int, int]] = []
    for node in _outermost(tree):
        body = "\n".join(ast.dump(statement) for statement in node.body)
        first = node.body[0].lineno
        if first == node.lineno:
            continue  # on one line with its head, which runs at import: it counts as the module's own
        found.append((node.name, body, first, node.end_lineno or first))
        node.body = []
    return ast.dump(tree), found


def _outermost(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    found: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node)
        else:
            found += _outermost(node)
    return found


def _moves(before: str, now: str) -> list[tuple[int, int, int]]:
    """Stretches of equal lines: first and last old line, and how far they moved."""
    matcher = SequenceMatcher(None, before.split("\n"), now.split("\n"), autojunk=False)
    return [(a + 1, a + size, b - a) for a, b, size in matcher.get_matching_blocks() if size]


def _moved(bits: int, moves: list[tuple[int, int, int]]) -> int:
    found = 0
    for first, last, far in moves:
        part = bits & _bits(first, last)
        found |= part << far if far >= 0 else part >> -far
    return found

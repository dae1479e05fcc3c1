"""Count the tests of a Python file from its syntax tree: what pytest would collect, as far as the file alone says it."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator, Mapping

Classes = Mapping[str, ast.ClassDef]
Function = ast.FunctionDef | ast.AsyncFunctionDef
UNITTEST = ("TestCase", "TestCaseBase", "IsolatedAsyncioTestCase")


def tests_in_tree(source: bytes) -> Counter[str]:
    """For each test function, by its bare name, how many tests it makes in all classes that have it.

    Raises `SyntaxError`, `ValueError`, `RecursionError` or `MemoryError` for what Python cannot parse.
    """
    body = list(_flat(ast.parse(source).body))
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    lists = dict(_lists(body))
    found: Counter[str] = Counter()
    for node in body:
        if isinstance(node, Function) and node.name.startswith("test"):
            found[node.name] += _cases(node, lists)
        elif isinstance(node, ast.ClassDef):
            found += _of_class(node, classes, lists, depth=0)
    return found


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements, also those under `if` and `try`: one of the branches is what counts, mostly."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _flat(node.body)


def _lists(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    for node in body:
        if isinstance(node, ast.Assign) and (length := _length(node.value, {})):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, length
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, _length(node.value, {})


def _of_class(node: ast.ClassDef, classes: Classes, lists: Mapping[str, int], depth: int) -> Counter[str]:
    """The class's own tests, those of its inner classes, and those of its bases in this file that it does not override."""
    found: Counter[str] = Counter()
    lineage = list(_lineage(node, classes, set()))
    if depth > 20 or not _is_collected(node, lineage):
        return found
    times = _cases(node, lists)
    for base in lineage:
        own = [child for child in _flat(base.body) if isinstance(child, Function) and child.name.startswith("test")]
        found.update({child.name: times * _cases(child, lists) for child in own if child.name not in found})
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            found += _of_class(child, classes, lists, depth + 1)
    return found


def _lineage(node: ast.ClassDef, classes: Classes, seen: set[str]) -> Iterator[ast.ClassDef]:
    yield node
    for name in map(_name, node.bases):
        base = classes.get(name)
        if base is not None and base is not node and name not in seen:
            seen.add(name)
            yield from _lineage(base, classes, seen)


def _is_collected(node: ast.ClassDef, lineage: list[ast.ClassDef]) -> bool:
    """By its name, or as a unittest class, which may have any name; a class with its own `__init__` is not."""
    bases = [_name(base) for one in lineage for base in one.bases]
    if any(name.endswith(UNITTEST) for name in bases):
        return True
    makes_itself = any(
        isinstance(child, Function) and child.name == "__init__" for one in lineage for child in one.body
    )
    return node.name.startswith("Test") and not makes_itself


def _cases(node: Function | ast.ClassDef, lists: Mapping[str, int]) -> int:
    return math.prod(_entries(mark, lists) for mark in node.decorator_list)


def _entries(mark: ast.expr, lists: Mapping[str, int]) -> int:
    """How many sets of parameters a decorator gives, 1 when it cannot be told."""
    if not isinstance(mark, ast.Call) or _name(mark.func) != "parametrize":
        return 1
    named = {keyword.arg: keyword.value for keyword in mark.keywords}
    values = mark.args[1] if len(mark.args) > 1 else named.get("argvalues")
    return (_length(values, lists) if values is not None else 0) or 1


def _length(node: ast.expr, lists: Mapping[str, int]) -> int:
    """How many entries an expression has that is spelled out, or names one that is; 0 when it cannot be told."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return len(node.elts)
    if isinstance(node, ast.Dict):
        return len(node.keys)
    if isinstance(node, ast.Name):
        return lists.get(node.id, 0)
    if not isinstance(node, ast.Call):
        return 0
    numbers = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, int)]
    if _name(node.func) == "range" and numbers and len(numbers) == len(node.args) <= 3 and numbers[2:] != [0]:
        return len(range(*numbers))
    of_list = _name(node.func) in {"sorted", "list", "tuple", "enumerate", "items", "keys", "values"}
    inside = [node.func.value] if isinstance(node.func, ast.Attribute) else node.args[:1]
    return sum(_length(inner, lists) for inner in inside) if of_list else 0


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""

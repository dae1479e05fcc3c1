"""Which outputs a room's code sets: names that are really passed to `output(`, found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

Function = ast.FunctionDef


def spelled_out(modules: Iterable[ast.Module]) -> set[str]:
    """Names that stand as text in the call."""
    return {
        str(call.args[0].value)
        for module in modules
        for _, call in _calls(module)
        if call.args and isinstance(call.args[0], ast.Constant)
    }


def computed(modules: Sequence[ast.Module]) -> set[str]:
    """Names that come from what the loop around the call iterates; raises `ValueError` for what is neither."""
    found: set[str] = set()
    for module in modules:
        for function, call in _calls(module):
            if call.args and isinstance(call.args[0], ast.Name):
                found |= _iterated(call.args[0].id, call, function, modules)
    return found


def _calls(module: ast.Module) -> Iterator[tuple[Function, ast.Call]]:
    """Calls of `workflow.output` with their function, also through a local name given to it."""
    for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
        aliases = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute) and node.value.attr == "output"
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and (
                (isinstance(node.func, ast.Attribute) and node.func.attr == "output")
                or (isinstance(node.func, ast.Name) and node.func.id in aliases)
            ):
                yield function, node


def _iterated(name: str, call: ast.Call, function: Function, modules: Sequence[ast.Module]) -> set[str]:
    for loop in (node for node in ast.walk(function) if isinstance(node, ast.For)):
        if call not in ast.walk(loop):
            continue
        targets = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
        for place, target in enumerate(targets):
            if isinstance(target, ast.Name) and target.id == name:
                return _names(loop.iter, place, function, modules)
    raise ValueError(f"{function.name}: {name} is no loop's variable")


def _names(source: ast.expr, place: int, function: Function, modules: Sequence[ast.Module]) -> set[str]:
    """The constants that a loop over `source` gives its variable at `place`."""
    if isinstance(source, ast.Tuple | ast.List):
        rows = [row.elts[place] if isinstance(row, ast.Tuple) else row for row in source.elts]
        if all(isinstance(row, ast.Constant) for row in rows):
            return {str(row.value) for row in rows if isinstance(row, ast.Constant)}
    if isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute) and source.func.attr == "items":
        return _keys(source.func.value, function, modules)
    raise ValueError(f"{function.name}: cannot tell what {ast.unparse(source)} gives")


def _keys(source: ast.expr, function: Function, modules: Sequence[ast.Module]) -> set[str]:
    """The keys of a mapping: written out, a local name's, a function's answer, or a field given by keyword."""
    nodes = [node for module in modules for node in ast.walk(module)]
    if isinstance(source, ast.Dict):
        spelled = {str(key.value) for key in source.keys if isinstance(key, ast.Constant)}
        spread = [value for key, value in zip(source.keys, source.values, strict=True) if key is None]
        return spelled.union(*(_keys(value, function, modules) for value in spread))
    if isinstance(source, ast.DictComp):
        (part,) = source.generators
        return _names(part.iter, 0, function, modules)
    if isinstance(source, ast.Name):
        given = [n for n in ast.walk(function) if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == source.id]
        return set().union(*(_keys(each.value, function, modules) for each in given))
    if isinstance(source, ast.Call) and isinstance(source.func, ast.Name):
        (called,) = (n for n in nodes if isinstance(n, ast.FunctionDef) and n.name == source.func.id)
        answers = [n.value for n in ast.walk(called) if isinstance(n, ast.Return) and n.value is not None]
        return set().union(*(_keys(answer, called, modules) for answer in answers))
    if isinstance(source, ast.Attribute):
        fields = [n.value for n in nodes if isinstance(n, ast.keyword) and n.arg == source.attr]
        return set().union(*(_keys(value, function, modules) for value in fields if isinstance(value, ast.Dict)))
    raise ValueError(f"{function.name}: cannot tell the keys of {ast.unparse(source)}")

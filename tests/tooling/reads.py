"""Which fields of which configuration classes the kit's code reads, found in its syntax trees."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

Names = dict[str, str]
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Reads:
    """`(class, field)` of every read in `modules`; functions named in `without` do not count.

    A name holds a class when its annotation, the function that it comes from, or what it is taken out of says so; a
    container of a class counts as the class. What cannot be told is no read, so a test that expects one fails loudly.
    """

    def __init__(
        self, modules: Sequence[ast.Module], maker: ast.Module, classes: Sequence[type], without: Sequence[str] = ()
    ) -> None:
        """`maker` is the module that makes the objects: its functions' answers are known, its reads do not count."""
        self._fields = {cls.__name__: {f.name: str(f.type) for f in dataclasses.fields(cls)} for cls in classes}
        nodes = [node for module in modules for node in ast.walk(module)]
        every = [*nodes, *ast.walk(maker)]
        self._answers = {n.name: self._named(n.returns) for n in every if isinstance(n, Function) and n.returns}
        self.found: set[tuple[str, str]] = set()
        for function in (n for n in nodes if isinstance(n, Function) and n.name not in without):
            self._read(function)

    def _named(self, annotation: ast.expr | str | None) -> str:
        text = annotation if isinstance(annotation, str) else ast.unparse(annotation) if annotation else ""
        return next((word for word in re.findall(r"\w+", text) if word in self._fields), "")

    def _read(self, function: Function) -> None:
        arguments = [*function.args.args, *function.args.kwonlyargs]
        names = {each.arg: found for each in arguments if (found := self._named(each.annotation))}
        for node in ast.walk(function):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names[node.target.id] = self._named(node.annotation)
        for _ in range(3):  # a name may be taken out of one that is found later in the walk
            names |= {name: found for name, source in _bindings(function) if (found := self._class_of(source, names))}
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute):
                owner = self._class_of(node.value, names)
                if node.attr in self._fields.get(owner, {}):
                    self.found.add((owner, node.attr))

    def _class_of(self, node: ast.expr, names: Mapping[str, str]) -> str:
        if isinstance(node, ast.Name):
            return names.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self._class_of(node.value, names)
            if node.attr in self._fields.get(owner, {}):
                return self._named(self._fields[owner][node.attr])
            return owner if node.attr in {"get", "items", "values"} else ""
        if isinstance(node, ast.Call):
            called = self._answers.get(node.func.id, "") if isinstance(node.func, ast.Name) else ""
            inner = [node.func, *node.args] if not called else []
            return called or next((found for each in inner if (found := self._class_of(each, names))), "")
        parts = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
        return next((found for each in parts if (found := self._class_of(each, names))), "")


def _bindings(function: Function) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(function):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            for target in node.targets:
                both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                pairs += zip(target.elts, node.value.elts, strict=False) if both else [(target, node.value)]  # type: ignore[attr-defined]
        elif isinstance(node, ast.For | ast.comprehension):
            pairs.append((node.target, node.iter))
        for target, source in pairs:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    yield name.id, source

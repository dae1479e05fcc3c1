"""The kit's own operators for code that guards something: what mutmut does not change, and a mistake there costs most.

| name | change |
|---|---|
| `condition-true`, `condition-false` | an `if` or `elif`, an `assert`, a filter of a comprehension or a guard of a `case` is forced; a `while` only to false; of `and` and `or` inside such a condition each side is taken out |
| `drop-call` | a call whose result nobody uses does not happen; not for logging, `print` and `warnings` |
| `drop-raise` | an exception is not raised |
| `return-true`, `return-none`, `return-argument` | a function answers that instead of what it worked out; not in generators |
| `drop-decorator` | a function or class loses one decorator; not those that only shape it, as `property` does |

`if __name__ == …` and `if TYPE_CHECKING` stay as they are. Texts are replaced in place: nothing else is reformatted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ci_kit.selective_mutation.change import Change
from ci_kit.selective_mutation.scopes import DEFINITIONS, Scopes, Statement

PREFIX = "ci-kit:"
# Their effect is seen by people, seldom by a test: "arid" code in Petrovic and Ivankovic, ICSE-SEIP 2018.
LOGGING = frozenset({"log", "logger", "_log", "_logger", "LOG", "LOGGER", "logging", "print", "warnings"})
# Without these the code has another shape (every test fails), or behaves the same but slower (no test can fail).
SHAPING = frozenset(
    [
        "abstractmethod",
        "asynccontextmanager",
        "cache",
        "cached_property",
        "classmethod",
        "contextmanager",
        "dataclass",
        "deleter",
        "final",
        "getter",
        "lru_cache",
        "overload",
        "override",
        "property",
        "runtime_checkable",
        "setter",
        "staticmethod",
        "total_ordering",
        "wraps",
    ]
)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def security_changes(scopes: Scopes) -> Iterator[Change]:
    """Every change that the pack makes in a file, statement by statement."""
    for statement in scopes.statements:
        yield from _of(statement, scopes)


def _of(statement: Statement, scopes: Scopes) -> Iterator[Change]:
    node = statement.node
    span = (statement.start, statement.end)
    if isinstance(node, ast.If | ast.While | ast.Assert) and not _about_the_module(node.test):
        yield from _forced(
            node.test, scopes, true=not isinstance(node, ast.While), false=not isinstance(node, ast.Assert)
        )
    elif isinstance(node, ast.Raise):
        yield Change(*span, "pass", f"{PREFIX}drop-raise")
    elif isinstance(node, ast.Expr) and _is_call(node.value):
        yield Change(*span, "pass", f"{PREFIX}drop-call")
    elif isinstance(node, ast.Return) and node.value is not None and not statement.scope.generator:
        yield from _answers(node.value, statement, scopes)
    elif isinstance(node, ast.Match):
        for case in node.cases:
            if case.guard is not None:
                yield from _forced(case.guard, scopes)
    if isinstance(node, DEFINITIONS):
        yield from _undecorated(node, scopes)
    yield from _unfiltered(node, scopes)


def _forced(test: ast.expr, scopes: Scopes, *, true: bool = True, false: bool = True) -> Iterator[Change]:
    if not isinstance(test, ast.Constant):
        if true:
            yield _instead(test, "True", "condition-true", scopes)
        if false:
            yield _instead(test, "False", "condition-false", scopes)
    if true:  # a `while` that cannot end only costs its time limit
        yield from _sides(test, scopes)


def _instead(value: ast.expr, text: str, name: str, scopes: Scopes) -> Change:
    start, end = scopes.span(value)
    whole = scopes.lines.text
    before = " " if _in_word(whole[start - 1 : start]) else ""  # return"x"
    after = " " if _in_word(whole[end : end + 1]) else ""
    return Change(start, end, f"{before}{text}{after}", f"{PREFIX}{name}")


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _sides(test: ast.expr, scopes: Scopes) -> Iterator[Change]:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _sides(test.operand, scopes)
    if isinstance(test, ast.BoolOp):
        neutral = "True" if isinstance(test.op, ast.And) else "False"
        for side in test.values:
            if not isinstance(side, ast.Constant):
                yield _instead(side, neutral, f"condition-{neutral.lower()}", scopes)
            yield from _sides(side, scopes)


def _unfiltered(statement: ast.stmt, scopes: Scopes) -> Iterator[Change]:
    waiting: list[ast.AST] = [each for each in ast.iter_child_nodes(statement) if not isinstance(each, ast.stmt)]
    while waiting:
        each = waiting.pop()
        if isinstance(each, COMPREHENSIONS):
            for generator in each.generators:
                for test in generator.ifs:
                    yield from _forced(test, scopes)
        waiting.extend(child for child in ast.iter_child_nodes(each) if not isinstance(child, ast.stmt))


def _answers(value: ast.expr, statement: Statement, scopes: Scopes) -> Iterator[Change]:
    known = value.value if isinstance(value, ast.Constant) else ...
    if known is not True:
        yield _instead(value, "True", "return-true", scopes)
    if known is not None:
        yield _instead(value, "None", "return-none", scopes)
    argument = _first_argument(statement)
    if argument and not (isinstance(value, ast.Name) and value.id == argument):
        yield _instead(value, argument, "return-argument", scopes)


def _first_argument(statement: Statement) -> str:
    function = statement.scope.node
    if function is None:
        return ""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return next((name for name in names if name not in {"self", "cls", "mcs"}), "")


def _undecorated(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scopes: Scopes) -> Iterator[Change]:
    for decorator in node.decorator_list:
        if not shapes(decorator):
            start, end = scopes.span(decorator)
            at = scopes.lines.text.rindex("@", 0, start)
            if "(" not in scopes.lines.text[at:start]:  # parentheses around it would stay behind
                yield Change(at, end, "", f"{PREFIX}drop-decorator")


def shapes(decorator: ast.expr) -> bool:
    """It only shapes what it decorates."""
    return _name(decorator) in SHAPING


def _is_call(value: ast.expr) -> bool:
    if isinstance(value, ast.Await):
        value = value.value
    return isinstance(value, ast.Call) and not LOGGING & set(_names(value.func))


def _about_the_module(test: ast.expr) -> bool:
    return any(isinstance(each, ast.Name) and each.id in {"__name__", "TYPE_CHECKING"} for each in ast.walk(test))


def _name(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return next(_names(target), "")


def _names(target: ast.expr) -> Iterator[str]:
    """The parts of a dotted name, last first."""
    while isinstance(target, ast.Attribute):
        yield target.attr
        target = target.value
    if isinstance(target, ast.Name):
        yield target.id

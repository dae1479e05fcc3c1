"""Put mutated code into functions that are alive: which code objects differ, and which functions have them."""

from __future__ import annotations

import ast
import functools
import gc
import os
import warnings
from types import AsyncGeneratorType, CodeType, CoroutineType, FunctionType, GeneratorType
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_OPTIMIZED = 0x1  # inspect.CO_OPTIMIZED: a function's code, not a module's or a class body's


class Unfit(Exception):
    """This change cannot be made in a living process; the message says why."""


class Living:
    """The functions of some files that are alive now. Made once, before any fork."""

    def __init__(self, files: Iterable[str]) -> None:
        wanted = {os.path.realpath(name) for name in files}
        known: Dict[str, bool] = {}
        self._functions: Dict[CodeType, List[FunctionType]] = {}
        self._suspended: Set[CodeType] = set()
        for thing in gc.get_objects():
            code = _code(thing)
            if code is None:
                continue
            name = code.co_filename
            if name not in known:
                known[name] = os.path.realpath(name) in wanted
            if not known[name]:
                continue
            if isinstance(thing, FunctionType):
                self._functions.setdefault(code, []).append(thing)
            else:
                self._suspended.add(code)

    def replace(self, codes: Dict[CodeType, CodeType], outermost: Iterable[CodeType]) -> List[FunctionType]:
        """Give every living function its new code; answers them. Raises `Unfit`, with nothing replaced, where that is not
        enough.
        """
        for code in outermost:
            if code not in self._functions:
                raise Unfit(f"no function alive has the code of {code.co_name}")
        if not self._suspended.isdisjoint(codes):
            raise Unfit("its code is running already")
        changed = []
        for old, new in codes.items():
            for function in self._functions.get(old, ()):
                function.__code__ = new
                changed.append(function)
        return changed

    def restore(self, codes: Dict[CodeType, CodeType], changed: Iterable[FunctionType]) -> None:
        """Undo `replace`."""
        before = {new: old for old, new in codes.items()}
        for function in changed:
            function.__code__ = before[function.__code__]


def _code(thing: object) -> Optional[CodeType]:
    if isinstance(thing, FunctionType):
        return thing.__code__
    if isinstance(thing, GeneratorType):
        return thing.gi_code
    if isinstance(thing, CoroutineType):
        return thing.cr_code
    return thing.ag_code if isinstance(thing, AsyncGeneratorType) else None


def differences(
    original: str, mutated: str, filename: str, lines: Tuple[int, int], *, force: bool = False
) -> Tuple[Dict[CodeType, CodeType], List[CodeType]]:
    """Old code → new code of the functions that a change of `lines` (first, last; 1-based) touches, and the outermost of them.

    With `force` the functions around the first line count as changed even when their code is equal. Raises `Unfit` when
    the change is in code that ran at import, or when the two sources do not have the same shape.
    """
    place = _place(original, filename, lines[0])
    more = mutated.count("\n") - original.count("\n")
    before = _original(original, filename, place)
    after = _compiled(original, mutated, filename, place._replace(end=place.end + more))
    found: Dict[CodeType, CodeType] = {}
    outermost: List[CodeType] = []
    seen: Dict[CodeType, int] = {}
    _compare(before, after, found, outermost, seen, inside=False, force=force)
    if not found:
        raise Unfit("the code is the same")
    for code in found:
        if seen[code] > 1:
            raise Unfit(f"two equal pieces of code are called {code.co_name}")
    return found, outermost


@functools.lru_cache(maxsize=16)
def _parsed(source: str, filename: str) -> ast.Module:
    return ast.parse(source, filename)


class _Place(NamedTuple):
    """First and last line of a statement, and the line of the one at module level that holds it.

    `owners` are the classes around it: it is a method, or a class of their own has it.
    """

    begin: int
    end: int
    top: int
    owners: Tuple[ast.ClassDef, ...]


@functools.lru_cache(maxsize=256)
def _place(source: str, filename: str, line: int) -> _Place:
    """The method or function that holds a line, else the one statement at module level that does."""
    top = _holding(_parsed(source, filename).body, line)
    if top is None:
        raise Unfit("it is no part of one statement at module level")
    owners: List[ast.ClassDef] = []
    node: Optional[ast.stmt] = top
    while isinstance(node, ast.ClassDef):
        owners.append(node)
        node = _holding(node.body, line)
    # What is no method runs with the class: then all of the class is compared.
    inner, chain = (node, tuple(owners)) if isinstance(node, _FUNCTIONS) else (top, ())
    return _Place(_begin(inner), inner.end_lineno or 0, _begin(top), chain)


def _holding(body: List[ast.stmt], line: int) -> Optional[ast.stmt]:
    found = [node for node in body if _begin(node) <= line <= (node.end_lineno or 0)]
    return found[0] if len(found) == 1 else None


@functools.lru_cache(maxsize=256)
def _original(original: str, filename: str, place: _Place) -> CodeType:
    return _compiled(original, original, filename, place)


def _compiled(original: str, source: str, filename: str, place: _Place) -> CodeType:
    """The code of the statement in these lines of `source`, as it is in the whole module.

    Of the classes around a method only their names matter: they are in its name and in those that begin with `__`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Empty lines cost nothing, and keep the places right.
        lines = source.split("\n")[place.begin - 1 : place.end]
        before = place.begin - (2 if place.owners else 1)
        text = "\n" * before + "\n".join(["if 1:", *lines] if place.owners else lines)
        tree = ast.parse(text, filename)
        body = tree.body
        if place.owners and len(body) == 1 and isinstance(body[0], ast.If):
            body = body[0].body
        if len(body) != 1:
            raise Unfit("it is no longer one statement")
        for owner in reversed(place.owners):
            body = [_emptied(owner, body)]
        # The compiler treats `name.attribute()` otherwise where the module imports the name.
        imports = [node for node in _parsed(original, filename).body if _imports(node) and _begin(node) != place.top]
        tree.body = [*imports, *body]
        return compile(tree, filename, "exec", dont_inherit=True)


def _emptied(owner: ast.ClassDef, body: List[ast.stmt]) -> ast.ClassDef:
    """The class with another body, and without what is evaluated in its head."""
    found = ast.ClassDef(**{**{name: getattr(owner, name) for name in owner._fields}, "body": body})
    found.bases, found.keywords, found.decorator_list = [], [], []
    return ast.copy_location(found, owner)


def _imports(node: ast.stmt) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Expr, ast.Assign)):
        return False
    return any(isinstance(each, (ast.Import, ast.ImportFrom)) for each in ast.walk(node))


def _begin(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return int(min([node.lineno, *(each.lineno for each in decorators)]))


def _compare(
    old: CodeType,
    new: CodeType,
    found: Dict[CodeType, CodeType],
    outermost: List[CodeType],
    seen: Dict[CodeType, int],
    *,
    inside: bool,
    force: bool,
) -> None:
    function = bool(old.co_flags & _OPTIMIZED)
    if function:
        seen[old] = seen.get(old, 0) + 1
        if old != new or force:
            if old.co_freevars != new.co_freevars:
                raise Unfit(f"{old.co_name} would need other variables of the functions around it")
            found[old] = new
            if not inside:
                outermost.append(old)
            inside = True
    elif _shallow(old) != _shallow(new):
        raise Unfit("the changed code runs at import")
    mine, theirs = _nested(old), _nested(new)
    if [code.co_name for code in mine] != [code.co_name for code in theirs]:
        raise Unfit("functions inside it come or go")
    for one, other in zip(mine, theirs):  # noqa: B905 - Python 3.9 has no `strict`
        _compare(one, other, found, outermost, seen, inside=inside, force=force)


def _nested(code: CodeType) -> List[CodeType]:
    return [const for const in code.co_consts if isinstance(const, CodeType)]


def _shallow(code: CodeType) -> Tuple[Any, ...]:
    """What a module's or a class's own code does, without its functions and without places in the file."""
    consts = tuple(
        (type(const), repr(const)) if not isinstance(const, CodeType) else const.co_name for const in code.co_consts
    )
    return code.co_code, consts, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars

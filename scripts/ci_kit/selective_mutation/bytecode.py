"""Whether a changed statement compiles, and whether the interpreter would do anything else for it.

Only the statement is compiled, inside a function, class and loop like those that it stands in, because compiling the
whole file for each of ten thousand mutants takes minutes. Equal code with equal names, constants and flags here is
equal code there. The other way round, a difference here may be none there: then the mutant is kept.
Trivial compiler equivalence is from Papadakis et al., ICSE 2015.
"""

from __future__ import annotations

import ast
from types import CodeType

from ci_kit.selective_mutation.scopes import Statement
from ci_kit.selective_mutation.text import Lines

Key = tuple[object, ...]


def code_of(text: str, statement: Statement, lines: Lines) -> Key | None:
    """What running a statement with this text does, to compare with another text of it; none if it does not compile.

    Line numbers and the file's name are left out. The caller keeps warnings of the compiler away.
    """
    try:
        return _key(compile(_wrapped(text, statement, lines), "mutant", "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def is_value(text: str) -> bool:
    """Whether it is a constant, such as `1`, `"a"` or `None`."""
    try:
        return isinstance(ast.parse(text.strip(), mode="eval").body, ast.Constant)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def compiles(text: str) -> bool:
    """Whether a whole file does."""
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True


def _wrapped(text: str, statement: Statement, lines: Lines) -> str:
    line = lines.of(statement.start)
    indent = lines.indent(line)
    if lines.start(line) + len(indent) != statement.start:  # a header or another statement is before it on its line
        indent = "    "
    if isinstance(statement.node, ast.If) and lines.text.startswith("elif", statement.start):
        text = text.removeprefix("el")
    headers = []
    if statement.private:
        headers.append("class C:")
    if statement.scope.node is not None:
        headers.append("async def f():" if statement.scope.asynchronous else "def f():")
    if statement.loop:
        headers.append("while x:")
    # Real nesting makes the indentation at least as deep as these headers; its own characters fit tabs, too.
    before = [f"{indent[:depth]}{header}\n" for depth, header in enumerate(headers)]
    inside = indent if headers else ""
    # Something before it, so that no string becomes a docstring: those do not change what code does. Something after
    # it, and after the loop, so that `continue`, `break`, `return` and nothing at all are not the same.
    after = [f"{indent[:depth]}after{depth}()\n" for depth in reversed(range(1, len(headers)))]
    return f"{''.join(before)}{inside}0\n{inside}{text}\n{inside}after()\n{''.join(after)}"


def _key(code: CodeType) -> Key:
    constants = tuple(_key(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return (code.co_code, getattr(code, "co_exceptiontable", b""), constants, counts, names)

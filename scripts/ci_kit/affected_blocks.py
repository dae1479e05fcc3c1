"""Cut Python source into blocks that change independently: each function, and the module with everything else.

A function's block is its body. What surrounds it (decorators, name, parameters, defaults, class bodies, constants) runs when
the module is imported and belongs to the module's block, as do lambdas. So a function that is added, removed, renamed or
moved to another class changes the module's block.
"""

from __future__ import annotations

import ast
import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MODULE = ""
UNREADABLE = "?"
_KEEPS = re.compile(r"cache|memo|once|singleton|lazy", re.IGNORECASE)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Blocks:
    """A file's blocks. `digests` maps a block's name to a digest of its text, comments and blank lines left out.

    `keeps` are functions that may remember what they did (a cache, a global): each maps to its bare name. `imports` are
    dotted names as written (relative ones with their dots), `names` every identifier of the file.
    """

    digests: Mapping[str, str]
    imports: frozenset[str] = frozenset()
    keeps: Mapping[str, str] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    _starts: tuple[int, ...] = ()
    _owners: tuple[str, ...] = ()

    def at(self, line: int) -> str:
        """The block of the code object that starts at `line`."""
        place = bisect_right(self._starts, line) - 1
        return self._owners[place] if place >= 0 else MODULE


def digest(text: str) -> str:
    """Short, and long enough never to be equal by chance."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def blocks_of(source: str) -> Blocks:
    """The blocks of `source`. Source that this Python cannot parse is one block that changes as a whole."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Blocks({MODULE: digest(source), UNREADABLE: ""})
    lines = source.splitlines()
    found = _Walk(lines)
    found.visit(tree, MODULE, "")
    for number in _comments(tree, lines):
        found.owners[number] = None
    texts: dict[str, list[str]] = {name: [] for name in (MODULE, *found.functions)}
    for line, owner in zip(lines, found.owners[1:], strict=False):
        if owner is not None:
            texts[owner].append(line.rstrip())
    starts = sorted(found.starts.items())
    return Blocks(
        digests={name: digest("\n".join(text)) for name, text in texts.items()},
        imports=frozenset(_imports(tree)),
        keeps=found.keeps,
        names=frozenset(_names(tree)),
        _starts=tuple(start for start, _ in starts),
        _owners=tuple(owner for _, owner in starts),
    )


class _Walk:
    """Gives every line to the innermost function whose body holds it; `owners[n]` is the owner of line n."""

    def __init__(self, lines: list[str]) -> None:
        self.owners: list[str | None] = [MODULE] * (len(lines) + 2)
        self.functions: dict[str, None] = {}
        self.keeps: dict[str, str] = {}
        self.starts: dict[int, str] = {0: MODULE}

    def visit(self, node: ast.AST, owner: str, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _Function):
                self._function(child, owner, prefix)
            elif isinstance(child, ast.ClassDef):
                self.visit(child, owner, f"{prefix}{child.name}.")
            else:
                self.visit(child, owner, prefix)

    def _function(self, node: _Function, owner: str, prefix: str) -> None:
        name = f"{prefix}{node.name}"
        self.functions[name] = None
        begin = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        first, last = node.body[0].lineno, node.end_lineno or node.lineno
        body = node.body[0]
        if isinstance(body, _Function | ast.ClassDef) and body.decorator_list:
            first = min(decorator.lineno for decorator in body.decorator_list)
        header = max(_last_line(node.args, node.lineno), node.returns.end_lineno or 0 if node.returns else 0)
        if first <= header or first == node.lineno:
            # Body and header share a line, which then counts for both: for the surrounding block by its own name.
            self.owners[begin : last + 1] = [owner] * (last + 1 - begin)
            name = owner
        else:
            self.owners[first : last + 1] = [name] * (last + 1 - first)
        self.starts[begin] = name
        self.starts.setdefault(last + 1, owner)
        if any(_KEEPS.search(ast.unparse(decorator)) for decorator in node.decorator_list) or any(
            isinstance(inner, ast.Global) for inner in ast.walk(node)
        ):
            self.keeps[name] = node.name
        for statement in node.body:
            self.visit(ast.Module([statement], []), name, f"{prefix}{node.name}.<locals>.")


def _last_line(node: ast.AST, least: int) -> int:
    return max([least, *(getattr(child, "end_lineno", None) or 0 for child in ast.walk(node))])


def _comments(tree: ast.AST, lines: list[str]) -> Iterator[int]:
    """Lines that hold nothing or a comment, unless they are inside a string."""
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and (node.end_lineno or 0) > node.lineno:
            inside.update(range(node.lineno, (node.end_lineno or 0) + 1))
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if (not text or text.startswith("#")) and number not in inside:
            yield number


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield base
            for alias in node.names:
                yield f"{base}{'' if base.endswith('.') or not base else '.'}{alias.name}"


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)

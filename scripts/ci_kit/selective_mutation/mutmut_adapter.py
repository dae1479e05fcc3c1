"""The mutants that mutmut makes, as changes of the text. The only module that touches what mutmut does not document.

mutmut puts every mutant of a function into one file with switches between them; the kit patches one change into the
file as it is, so it takes the changed nodes before they are put together. Without switches it can also change what
mutmut must leave alone: module level, nested classes and decorated functions (their decorators stay).

`tests/contract/test_mutmut.py` holds this to the pinned version: the same mutants as its command line makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState
from libcst.metadata import MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider
from mutmut import configuration
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import PragmaParseError, get_ignored_lines

from ci_kit.selective_mutation.change import CannotMutate, Change, InternalsChanged, narrowed
from ci_kit.selective_mutation.text import Lines

MOST = 200_000  # parts written for one node: a call with a thousand arguments has two thousand mutants of as many


@dataclass(frozen=True)
class FromMutmut:
    """A change, and whether mutmut itself would run it."""

    change: Change
    own: bool


def mutmut_changes(path: str, lines: Lines) -> tuple[list[FromMutmut], int]:
    """Every change that mutmut's operators make of a file, in mutmut's order, and how many calls and `match` are too
    long to change in every part.

    Raises `CannotMutate`, and `InternalsChanged` where mutmut does not behave as the pinned version does.
    """
    try:
        found = _Mutations(path, lines.text)
        return _placed(found, lines)
    except (cst.ParserSyntaxError, PragmaParseError, RecursionError) as error:
        raise CannotMutate(str(error) or type(error).__name__) from error
    except (AttributeError, TypeError, KeyError) as error:
        raise InternalsChanged(f"{type(error).__name__}: {error}") from error


class _Mutations:
    """What mutmut's visitor found in a file, and the operator of each."""

    def __init__(self, path: str, text: str) -> None:
        # Otherwise mutmut reads the settings of the folder that the kit happens to run in.
        configuration._config = SimpleNamespace(do_not_mutate_patterns=[])  # type: ignore[assignment] # noqa: SLF001
        self.operator: dict[int, str] = {}
        self.cut_short = 0
        self.wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        visitor = _Everywhere(list(self._named(mutation_operators)), get_ignored_lines(path, text, self.wrapper))
        self.wrapper.visit(visitor)
        self.mutations = visitor.mutations

    def _named(self, operators: Iterable[tuple[type, Any]]) -> Iterator[tuple[type, Any]]:
        for kind, operator in operators:

            def with_name(node: cst.CSTNode, operator: Any = operator) -> Iterator[cst.CSTNode]:  # noqa: ANN401
                parts = len(getattr(node, "args", ())) + len(getattr(node, "cases", ()))
                for made, mutated in enumerate(operator(node), start=1):
                    if made * parts > MOST:
                        self.cut_short += 1
                        return
                    self.operator[id(mutated)] = operator.__name__.removeprefix("operator_").replace("_", "-")
                    yield mutated

            yield kind, with_name


class _Everywhere(MutationVisitor):
    """mutmut's visitor, in decorated functions too."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        skip = super()._skip_node_and_children(node)
        if skip and isinstance(node, cst.FunctionDef) and node.decorators:
            ignored = self.get_metadata(PositionProvider, node).start.line in self._ignored_node_lines
            hook = node in self._enum_creation_hooks
            return ignored or hook or super()._skip_node_and_children(node.with_changes(decorators=()))
        return skip


def _placed(found: _Mutations, lines: Lines) -> tuple[list[FromMutmut], int]:
    module = found.wrapper.module
    places = found.wrapper.resolve(WhitespaceInclusivePositionProvider)
    indents = _Indents(module.default_indent, {id(each.original_node) for each in found.mutations})
    module.visit(indents)
    text = lines.text
    changes: list[FromMutmut] = []
    for mutation in found.mutations:
        node, place = mutation.original_node, places[mutation.original_node]
        start = lines.at(place.start.line, place.start.column)
        end = lines.at(place.end.line, place.end.column)
        indent = indents.found[id(node)]
        if _written(module, node, indent) != text[start:end]:
            raise InternalsChanged(f"a {type(node).__name__} on line {place.start.line} is not where mutmut puts it")
        after = _written(module, mutation.mutated_node, indent)
        operator = found.operator[id(mutation.mutated_node)]
        own = _is_run_by_mutmut(mutation.contained_by_top_level_function)
        changes.append(FromMutmut(narrowed(text, Change(start, end, after, operator)), own))
    return changes, found.cut_short


def _is_run_by_mutmut(function: cst.CSTNode | None) -> bool:
    """Mutmut's switches are in the functions of a module and of its classes; all but two decorators keep them out."""
    if not isinstance(function, cst.FunctionDef):
        return False
    names = [each.decorator.value for each in function.decorators if isinstance(each.decorator, cst.Name)]
    return not function.decorators or (len(function.decorators) == 1 and names in (["staticmethod"], ["classmethod"]))


class _Indents(cst.CSTVisitor):
    """The indentation that each wanted node is written with."""

    def __init__(self, default: str, wanted: set[int]) -> None:
        super().__init__()
        self.found: dict[int, str] = {}
        self._default = default
        self._wanted = wanted
        self._stack = [""]

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Enter a node."""
        if id(node) in self._wanted:
            self.found[id(node)] = self._stack[-1]
        if isinstance(node, cst.IndentedBlock | cst.Match):
            self._stack.append(self._stack[-1] + (self._default if node.indent is None else node.indent))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Leave a node."""
        if isinstance(original_node, cst.IndentedBlock | cst.Match):
            self._stack.pop()


def _written(module: cst.Module, node: cst.CSTNode, indent: str) -> str:
    """A node's text as it stands in a block with this indentation."""
    state = CodegenState(default_indent=module.default_indent, default_newline=module.default_newline)
    state.increase_indent(indent)
    node._codegen(state)  # noqa: SLF001
    return "".join(state.tokens)

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from textwrap import dedent

import pytest
from ci_kit.affected_blocks import MODULE, UNREADABLE, blocks_of
from hypothesis import given
from hypothesis import strategies as st

SOURCE = dedent('''\
    """A module."""
    import functools
    LIMIT = 3

    def plain(a, b=LIMIT):
        # a comment
        return a + b

    @functools.lru_cache
    def kept():
        return 1

    class Shape:
        sides = 4

        @property
        def area(self):
            def inner():
                return 2
            return inner()

    def one_line(): return 7
    pick = lambda x: x + 1
''')


def changed(old: str, new: str) -> set[str]:
    assert old in SOURCE
    before, after = blocks_of(SOURCE).digests, blocks_of(SOURCE.replace(old, new)).digests
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return a + b", "return a - b", {"plain"}),
        ("# a comment", "# another", set()),
        ("    # a comment\n", "\n\n", set()),
        ("b=LIMIT", "b=4", {MODULE}),
        ("LIMIT = 3", "LIMIT = 4", {MODULE}),
        ("sides = 4", "sides = 5", {MODULE}),
        ("@property", "@functools.cached_property", {MODULE}),
        ("return 2", "return 3", {"Shape.area.<locals>.inner"}),
        ("return inner()", "return inner() + 1", {"Shape.area"}),
        ("return 7", "return 8", {MODULE}),
        ("x + 1", "x + 2", {MODULE}),
        ("def plain", "def renamed", {MODULE, "plain", "renamed"}),
    ],
)
def test_a_change_is_seen_in_its_own_block(old: str, new: str, expected: set[str]) -> None:
    assert changed(old, new) == expected


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="co_qualname")
def test_every_code_object_belongs_to_the_block_that_holds_its_text() -> None:
    blocks = blocks_of(SOURCE)
    owners = {code.co_qualname: blocks.at(code.co_firstlineno) for code in codes(compile(SOURCE, "m.py", "exec"))}
    assert owners == {
        "<module>": MODULE,
        "plain": "plain",
        "kept": "kept",
        "Shape": MODULE,
        "Shape.area": "Shape.area",
        "Shape.area.<locals>.inner": "Shape.area.<locals>.inner",
        "one_line": MODULE,
        "<lambda>": MODULE,
    }


def test_functions_that_remember_are_known() -> None:
    assert blocks_of(SOURCE).keeps == {"kept": "kept"}
    assert blocks_of("def f():\n    global X\n    X = 1\n").keeps == {"f": "f"}


def test_imports_are_named_as_written() -> None:
    found = blocks_of("import a.b\nfrom c import d\nfrom . import e\ndef f():\n    from ..g import h as i\n").imports
    assert found == {"a.b", "c", "c.d", ".", ".e", "..g", "..g.h"}


def test_source_that_cannot_be_parsed_changes_as_a_whole() -> None:
    one, other = blocks_of("def f(:\n"), blocks_of("def g(:\n")
    assert UNREADABLE in one.digests
    assert one.digests[MODULE] != other.digests[MODULE]
    assert one.at(1) == MODULE


def test_a_line_in_a_string_is_no_comment() -> None:
    before = blocks_of('def f():\n    return """\n# one\n"""\n').digests
    assert before["f"] != blocks_of('def f():\n    return """\n# two\n"""\n').digests["f"]


LINES = st.lists(
    st.sampled_from(["x = 1", "x = 2", "# note", "", "def f():\n    return 1", "def f():\n    return 2", "class A:\n    y = 1"]),
    max_size=12,
)  # fmt: skip


@given(LINES)
def test_text_without_comments_and_blank_lines_has_the_same_blocks(lines: list[str]) -> None:
    kept = [line for line in lines if line and not line.startswith("#")]
    assert blocks_of("\n".join(lines)).digests == blocks_of("\n".join(kept)).digests

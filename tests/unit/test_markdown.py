"""Whatever a value holds, it is text in a summary."""

from __future__ import annotations

import re

import pytest
from ci_kit.markdown import cell, code, fence, text
from hypothesis import given
from hypothesis import strategies as st

MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")  # what CommonMark shows as the mark alone
ALWAYS = set("\\`*_[]<>&|~$!#@^")
LINE_START = re.compile(r"[-+=:]|\d+[.)]( |$)")
ADDRESS = re.compile(r":/|www\.", re.IGNORECASE)
PARTS = [*MARKS, *" \n\t\r\u2028\u202e\x00a1", "12. ", "https://", "WWW.", "<!--"]
anything = st.lists(st.one_of(st.sampled_from(PARTS), st.characters()), max_size=20).map("".join)


def bare(markdown: str) -> str:
    """What is left to mean something: the text without its escaped marks and its code spans."""
    return ESCAPED.sub(" ", re.sub(r"\A`[^`|\n]+`\Z", "", markdown)).removeprefix("<code>").removesuffix("</code>")


def shown(markdown: str) -> str:
    """What a reader sees."""
    if markdown.startswith("`"):
        return markdown[1:-1]
    return ESCAPED.sub(r"\1", markdown.removeprefix("<code>").removesuffix("</code>"))


@given(anything)
def test_no_markup_survives_and_no_word_is_lost(value: str) -> None:
    for made in (text(value), code(value)):
        assert not set(bare(made)) & ALWAYS
        assert not ADDRESS.search(bare(made))
        assert made.isprintable()
        assert made == made.strip()
    assert not LINE_START.match(text(value))
    assert shown(code(value)) == "".join(each if each.isprintable() else ascii(each)[1:-1] for each in value)
    if value.isprintable():
        assert shown(text(value)) == " ".join(value.split())
    assert cell(value).split("<br>") == [text(line) for line in value.splitlines()] or not value


@given(anything, anything)
def test_a_row_keeps_its_cells(one: str, other: str) -> None:
    """GitHub's reader of tables takes a backslash and the mark behind it together, in code too."""
    row = f"| {cell(one)} | {code(one)} | {code(other)} |"
    assert len(row.splitlines()) == 1
    assert ESCAPED.sub("", row).count("|") == 4


@given(anything)
def test_nothing_ends_a_fence(value: str) -> None:
    block = fence(value).split("\n")
    assert all(not line.startswith(block[-1]) for line in re.split(r"[\n\r]", value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.py::t[x]", "`a.py::t[x]`"),
        ("t[a|b]", r"<code>t\[a\|b\]</code>"),
        ("t[\\|]", r"<code>t\[\\\|\]</code>"),
        ("a`b", r"<code>a\`b</code>"),
        ("a\nb", "`a\\nb`"),
        ("", "<code></code>"),
    ],
)
def test_code_is_readable_where_it_can_be(value: str, expected: str) -> None:
    assert code(value) == expected


def test_text_by_example() -> None:
    assert text("  1. [x](y)\n <b>") == r"1\. \[x\](y) \<b\>"
    assert text("unit · Python 3.12 · 1/2: 85 % (a, b)") == "unit · Python 3.12 · 1/2: 85 % (a, b)"
    assert text("see https://x.example and www.x.example") == r"see https\://x.example and www\.x.example"
    assert text("a\u202eb") == r"a\\u202eb"
    assert cell("one | two\n# three") == r"one \| two<br>\# three"

"""Guess how many tests a file holds, fast: a plan looks at every test file of a repository before anything else starts."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from ci_kit.test_tree import tests_in_tree

LOOKED_AT_BYTES = 1_000_000
MOST_TESTS = 100_000
MOST_NESTING = 20

# Begins with a plain newline, which is found five times as fast as the start of a line.
_MARKS = re.compile(
    rb"\n([ \t]*)(?:(?:async[ \t]+)?def[ \t]+(?P<test>test[\w\x80-\xff]*)|(?P<class>class[ \t])|(?P<params>@[\w.]*parametrize\())"
)
# The call's first argument and the opening bracket of its second one, after strings became `s`.
_VALUES = re.compile(rb"\s*(?:argnames\s*=\s*)?(?:s|[\[(][^\[\]()]*[\])])\s*,\s*(?:argvalues\s*=\s*)?[\[(]")
_STRINGS = re.compile(rb""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")
_COMMENTS = re.compile(rb"""#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")
_INNERMOST = re.compile(rb"\([^\[\](){}]*\)|\[[^\[\](){}]*\]|\{[^\[\](){}]*\}")
_CLOSING = re.compile(rb"[\])}]")


def count_tests(path: Path, *, from_tree: bool = False) -> int:
    """How many tests the file holds, at least 1; a list of parameters that is spelled out counts fully."""
    return min(max(1, sum(tests_in(path, from_tree=from_tree).values())), MOST_TESTS)


def tests_in(path: Path, *, from_tree: bool) -> Mapping[str, int]:
    """For each test function of the file, by its bare name, a guess at how many tests it makes.

    `from_tree` reads the syntax tree where the file has one: the better guess, for ten times the time. Otherwise regular
    expressions read the text. A file that is not Python or cannot be read holds none.
    """
    if path.suffix != ".py":
        return {}
    try:
        with path.open("rb", buffering=0) as file:
            source = file.read(LOOKED_AT_BYTES)
    except OSError:
        return {}
    if from_tree:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the consumer's own code, such as a wrong escape
                return tests_in_tree(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass  # no Python, or one that is newer than ours
    return _tests_in_text(b"\n" + source)


def _tests_in_text(source: bytes) -> Counter[str]:
    marks = list(_MARKS.finditer(source))
    found: Counter[str] = Counter()
    times, in_class = 1, 1
    for mark, following in zip_longest(marks, marks[1:]):
        indent, kind = mark[1], mark.lastgroup
        if kind == "params":
            entries = _entries(source[mark.end() : following.start() if following else None])
            times = min(times * max(1, entries), MOST_TESTS)
            continue
        if kind == "class":
            in_class = times
        else:
            in_class = in_class if indent else 1
            found[mark["test"].decode(errors="replace")] += times * in_class
        times = 1
    return found


def _entries(call: bytes) -> int:
    """The entries of the list that is the second argument of a call; `call` starts behind its opening bracket."""
    plain = _STRINGS.sub(b"s", _COMMENTS.sub(_kept, call) if b"#" in call else call)
    values = _VALUES.match(plain)
    if values is None:
        return 1
    inside = plain[values.end() :]
    for _ in range(MOST_NESTING):
        inside, collapsed = _INNERMOST.subn(b"v", inside)
        if not collapsed:
            break
    body = _CLOSING.split(inside, maxsplit=1)[0]
    return body.count(b",") + (not body.rstrip().endswith(b","))


def _kept(found: re.Match[bytes]) -> bytes:
    return b"" if found[0].startswith(b"#") else found[0]

"""Comments that keep mutants away from code: `# ci-kit: no-mutation <reason>`.

At the end of a line it is about what is changed on that line; on a line of its own, about the statement after it; on
the line of a `def`, `class` or decorator (or above them), about the whole definition. The reason is everything after
`no-mutation`; without one the comment is not honoured. mutmut's own `# pragma: no mutate`, which knows no reason, is
honoured with itself as the reason.
"""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass

from ci_kit.selective_mutation.scopes import DEFINITIONS, Scopes

COMMENT = re.compile(r"#\s*ci-kit:\s*no-mutation\b[\s:]*(?P<reason>.*)")
PRAGMA = re.compile(r"#\s*pragma:.*\bno mutate\b.*")


@dataclass(frozen=True)
class Ignore:
    """A comment on `line` about the lines from `first` to `last`."""

    line: int
    reason: str
    first: int
    last: int


def ignores(scopes: Scopes) -> list[Ignore]:
    """The comments of a file, from its top. Raises what `tokenize` raises where the text is no Python."""
    text = scopes.lines.text
    if "no-mutation" not in text and "no mutate" not in text:
        return []
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        if token.type == tokenize.COMMENT:
            kit, pragma = COMMENT.search(token.string), PRAGMA.search(token.string)
            if kit or pragma:
                reason = kit["reason"].strip() if kit else token.string.removeprefix("#").strip()
                found.append(Ignore(token.start[0], reason, *_about(token, scopes)))
    return found


def _about(token: tokenize.TokenInfo, scopes: Scopes) -> tuple[int, int]:
    line, lines = token.start[0], scopes.lines
    if lines.start(line) + len(lines.indent(line)) == lines.at(line, token.start[1]):  # nothing before it
        after = next((each for each in scopes.statements if lines.of(each.start) > line), None)
        inside = scopes.statement_at(*[lines.at(line, token.start[1])] * 2)
        if after is None or (
            inside is not None and lines.of(inside.header_end) > line and inside.header_end <= after.start
        ):
            return line, line + 1  # between the lines of one statement: the next line
        first = lines.of(after.start)
        last = (
            lines.of(after.end)
            if isinstance(after.node, DEFINITIONS)
            else lines.of(max(after.start, after.header_end - 1))
        )
        return first, max(first, last)
    for each in scopes.statements:
        if isinstance(each.node, DEFINITIONS) and lines.of(each.start) <= line <= each.node.lineno:
            return lines.of(each.start), lines.of(each.end)
    return line, line

"""Values in a step summary: names of tests, files and configuration are text of a pull request, and stay text.

Every value that is put into Markdown goes through one of these. GitHub notifies nobody of a name in a summary, so only
markup matters: no link, image, HTML, heading, list, or end of a table's row or cell comes out of a value.
"""

from __future__ import annotations

import re

# CommonMark takes a backslash before any ASCII punctuation. These mean something wherever they are; the others only
# in an address that becomes a link by itself, or as the first of a line (list, underline of a heading, definition).
_MARKS = re.compile(r"[\\`*_\[\]<>&|~$!#@^]|:(?=/)|(?<=www)\.|^[-+=:]", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+)(?=[.)](?: |$))")
_TICKS = re.compile(r"`+")


def text(value: object) -> str:
    """Plain words on one line, for any place: a backslash takes the meaning from every mark."""
    return _escaped(visible(" ".join(str(value).split())))


def cell(value: object) -> str:
    """Plain words that keep their lines, for a table's cell or a list's item."""
    return "<br>".join(text(line) for line in str(value).splitlines())


def code(value: object) -> str:
    """A code span on one line, for any place, with every character visible."""
    shown = visible(str(value))
    # A table ends its cell at a bar in a code span too, and has no escape that is right behind a backslash.
    return f"`{shown}`" if shown.strip() and not set("|`") & set(shown) else f"<code>{_escaped(shown)}</code>"


def fence(value: str, language: str = "text") -> str:
    """A code block that its content cannot end."""
    ticks = "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(value)), default=0))
    return f"{ticks}{language}\n{value}\n{ticks}"


def visible(value: str) -> str:
    """Without characters that nobody sees, such as those that turn the direction of reading."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in value)


def _escaped(value: str) -> str:
    return _NUMBERED.sub(r"\1\\", _MARKS.sub(r"\\\g<0>", value))

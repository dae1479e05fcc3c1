"""Path patterns of the configuration: `src/core/**`, `*.py`, `src/core` (the file or all that is in the folder)."""

from __future__ import annotations

import re
from functools import cache


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression for whole POSIX paths relative to the repository.

    `*` and `?` stay within one part of the path, `**` spans parts, `[…]` is a set as in `fnmatch`.
    """
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\])", pattern.removeprefix("./").rstrip("/"))
    return re.compile("".join(map(_part, parts)) + r"(?:/.*)?\Z", re.DOTALL)


def _part(part: str) -> str:
    fixed = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    if part in fixed:
        return fixed[part]
    if part.startswith("[") and part.endswith("]") and len(part) > 2:
        inside = part[1:-1]
        negated, inside = inside.startswith("!"), inside.removeprefix("!")
        escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside)
        return f"[{'^' if negated else ''}{escaped}]"
    return re.escape(part)


def matches(pattern: str, path: str) -> bool:
    """Whether `path` is meant by `pattern`."""
    return compiled(pattern).match(path) is not None

"""Coverage of what a change touches: its statements, and the branches that leave them."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.changes import FileChange
from ci_kit.coverage_combine.numbers import Counts, FileCoverage, add

_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


@dataclass(frozen=True)
class Patch:
    """What is changed and countable, by file; a file without any is left out. What is missing is in changed statements."""

    files: tuple[FileCoverage, ...]
    counts: Counts


def patch(changes: Mapping[str, FileChange], data: Mapping[str, Any], source: Callable[[str], str]) -> Patch:
    """Count the statements with a changed line, in coverage's JSON report `data`, and the branches that start in them.

    Coverage names a statement by its first line. A changed line that continues a statement means that statement, so long
    as there is more on it than a comment. `source(path)` is a file's text with its own line ends.
    """
    files = [
        _file(path, part, _statements(changes[path], part, source))
        for path, part in sorted(data["files"].items())
        if path in changes and changes[path].hunks
    ]
    counted = tuple(file for file in files if file.counts.counted)
    return Patch(counted, add(file.counts for file in counted))


def _statements(change: FileChange, part: Mapping[str, Any], source: Callable[[str], str]) -> frozenset[int]:
    if change.old_path is None:  # a new file: all of them, without reading it
        return frozenset((*part["executed_lines"], *part["missing_lines"]))
    return changed_statements(source(change.path), change.changed_lines())


def _file(path: str, part: Mapping[str, Any], changed: frozenset[int]) -> FileCoverage:
    ran, missed = changed.intersection(part["executed_lines"]), changed.intersection(part["missing_lines"])
    taken = [way for way in part.get("executed_branches", ()) if way[0] in changed]
    left = sorted((start, end) for start, end in part.get("missing_branches", ()) if start in changed)
    counts = Counts(len(ran), len(ran) + len(missed), len(taken), len(taken) + len(left))
    return FileCoverage(path, counts, tuple(sorted(missed)), tuple(left))


def changed_statements(text: str, changed: Iterable[int]) -> frozenset[int]:
    """The first lines of the statements that `changed` lines, as git numbers them, are part of."""
    lines = _python_lines(text, changed)
    firsts = first_lines(text)
    return frozenset(lines if firsts is None else (firsts[line] for line in lines if line in firsts))


def first_lines(text: str) -> dict[int, int] | None:
    """For every line with code on it, where its statement, or the header of its block, starts; None for no Python."""
    found: dict[int, int] = {}
    first = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(_unified(text)).readline):
            if token.type not in _NO_CODE:
                first = first or token.start[0]
                found.update(dict.fromkeys(range(token.start[0], token.end[0] + 1), first))
            if token.type == tokenize.NEWLINE:
                first = 0
    except (tokenize.TokenError, SyntaxError):
        return None
    return found


def _python_lines(text: str, lines: Iterable[int]) -> Iterable[int]:
    """Git's lines as Python's, which also end at a carriage return alone."""
    if "\r" not in text.replace("\r\n", ""):
        return lines
    starts = [1]
    for line in text.split("\n"):
        starts.append(starts[-1] + 1 + line.removesuffix("\r").count("\r"))
    return [number for line in lines if line < len(starts) for number in range(starts[line - 1], starts[line])]


def _unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_source(path: Path) -> str:
    """A Python file's text in the encoding that it declares, with its own line ends."""
    raw = path.read_bytes()
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
    except SyntaxError:
        encoding = "utf-8"
    return raw.decode(encoding, errors="replace")

"""Which lines a commit and the files here differ in, as git sees it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.git import Git
from ci_kit.tools import Tools

MOST_HUNKS = 500_000
# What a pull request's .gitattributes or somebody's git configuration says must neither hide lines nor change the form.
_AS_IT_IS = (
    *("--text", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all", "--diff-algorithm=myers"),
    *("--find-renames", "--unified=0", "--inter-hunk-context=0", "--src-prefix=a/", "--dst-prefix=b/", "--full-index"),
)
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_SAID = (b"rename from ", b"rename to ", b"new file mode ", b"deleted file mode ", b"index ")
_NO_FILE_OF_LINES = (b"120000", b"160000")  # git's modes of symbolic links and submodules
_ESCAPED = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPES = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))


@dataclass(frozen=True)
class Hunk:
    """Lines that took the place of others. Lines count from 1; of none, `start` is the line before, as in `diff -U0`."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int

    @property
    def new(self) -> range:
        """The added or modified lines, by the numbers of the new file; empty (but placed) when lines were only removed."""
        first = self.new_start if self.new_lines else self.new_start + 1
        return range(first, first + self.new_lines)


@dataclass(frozen=True)
class FileChange:
    """What changed in one file that is here. `old_path` is None for a new file; hunks in the order of the file.

    Lines are git's: they end at a line feed alone.
    """

    path: str
    old_path: str | None
    hunks: tuple[Hunk, ...]

    def changed_lines(self) -> frozenset[int]:
        """Added and modified lines, by the numbers of the new file."""
        return frozenset(line for hunk in self.hunks for line in hunk.new)

    def old_line(self, new_line: int) -> int | None:
        """Where a line that is not touched was before; None for a line that is added or modified."""
        if self.old_path is None:
            return None
        shift = 0
        for hunk in self.hunks:
            if new_line in hunk.new:
                return None
            if new_line < hunk.new.start:
                break
            shift += hunk.old_lines - hunk.new_lines
        return new_line + shift


def read_changes(here: Path, base: str, tools: Tools) -> dict[str, FileChange]:
    """What differs between the commit `base` and the files in the folder `here`, by path relative to it.

    Files that git does not track, deleted ones, symbolic links and submodules are left out. Raises `KitError` when git
    cannot tell.
    """
    with tempfile.TemporaryDirectory(prefix="changes-") as folder:
        file = Path(folder, "diff")  # a runner keeps only the end of what a program prints
        # This variable would win over --unified.
        env = {name: value for name, value in tools.environ.items() if name != "GIT_DIFF_OPTS"}
        git = Git(here, tools.runner, env)
        options = (*_without_filters(git), "diff", *_AS_IT_IS, "--relative", f"--output={file}")
        git.checked(*options, "--end-of-options", base, "--", what="git diff")
        try:
            with file.open("rb") as lines:
                return {change.path: change for change in parse(lines)}
        except OSError as error:
            raise InfrastructureFailure(
                f"cannot read what git diff wrote: {error.strerror or error}.", next_step="Is the disk full?"
            ) from error


def read_names(here: Path, base: str, tools: Tools) -> tuple[str, ...]:
    """The paths, relative to the folder `here`, that differ between the commit `base` and the files here.

    Deleted files are among them, and of a renamed file both names; files that git does not track are not. Raises
    `KitError` when git cannot tell.
    """
    with tempfile.TemporaryDirectory(prefix="changes-") as folder:
        file = Path(folder, "names")
        options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=all", "--relative")
        git = Git(here, tools.runner, tools.environ)
        git.checked("diff", *options, f"--output={file}", "--end-of-options", base, "--", what="git diff")
        return tuple(os.fsdecode(name) for name in file.read_bytes().split(b"\0") if name)


def parse(lines: Iterable[bytes]) -> Iterator[FileChange]:
    """The files of a `git diff --unified=0`, with prefixes `a/` and `b/`."""
    part: list[bytes] = []
    count = 0
    for line in lines:
        if line.startswith(b"diff --git "):
            yield from _file(part)
            part = [line]
        elif part and (line.startswith(b"@@ ") or not part[-1].startswith(b"@@ ")):
            # What stands between a hunk's first line and the next is the text of both files: not kept.
            part.append(line)
            count += line.startswith(b"@@ ")
            if count > MOST_HUNKS:
                raise CallerMistake(
                    f"the change has more than {MOST_HUNKS} separate places.",
                    next_step="Split it, or take the threshold of changed lines out of the configuration.",
                )
    yield from _file(part)


def _file(part: list[bytes]) -> Iterator[FileChange]:
    """One file from the lines that say its names, its mode and its hunks."""
    said = {key: line[len(key) :].rstrip(b"\n") for line in part for key in _SAID if line.startswith(key)}
    mode = said.get(b"new file mode ") or said.get(b"index ", b"").rpartition(b" ")[2]
    if not part or b"deleted file mode " in said or mode in _NO_FILE_OF_LINES:
        return
    both = _same_name(part[0])
    old = _unquoted(said[b"rename from "]) if b"rename from " in said else both
    new = _unquoted(said[b"rename to "]) if b"rename to " in said else both
    if new is None or old is None:
        raise InfrastructureFailure(
            f"git diff names a file in a way that is not known: {part[0]!r}.", next_step="Rename that file."
        )
    hunks = tuple(
        Hunk(*(1 if number is None else int(number) for number in found.groups()))
        for found in map(_HUNK.match, part)
        if found
    )
    yield FileChange(os.fsdecode(new), None if b"new file mode " in said else os.fsdecode(old), hunks)


def _same_name(line: bytes) -> bytes | None:
    """The name in `diff --git a/name b/name`; None where the two differ, which are then said in lines of their own."""
    both = line.removeprefix(b"diff --git ").rstrip(b"\n")
    one, other = both[: len(both) // 2], both[len(both) // 2 + 1 :]
    names = _unquoted(one)[2:], _unquoted(other)[2:]
    return names[0] if names[0] == names[1] else None


def _unquoted(name: bytes) -> bytes:
    """A name as git prints it: in quotes with escapes where it holds what is unusual."""
    if not (name.startswith(b'"') and name.endswith(b'"')):
        return name
    return _ESCAPED.sub(lambda found: bytes([_escape(found[1])]), name[1:-1])


def _escape(code: bytes) -> int:
    return int(code, 8) if len(code) == 3 else _ESCAPES[code[0]]


def _without_filters(git: Git) -> list[str]:
    """Options that switch off clean filters: one such as git-lfs's, named by a `.gitattributes`, would hide the text."""
    done = git.run("config", "--name-only", "-z", "--get-regexp", r"^filter\.")
    names = {key.rpartition(".")[0] for key in done.output.split("\0")} - {""} if done.code == 0 else set()
    off = [f"{name}.{key}" for name in sorted(names) for key in ("clean=", "process=", "required=false")]
    return [word for setting in off for word in ("-c", setting)]

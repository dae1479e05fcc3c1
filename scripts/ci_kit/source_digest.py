"""The sources that a test leg measured, by digest: `coverage/sources.sha256`, in the form that `sha256sum` writes.

Line numbers mean nothing without the text that they count. Two checkouts of one commit can differ: a generated file, a
formatter that ran before the tests, a package that was built from something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

NAME = "sources.sha256"
_HEX = 64
_NUMERALS = frozenset("0123456789abcdef")


def digest(path: Path) -> str | None:
    """SHA-256 of a file whose lines end as on Linux, which git may change in a checkout; None: there is no such file."""
    try:
        raw = path.read_bytes()
    except (OSError, ValueError):
        return None
    return hashlib.sha256(raw.replace(b"\r\n", b"\n") if b"\r" in raw else raw).hexdigest()


def written(names: Iterable[str], root: Path) -> str:
    """The text of `sources.sha256`: each of `names` that is a file, as coverage's data names it or below `root`."""
    # Templates and generated code have names that are no files.
    return "".join(
        f"{found}  {name}\n"
        for name in sorted({_below(name, root) for name in names})
        if "\n" not in name and (found := digest(root / name)) is not None
    )


def read(text: str) -> Iterator[tuple[str, str]]:
    """(name, digest) of each line. Raises `ValueError` for a line of another form."""
    for number, line in enumerate(text.split("\n")[:-1], 1):
        found, name = line[:_HEX], line[_HEX + 2 :]
        if not name or line[_HEX : _HEX + 2] != "  " or not _NUMERALS.issuperset(found):
            raise ValueError(f"holds no digest and name in line {number}")
        yield name, found


def _below(name: str, root: Path) -> str:
    prefix = f"{root.as_posix()}/"
    plain = name.replace("\\", "/")
    return plain[len(prefix) :] if plain.startswith(prefix) else name

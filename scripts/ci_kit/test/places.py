"""Where in the repository a path is that pytest prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ci_kit.test.model import Place
from ci_kit.test.stream import printable


def placer(root: Path, rootdir: str | None) -> Callable[[str, int | None], Place | None]:
    """Where a path that pytest prints is: from the workspace, or from pytest's own root folder."""
    bases = [root, *([Path(rootdir)] if rootdir else [])]
    known: dict[str, str | None] = {}

    def find(text: str) -> str | None:
        for base in bases:
            path = base / printable(text)
            if path.is_relative_to(root) and path.is_file():
                return path.relative_to(root).as_posix()
        return None

    def place(text: str, line: int | None) -> Place | None:
        if text not in known:
            known[text] = find(text) if text and "\0" not in text else None
        file = known[text]
        return None if file is None else Place(file, line)

    return place

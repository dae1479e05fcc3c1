"""The Python files of the checkout: all of them, and those that the legs were told to measure."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit.coverage_combine import mapping
from ci_kit.coverage_combine.delivery import Manifest

MOST_FILES = 200_000
_IMPORTABLE = re.compile(r"[^.#~!$@%^&*()+=,]+\.pyw?")  # what `coverage run --source` takes for importable
_PACKAGE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class ToMeasure:
    """POSIX paths of the files that the legs were to measure, and what cannot be told of them."""

    files: frozenset[str]
    notes: tuple[str, ...]


def checkout_files(here: Path) -> Iterator[str]:
    """The POSIX path of every Python file below `here` that is in no hidden folder; of a huge folder only the first."""
    seen = 0
    for folder, folders, names in os.walk(here):
        folders[:] = [
            name for name in folders if not name.startswith(".") and name not in {"node_modules", "__pycache__"}
        ]
        for name in names:
            seen += 1
            if seen > MOST_FILES:
                return
            if name.endswith((".py", ".pyw")):
                yield Path(folder, name).relative_to(here).as_posix()


def to_measure(here: Path, manifests: Iterable[Manifest], homes: Sequence[str], *, namespaces: bool) -> ToMeasure:
    """What `[run] source` of the legs means in the checkout `here` (no symbolic links).

    `homes` are folders from which packages were installed. `namespaces`: folders without `__init__.py` count too.
    """
    tops: set[Path] = set()
    packages: set[str] = set()
    notes: list[str] = []
    for root, entry in sorted({(manifest.root, entry) for manifest in manifests for entry in manifest.source}):
        inside = mapping.below(entry, [root]) if entry.rstrip("/\\") != root else "."
        folder = None if inside is None else here / inside
        if folder is not None and folder.is_dir():
            if folder.resolve().is_relative_to(here):
                tops.add(folder.resolve())
        elif inside is None:
            notes.append(f"[run] source: {entry!r} is outside the checkout; of it only what tests imported can count.")
        else:
            packages.add(entry)
    if packages:
        files = list(checkout_files(here))
        for name in sorted(packages):
            home = package_home(name, files, homes)
            if home is None:
                notes.append(
                    f"[run] source: {name!r} is neither a folder nor one certain package of this checkout; files of it that "
                    "no test imported do not count as uncovered. Name its folder instead."
                )
            else:
                tops.add((here / home).resolve())
    found = {file for top in tops for file in _importable(top, here, namespaces=namespaces)}
    return ToMeasure(frozenset(found), tuple(dict.fromkeys(notes)))


def package_home(name: str, files: Collection[str], homes: Sequence[str]) -> str | None:
    """The folder or the module (`a/b.py`) that a dotted name means; None where there is none, or more than one.

    It is looked for where Python would find it: in the checkout itself, in `src`, in `homes`; then anywhere.
    """
    if not _PACKAGE.fullmatch(name):
        return None
    path = name.replace(".", "/")
    found: dict[str, str] = {}
    for file in files:
        for end in (f"{path}.py", f"{path}.pyw", f"{path}/"):
            at = f"/{file}".find(f"/{end}")
            if at >= 0 and (end.endswith("/") or f"/{file}".endswith(f"/{end}")):
                root = file[:at].rstrip("/")
                found.setdefault(root, "/".join(filter(None, (root, end.rstrip("/")))))
    for root in ("", "src", *homes):
        if root in found:
            return found[root]
    return next(iter(found.values())) if len(found) == 1 else None


def _importable(top: Path, here: Path, *, namespaces: bool) -> Iterator[str]:
    if top.is_file():
        yield top.relative_to(here).as_posix()
        return
    for folder, folders, names in os.walk(top):
        if folder != str(top) and "__init__.py" not in names and not namespaces:
            folders.clear()
            continue
        for name in names:
            path = Path(folder, name)
            if _IMPORTABLE.fullmatch(name) and path.resolve().is_relative_to(here):
                yield path.resolve().relative_to(here).as_posix()

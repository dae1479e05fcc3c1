"""Which Python file imports which, from the source alone: what runs at import is not seen by watching single tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

DYNAMIC = frozenset(
    ("import_module", "__import__", "exec_module", "load_module", "run_path", "run_module", "walk_packages", "iter_modules")
)  # fmt: skip
"""Names that import what the source does not name."""


def import_graph(imports: Mapping[str, Iterable[str]], dynamic: Iterable[str] = ()) -> dict[str, frozenset[str]]:
    """For each file the files that it imports; `imports` holds the dotted names that its source has.

    A name stands for every file that it could mean, from any folder that is not a package itself. Importing a module
    imports its packages too. The files `dynamic` may import every file.
    """
    files = frozenset(imports)
    known = _modules(files)
    graph: dict[str, set[str]] = {}
    for file, names in imports.items():
        found = set(_packages(file, files))
        for name in names:
            found |= _relative(file, name, files) if name.startswith(".") else _absolute(name, known)
        graph[file] = found
    for file in dynamic:
        graph[file] |= files
    return {file: frozenset(found - {file}) for file, found in graph.items()}


def reach_back(graph: Mapping[str, Iterable[str]], targets: Iterable[str]) -> frozenset[str]:
    """The targets and every file that imports one of them, directly or not."""
    importers: dict[str, list[str]] = {}
    for file, found in graph.items():
        for imported in found:
            importers.setdefault(imported, []).append(file)
    return _closure(importers, targets)


def reach(graph: Mapping[str, Iterable[str]], starts: Iterable[str]) -> frozenset[str]:
    """The starts and every file that they import, directly or not."""
    return _closure(graph, starts)


def _closure(edges: Mapping[str, Iterable[str]], starts: Iterable[str]) -> frozenset[str]:
    seen = set(starts)
    pending = list(seen)
    while pending:
        for following in edges.get(pending.pop(), ()):
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return frozenset(seen)


def _modules(files: frozenset[str]) -> dict[str, set[str]]:
    """Dotted name → files. A name begins at any folder without an `__init__.py` in it."""
    known: dict[str, set[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        parts = list(path.parent.parts) + ([] if path.stem == "__init__" else [path.stem])
        for start in range(len(parts)):
            if start == 0 or "/".join([*parts[:start], "__init__.py"]) not in files:
                known.setdefault(".".join(parts[start:]), set()).add(file)
    return known


def _packages(file: str, files: frozenset[str]) -> Iterable[str]:
    """The `__init__.py` of every folder above, as far as they are packages."""
    for folder in PurePosixPath(file).parents:
        if (package := (folder / "__init__.py").as_posix()) in files:
            yield package


def _absolute(name: str, known: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    while name:
        found |= known.get(name, set())
        name = name.rpartition(".")[0]
    return found


def _relative(file: str, name: str, files: frozenset[str]) -> set[str]:
    rest = name.lstrip(".")
    level = len(name) - len(rest)
    folders = [PurePosixPath(file).parent, *PurePosixPath(file).parent.parents]
    if level > len(folders):
        return set()
    base = folders[level - 1]
    found: set[str] = set()
    for part in ["", *rest.split(".")]:
        base = base / part if part else base
        found |= {
            path.as_posix()
            for path in (base / "__init__.py", base.with_name(f"{base.name}.py") if base.name else base)
            if path.as_posix() in files
        }
    return found

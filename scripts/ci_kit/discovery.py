"""Find the files that hold tests, as pytest would, from the file tree alone."""

from __future__ import annotations

import ast
import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ci_kit.errors import CallerMistake
from ci_kit.pytest_config import PytestConfig

DOCTEST_FILES = ("test*.txt",)


@dataclass(frozen=True)
class TestFile:
    """A file with tests: `path` in POSIX form from the root, `tests` a guess at how many it holds (at least 1)."""

    path: str
    tests: int

    __test__ = False


def find_test_files(root: Path, config: PytestConfig, paths: Iterable[str] = ()) -> list[TestFile]:
    """The test files under `paths` (none: pytest's own test paths), sorted by path.

    A path may be a folder, a file (then it counts whatever its name, as in pytest), or a node id of a file. Raises
    `CallerMistake` for a given path that does not exist.
    """
    found: dict[str, TestFile] = {}
    for start in _starts(root, config, tuple(paths)):
        named = (
            [start]
            if start.is_file()
            else [path for path in _walk(start, root, config) if _holds_tests(path, root, config)]
        )
        for path in named:
            name = path.relative_to(root).as_posix()
            found.setdefault(name, TestFile(name, count_tests(path)))
    return sorted(found.values(), key=lambda file: file.path)


def _starts(root: Path, config: PytestConfig, paths: tuple[str, ...]) -> Iterator[Path]:
    if paths:
        for path in paths:
            start = (root / path.partition("::")[0]).resolve()
            if not start.exists() or not start.is_relative_to(root.resolve()):
                raise CallerMistake(
                    f"the test path {path!r} does not exist in the repository.", next_step="Correct the tier's paths."
                )
            yield root / os.path.relpath(start, root.resolve())
        return
    # pytest expands testpaths with this very function, so hidden folders and `**` mean the same.
    matches = (glob.glob(pattern, root_dir=root, recursive=True) for pattern in config.testpaths)  # noqa: PTH207
    from_config = sorted(match for found in matches for match in found)
    for match in from_config or ["."]:
        yield root / match


def _walk(start: Path, root: Path, config: PytestConfig) -> Iterator[Path]:
    ignored = _ignored_by_options(root, config)
    for folder, folders, files in os.walk(start):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if _recurses(here / name, root, config))
        for name in sorted(files):
            path = here / name
            if not any(path == other or other in path.parents for other in ignored):
                yield path


def _recurses(folder: Path, root: Path, config: PytestConfig) -> bool:
    if (
        folder.name == "__pycache__"
        or (folder / "pyvenv.cfg").is_file()
        or (folder / "conda-meta" / "history").is_file()
    ):
        return False
    return not any(_matches(pattern, folder, root) for pattern in config.norecursedirs)


def _matches(pattern: str, path: Path, root: Path) -> bool:
    """As pytest's `fnmatch_ex`: a pattern without a separator is held against the name, one with it against the path."""
    if "/" not in pattern:
        return fnmatch(path.name, pattern)
    relative = path.relative_to(root).as_posix()
    return fnmatch(f"/{relative}", pattern if pattern.startswith("/") else f"*/{pattern}")


def _holds_tests(path: Path, root: Path, config: PytestConfig) -> bool:
    if path.suffix == ".py":
        return config.doctest_modules or any(_matches(pattern, path, root) for pattern in config.python_files)
    globs = [option.partition("=")[2] for option in config.addopts if option.startswith("--doctest-glob=")]
    return any(_matches(pattern, path, root) for pattern in globs or DOCTEST_FILES)


def _ignored_by_options(root: Path, config: PytestConfig) -> list[Path]:
    values = [option.partition("=")[2] for option in config.addopts if option.startswith("--ignore=")]
    values += [value for option, value in zip(config.addopts, config.addopts[1:], strict=False) if option == "--ignore"]
    return [root / value for value in values]


def count_tests(path: Path) -> int:
    """Guess how many tests a file holds, from its syntax tree: parametrize lists that are spelled out count fully."""
    if path.suffix != ".py":
        return 1
    try:
        source = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 1
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return max(1, len(re.findall(r"^\s*(?:async\s+)?def test", source, flags=re.MULTILINE)))
    return max(1, sum(_count_in(node, 1) for node in tree.body))


def _count_in(node: ast.stmt, times: int) -> int:
    if isinstance(node, ast.ClassDef):
        inside = times * _parametrized(node.decorator_list)
        return sum(_count_in(child, inside) for child in node.body)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
        return times * _parametrized(node.decorator_list)
    if isinstance(node, ast.If | ast.Try):
        return sum(_count_in(child, times) for child in node.body)
    return 0


def _parametrized(decorators: list[ast.expr]) -> int:
    times = 1
    for decorator in decorators:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
            values = decorator.args[1:2] or [k.value for k in decorator.keywords if k.arg == "argvalues"]
            if decorator.func.attr == "parametrize" and values and isinstance(values[0], ast.List | ast.Tuple):
                times *= max(1, len(values[0].elts))
    return times

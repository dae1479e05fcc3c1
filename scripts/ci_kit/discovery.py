"""Find the files that hold tests, as pytest would, from the file tree alone.

It may find more than pytest collects (a `collect_ignore` is code) or less (a plug-in's own kinds of files); neither loses a
test, because of how a shard runs its part (`ci_kit.plan`).
"""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from itertools import accumulate
from pathlib import Path
from re import compile as pattern_of
from types import MappingProxyType

from ci_kit.errors import CallerMistake
from ci_kit.pytest_config import PytestConfig
from ci_kit.test_count import LOOKED_AT_BYTES, count_tests, tests_in

DOCTEST_FILES = ("test*.txt",)
MOST_BYTES_OF_TREES = 4_000_000
"""Of sources whose syntax trees are read, about a second's work; a larger repository is read with regular expressions."""
MOST_LOOKED_AT = 4_000
NOTHING: Mapping[str, Iterable[str]] = MappingProxyType({})


@dataclass(frozen=True)
class TestFile:
    """A file with tests: `path` in POSIX form from the root, `tests` a guess at how many it holds (at least 1)."""

    path: str
    tests: int

    __test__ = False


def find_test_files(
    root: Path, config: PytestConfig, paths: Iterable[str] = (), recorded: Mapping[str, Iterable[str]] = NOTHING
) -> list[TestFile]:
    """The test files under `paths` (see `find_paths`), each with a guess at its number of tests.

    `recorded` are the node ids of earlier runs by file: such a file holds those and what it has under new names. In a
    large tree only the files without a record are looked into.
    """
    found = find_paths(root, config, paths)
    unknown = (root / path for path in found if path not in recorded)
    from_tree = not _sum_reaches(map(_size, unknown), MOST_BYTES_OF_TREES)
    looks_for_new = len(found) <= MOST_LOOKED_AT
    return [
        TestFile(path, _known(root / path, recorded[path], looks_for_new=looks_for_new))
        if path in recorded
        else TestFile(path, count_tests(root / path, from_tree=from_tree))
        for path in found
    ]


def _sum_reaches(numbers: Iterable[int], limit: int) -> bool:
    return any(total >= limit for total in accumulate(numbers))


def _size(path: Path) -> int:
    try:
        return min(path.stat().st_size, LOOKED_AT_BYTES)
    except OSError:
        return 0


def _known(path: Path, recorded: Iterable[str], *, looks_for_new: bool) -> int:
    ids = list(recorded)
    if not looks_for_new:
        return len(ids)
    names = {node_id.partition("[")[0].rpartition("::")[2] for node_id in ids}
    # Names are all that is asked for, and regular expressions find them as well as the syntax tree, in a tenth of the time.
    return len(ids) + sum(n for name, n in tests_in(path, from_tree=False).items() if name not in names)


def find_paths(root: Path, config: PytestConfig, paths: Iterable[str] = ()) -> list[str]:
    """The paths of the test files under `paths` (none: pytest's own test paths), sorted.

    A path may be a folder, a file (then it counts whatever its name, as in pytest), or a node id of a file. A file outside
    the root (through testpaths) or whose name is not UTF-8 is left out, because no report could name it. Raises `CallerMistake` for a given path that does not
    exist.
    """
    root = root.absolute()
    rules = _Rules(root, config)
    found: set[str] = set()
    for start in _starts(root, config, tuple(paths)):
        found.update([start] if os.path.isfile(start) else filter(rules.holds_tests, _walk(start, rules)))  # noqa: PTH113
    prefix = os.path.join(root, "")  # noqa: PTH118
    names = (path.removeprefix(prefix) for path in found if path.startswith(prefix))
    return sorted(name for name in names if _is_utf8(name))


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _starts(root: Path, config: PytestConfig, paths: tuple[str, ...]) -> Iterator[str]:
    if paths:
        for path in paths:
            # Symbolic links stay as they are written: pytest names the tests behind one by the link.
            start = os.path.normpath(root / path.partition("::")[0])
            if not Path(start).is_relative_to(root):
                raise CallerMistake(
                    f"the test path {path!r} is outside the project.", next_step="Correct the tier's paths."
                )
            if not os.path.exists(start):  # noqa: PTH110
                raise CallerMistake(
                    f"the test path {path!r} does not exist{_nearest(Path(start))}.",
                    next_step="Correct the tier's paths; they are taken as they are written, without wildcards.",
                )
            yield start
        return
    # pytest expands testpaths with this very function, so hidden folders and `**` mean the same.
    matches = (glob.glob(pattern, root_dir=root, recursive=True) for pattern in config.testpaths)  # noqa: PTH207
    from_config = sorted(match for found in matches for match in found)
    for match in from_config or ["."]:
        yield os.path.normpath(root / match)


def _nearest(missing: Path) -> str:
    siblings = [path.name for path in missing.parent.iterdir()] if missing.parent.is_dir() else []
    near = difflib.get_close_matches(missing.name, siblings, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


class _Rules:
    """pytest's rules for what is looked at, each ready to be asked about many absolute paths."""

    def __init__(self, root: Path, config: PytestConfig) -> None:
        every_module = config.has_option("--doctest-modules")
        self._modules = [_matcher("*.py")] if every_module else [_matcher(p) for p in config.python_files]
        self._texts = [_matcher(p) for p in config.values_of("--doctest-glob") or DOCTEST_FILES]
        self._no_recursion = [_matcher(pattern) for pattern in config.norecursedirs]
        self._ignored = {os.path.normpath(root / path) for path in config.values_of("--ignore")}
        globs = [os.path.normpath(root / path) for path in config.values_of("--ignore-glob")]
        self._ignored_globs = [pattern_of(translate(found)).match for found in globs]
        self._enters_environments = config.has_option("--collect-in-virtualenv")

    def holds_tests(self, path: str) -> bool:
        return any(matches(path) for matches in (self._modules if path.endswith(".py") else self._texts))

    def ignores(self, path: str) -> bool:
        return path in self._ignored or any(matches(path) for matches in self._ignored_globs)

    def enters(self, folder: str) -> bool:
        return (
            not folder.endswith("/__pycache__")
            and not any(matches(folder) for matches in self._no_recursion)
            and (self._enters_environments or not _is_environment(folder))
        )


def _matcher(pattern: str) -> Callable[[str], bool]:
    """As pytest's `fnmatch_ex`: a pattern without a separator is held against the name, one with it against the path."""
    if "/" not in pattern:
        match_name = pattern_of(translate(pattern)).match
        return lambda path: match_name(path[path.rindex("/") + 1 :]) is not None
    match_path = pattern_of(translate(pattern if pattern.startswith("/") else f"*/{pattern}")).match
    return lambda path: match_path(path) is not None


def _is_environment(folder: str) -> bool:
    return any(os.path.isfile(f"{folder}/{name}") for name in ("pyvenv.cfg", "conda-meta/history"))  # noqa: PTH113


def _walk(start: str, rules: _Rules) -> Iterator[str]:
    """The files below `start`, through symbolic links too, but never round in a circle. What cannot be read is left out."""
    pending: list[tuple[str, tuple[tuple[int, int], ...]]] = [(start, ())]
    while pending:
        folder, above = pending.pop()
        try:
            found = os.stat(folder)  # noqa: PTH116
            here = (found.st_dev, found.st_ino)
            with os.scandir(folder) as entries:
                inside = [] if here in above else list(entries)
        except OSError:
            continue
        for entry in inside:
            if rules.ignores(entry.path):
                continue
            if _safely(entry.is_file):
                yield entry.path
            elif _safely(entry.is_dir) and rules.enters(entry.path):
                pending.append((entry.path, (*above, here)))


def _safely(asks: Callable[[], bool]) -> bool:
    """A link that leads round in a circle is neither a file nor a folder."""
    try:
        return asks()
    except OSError:
        return False

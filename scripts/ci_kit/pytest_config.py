"""pytest's own settings of a repository, read without importing or running anything of it.

Which file counts follows pytest's rules (https://docs.pytest.org/en/stable/reference/customize.html): the first of
pytest.toml, .pytest.toml, pytest.ini, .pytest.ini, pyproject.toml, tox.ini, setup.cfg that has pytest's table.
"""

from __future__ import annotations

import configparser
import os
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ci_kit.errors import CallerMistake

NAMES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
NORECURSE = ("*.egg", ".*", "_darcs", "build", "CVS", "dist", "node_modules", "venv", "{arch}")
PYTHON_FILES = ("test_*.py", "*_test.py")


@dataclass(frozen=True)
class PytestConfig:
    """The settings that decide which files hold tests. `file` is None when pytest is not configured."""

    file: str | None = None
    testpaths: tuple[str, ...] = ()
    python_files: tuple[str, ...] = PYTHON_FILES
    norecursedirs: tuple[str, ...] = NORECURSE
    addopts: tuple[str, ...] = ()

    def has_option(self, name: str) -> bool:
        """Whether a switch such as `--doctest-modules` is among the options."""
        return name in self.addopts

    def values_of(self, *names: str) -> tuple[str, ...]:
        """The values of an option, written `--name=value` or `--name value`, in their order."""
        found = []
        for word, following in zip_longest(self.addopts, self.addopts[1:]):
            name, equals, value = word.partition("=")
            if equals and name in names:
                found.append(value)
            elif word in names and following is not None:
                found.append(following)
        return tuple(found)


def read_pytest_config(root: Path, paths: Iterable[str] = ()) -> PytestConfig:
    """Read the settings that hold when pytest is started in `root` with `paths` (none: without arguments).

    As pytest does, the search begins at the folder that the paths have in common and goes up from there; test paths count
    only when it ends in `root` itself. Raises `CallerMistake` for a configuration file that cannot be read.
    """
    root = root.absolute()
    for folder in _upwards(root, paths):
        for name in NAMES:
            path = folder / name
            if not path.is_file():
                continue
            shown = os.path.relpath(path, root)
            found = _toml(path, shown) if name.endswith(".toml") else _ini(path, shown)
            if found is not None:
                return _settings(found, shown, in_root=folder == root)
    return PytestConfig()


def _upwards(root: Path, paths: Iterable[str]) -> list[Path]:
    """The folders to look at. Paths of different folders without a common settings file end at `root` and above it."""
    given = [Path(os.path.normpath(root / path.partition("::")[0])) for path in paths]
    start = Path(os.path.commonpath(given)) if given else root
    start = start.parent if start.is_file() else start
    return list(dict.fromkeys([start, *start.parents, root, *root.parents]))


def _settings(found: Mapping[str, Any], name: str, *, in_root: bool) -> PytestConfig:
    addopts = _words(found.get("addopts"), ())
    return PytestConfig(
        file=name,
        testpaths=_words(found.get("testpaths"), ()) if in_root else (),
        python_files=_words(found.get("python_files"), PYTHON_FILES),
        norecursedirs=_words(found.get("norecursedirs"), NORECURSE),
        addopts=addopts,
    )


def _toml(path: Path, name: str) -> Mapping[str, Any] | None:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CallerMistake(f"is not TOML: {error}.", next_step="Mend the file.", file=name) from error
    if path.name != "pyproject.toml":
        table = data.get("pytest")
        return table if isinstance(table, dict) else {}  # such a file counts even when it is empty
    tool = data.get("tool")
    table = tool.get("pytest") if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        return None
    options = table.get("ini_options", table or None)
    return options if isinstance(options, dict) else None


def _ini(path: Path, name: str) -> Mapping[str, str] | None:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise CallerMistake(f"cannot be read: {error}.", next_step="Mend the file.", file=name) from error
    section = "tool:pytest" if path.name == "setup.cfg" else "pytest"
    if parser.has_section(section):
        return dict(parser[section])
    return {} if path.name.endswith("pytest.ini") else None


def _words(value: object, default: tuple[str, ...]) -> tuple[str, ...]:
    if value is None:
        return default
    if isinstance(value, list):
        return tuple(map(str, value))
    try:
        return tuple(shlex.split(str(value), comments=False))
    except ValueError:
        return tuple(str(value).split())

"""pytest's own settings of a repository, read without importing or running anything of it.

Which file counts follows pytest's rules (https://docs.pytest.org/en/stable/reference/customize.html): the first of
pytest.toml, .pytest.toml, pytest.ini, .pytest.ini, pyproject.toml, tox.ini, setup.cfg that has pytest's table.
"""

from __future__ import annotations

import configparser
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.errors import CallerMistake

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

    @property
    def doctest_modules(self) -> bool:
        """Every module may hold tests."""
        return "--doctest-modules" in self.addopts


def read_pytest_config(root: Path) -> PytestConfig:
    """Read the settings; raises `CallerMistake` for a configuration file that cannot be read."""
    for name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
        path = root / name
        if not path.is_file():
            continue
        found = _toml(path, name) if name.endswith(".toml") else _ini(path, name)
        if found is not None:
            return PytestConfig(
                file=name,
                testpaths=_words(found.get("testpaths"), ()),
                python_files=_words(found.get("python_files"), PYTHON_FILES),
                norecursedirs=_words(found.get("norecursedirs"), NORECURSE),
                addopts=_words(found.get("addopts"), ()),
            )
    return PytestConfig()


def _toml(path: Path, name: str) -> Mapping[str, Any] | None:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise CallerMistake(f"is not TOML: {error}.", next_step="Mend the file.", file=name) from error
    if name != "pyproject.toml":
        table = data.get("pytest", {})
    else:
        tool = data.get("tool", {}).get("pytest", {})
        table = tool.get("ini_options", tool or None)
    return table if isinstance(table, dict) else None


def _ini(path: Path, name: str) -> Mapping[str, str] | None:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise CallerMistake(f"cannot be read: {error}.", next_step="Mend the file.", file=name) from error
    section = "tool:pytest" if name == "setup.cfg" else "pytest"
    if parser.has_section(section):
        return dict(parser[section])
    return {} if name.endswith("pytest.ini") else None


def _words(value: object, default: tuple[str, ...]) -> tuple[str, ...]:
    if value is None:
        return default
    if isinstance(value, list):
        return tuple(map(str, value))
    try:
        return tuple(shlex.split(str(value), comments=False))
    except ValueError:
        return tuple(str(value).split())

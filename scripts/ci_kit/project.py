"""What a repository says about itself, read from its files alone: Python versions and the linters it configures."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.errors import CallerMistake

KNOWN_PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
PREFERRED_PYTHON = "3.13"


@dataclass(frozen=True)
class Project:
    """Facts of a repository. `requires_python` is the specifier as written; `python_file` the content of `.python-version`."""

    requires_python: str = ""
    python_file: str = ""
    lint: tuple[str, ...] = ()


def read_project(root: Path) -> Project:
    """Read the facts; raises `CallerMistake` for a `pyproject.toml` that is not TOML."""
    pyproject = read_pyproject(root)
    project = pyproject.get("project")
    requires = project.get("requires-python", "") if isinstance(project, dict) else ""
    version_file = root / ".python-version"
    wanted = version_file.read_text(encoding="utf-8", errors="replace") if version_file.is_file() else ""
    return Project(str(requires), next(iter(wanted.split()), ""), _linters(root, pyproject))


def read_pyproject(root: Path) -> Mapping[str, Any]:
    """The content of `pyproject.toml`, empty when there is none."""
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise CallerMistake(
            f"is not TOML: {error}.",
            next_step="Mend the file.",
            file="pyproject.toml",
            line=int(line[1]) if line else None,
        ) from error
    except (UnicodeDecodeError, OSError) as error:
        raise CallerMistake(f"cannot be read: {error}.", next_step="Mend the file.", file="pyproject.toml") from error


def default_python(project: Project) -> str:
    """The version to test on when none is configured.

    `.python-version`; else the preferred one when `requires-python` admits it; else the newest known one that it admits.
    Raises `CallerMistake` when it admits none.
    """
    found = re.fullmatch(r"(3\.[0-9]{1,2})(\.[0-9]+)?", project.python_file)
    if found:
        return found[1]
    admitted = [version for version in KNOWN_PYTHONS if admits(project.requires_python, version)]
    if not admitted:
        raise CallerMistake(
            f"requires-python {project.requires_python!r} admits none of {', '.join(KNOWN_PYTHONS)}.",
            next_step='List the versions to test in .github/ci-kit.yml, for example python: ["3.12"].',
            file="pyproject.toml",
        )
    return PREFERRED_PYTHON if PREFERRED_PYTHON in admitted else admitted[-1]


def admits(specifier: str, version: str) -> bool:
    """Whether some release of the minor version (such as `3.12`) satisfies a PEP 440 specifier, told from its clauses.

    Patch releases count in the caller's favour: `>=3.12.4` admits 3.12, because its newest patch release does.
    """
    minor = _numbers(version)
    for clause in filter(None, (part.strip() for part in specifier.split(","))):
        match = re.fullmatch(r"(~=|===?|!=|<=|>=|<|>)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?.*", clause)
        if match is None:
            continue
        operator, bound, wildcard = match[1], _numbers(match[2]), match[3]
        ok = {
            "~=": minor >= bound[:2] and minor[: len(bound) - 1] == bound[: len(bound) - 1][:2],
            "==": minor[: len(bound)] == bound[:2],
            "===": minor == bound[:2],
            "!=": not ((wildcard or len(bound) == 2) and minor[: len(bound)] == bound[:2]),
            "<=": minor <= bound[:2],
            ">=": minor >= bound[:2],
            "<": minor < bound if len(bound) <= 2 or not any(bound[2:]) else minor <= bound[:2],
            ">": minor > bound if len(bound) <= 2 else minor >= bound[:2],
        }[operator]
        if not ok:
            return False
    return True


def newest(versions: tuple[str, ...]) -> str:
    """The newest of some versions, by number."""
    return max(versions, key=_numbers)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version))


def _linters(root: Path, pyproject: Mapping[str, Any]) -> tuple[str, ...]:
    tool = pyproject.get("tool")
    tables = set(tool) if isinstance(tool, dict) else set()
    ini = configparser.RawConfigParser(strict=False)
    for name in ("setup.cfg", "tox.ini"):
        try:
            ini.read(root / name, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
    commands = {
        "ruff check .": "ruff" in tables or any((root / name).is_file() for name in ("ruff.toml", ".ruff.toml")),
        "flake8": (root / ".flake8").is_file() or ini.has_section("flake8"),
        "mypy .": "mypy" in tables
        or any((root / n).is_file() for n in ("mypy.ini", ".mypy.ini"))
        or ini.has_section("mypy"),
        "pyright": "pyright" in tables or (root / "pyrightconfig.json").is_file(),
    }
    return tuple(command for command, configured in commands.items() if configured)

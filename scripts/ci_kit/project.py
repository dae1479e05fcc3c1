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
MOST_PATCHES = 31  # no minor version of Python had more
_CLAUSE = re.compile(
    r"(?P<operator>~=|===?|!=|<=|>=|<|>)\s*v?(?P<bound>[0-9]+(?:\.[0-9]+)*)(?P<rest>\.\*|[-+._A-Za-z0-9]*)"
)


@dataclass(frozen=True)
class Project:
    """Facts of a repository. `requires_python` is the specifier as written; `python_file` the content of `.python-version`."""

    requires_python: str = ""
    python_file: str = ""
    lint: tuple[str, ...] = ()


def read_project(root: Path) -> Project:
    """Read the facts; raises `CallerMistake` for a `pyproject.toml` that is not TOML."""
    pyproject = read_pyproject(root)
    ini = _ini_files(root)
    version_file = root / ".python-version"
    text = version_file.read_text(encoding="utf-8", errors="replace") if version_file.is_file() else ""
    wanted = next(
        (line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), ""
    )
    return Project(_requires_python(pyproject, ini), wanted, _linters(root, pyproject, ini))


def _ini_files(root: Path) -> configparser.RawConfigParser:
    ini = configparser.RawConfigParser(strict=False)
    for name in ("setup.cfg", "tox.ini"):
        try:
            ini.read(root / name, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
    return ini


def _requires_python(pyproject: Mapping[str, Any], ini: configparser.RawConfigParser) -> str:
    """The specifier of the standard table, else poetry's, else the one of setuptools in `setup.cfg`."""
    standard = _at(pyproject, "project", "requires-python")
    if isinstance(standard, str):
        return standard
    poetry = _at(pyproject, "tool", "poetry", "dependencies", "python")
    if isinstance(poetry, str):
        return _from_poetry(poetry)
    return ini.get("options", "python_requires", fallback="").replace("\n", " ").strip()


def _at(data: object, *keys: str) -> object:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _from_poetry(constraint: str) -> str:
    """Poetry's `^3.11` and `~3.11` as a PEP 440 specifier; what has alternatives (`||`) says nothing here."""
    if "|" in constraint:
        return ""
    clauses = []
    for word in re.sub(r"([<>=~^!])\s+", r"\1", constraint).replace(",", " ").split():
        if caret := re.fullmatch(r"\^(([0-9]+)(\.[0-9.]+)?)", word):
            clauses.append(f">={caret[1]},<{int(caret[2]) + 1}")
        elif tilde := re.fullmatch(r"~(([0-9]+\.[0-9]+)(\.[0-9]+)?)", word):
            clauses.append(f">={tilde[1]},=={tilde[2]}.*")
        elif word != "*":
            clauses.append(f"=={word}" if word[0].isdigit() else word)
    return ",".join(clauses)


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
    """Whether some final release of the minor version (such as `3.12`) satisfies every clause of a PEP 440 specifier.

    A clause that is no PEP 440 counts as satisfied: the installer says what is wrong with it.
    """
    minor = _numbers(version)[:2]
    clauses = [
        (found["operator"], found["bound"], found["rest"])
        for clause in specifier.split(",")
        if (found := _CLAUSE.fullmatch(clause.strip()))
    ]
    return any(all(_satisfies((*minor, patch), *clause) for clause in clauses) for patch in range(MOST_PATCHES))


def _satisfies(release: tuple[int, ...], operator: str, text: str, rest: str) -> bool:
    """PEP 440's comparison of a final release with a bound, such as `>=`, `3.12`, `` or `==`, `3.12`, `.*`."""
    bound = _numbers(text)
    if rest == ".*":
        same = release[: len(bound)] == bound[: len(release)] and not any(bound[len(release) :])
        return operator != "===" and same != (operator == "!=")
    width = max(len(release), len(bound))
    left = (*release, *[0] * (width - len(release)))
    # A pre-release of the bound comes before it, a post-release (or a local version) after it.
    shift = 0 if not rest else (1 if rest.startswith(("+", ".post", "-", "post")) else -1)
    right = (*bound, *[0] * (width - len(bound)), shift)
    mine = (*left, 0)
    return {
        "~=": mine >= right and left[: len(bound) - 1] == bound[:-1],
        "==": mine == right,
        "===": mine == right and len(bound) == len(release),
        "!=": mine != right,
        "<=": mine <= right,
        ">=": mine >= right,
        "<": mine < right,
        ">": mine > right,
    }[operator]


def newest(versions: tuple[str, ...]) -> str:
    """The newest of some versions, by number."""
    return max(versions, key=_numbers)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version))


def _linters(root: Path, pyproject: Mapping[str, Any], ini: configparser.RawConfigParser) -> tuple[str, ...]:
    tool = pyproject.get("tool")
    tables = set(tool) if isinstance(tool, Mapping) else set()

    def has(*names: str) -> bool:
        return any((root / name).is_file() for name in names)

    commands = {
        "ruff check .": "ruff" in tables or has("ruff.toml", ".ruff.toml"),
        "flake8": has(".flake8") or ini.has_section("flake8"),
        "mypy .": "mypy" in tables or has("mypy.ini", ".mypy.ini") or ini.has_section("mypy"),
        "pyright": "pyright" in tables or has("pyrightconfig.json"),
    }
    return tuple(command for command, configured in commands.items() if configured)

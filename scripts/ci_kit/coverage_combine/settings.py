"""The consumer's coverage configuration, read as data: what reporting needs of it, and nothing else.

Any pull request can change that file, and this room runs where the gate is decided. coverage.py's own reading would put
the runner's variables into values, open `debug_file`, import plugins and copy `extra_css` into the report. So the file
is read here, by coverage's rules (https://coverage.readthedocs.io/en/latest/config.html), and coverage reads none.
"""

from __future__ import annotations

import configparser
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coverage
from coverage import Coverage
from coverage.exceptions import CoverageException

from ci_kit.errors import CallerMistake

FILE_BYTES = 1_000_000
# In coverage's order. A file of coverage's own counts even when it is empty, another one when it has its settings.
_OWN = (".coveragerc", ".coveragerc.toml")
_SHARED = ("setup.cfg", "tox.ini", "pyproject.toml")
_SECTIONS = ("run", "report", "html", "xml", "json", "lcov", "paths")
_TRUE, _FALSE = frozenset({"1", "yes", "true", "on"}), frozenset({"0", "no", "false", "off"})
_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)(?:\?|-([^}]*))?\})")


class _Wrong(ValueError):
    """A value that cannot be used; the message is the rest of a sentence about the option."""


@dataclass(frozen=True)
class Settings:
    """`options` by coverage's names (`report:omit`), with the values that `Coverage.set_option` takes.

    `notes` name what the file says and the number does not heed.
    """

    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def read_settings(here: Path, environ: Mapping[str, str]) -> Settings:
    """Read the file that coverage would read.

    Raises `CallerMistake` for a file that cannot be read, a value that cannot be used, and any plugin.
    """
    for path in _candidates(here, environ):
        shown = os.path.relpath(path, here)
        sections = _sections(path, shown, here)
        if any(sections.values()) or (path.name not in _SHARED):
            return Settings(dict(_options(sections, shown)), tuple(_unheeded(sections, shown)))
    return Settings({})


def _unheeded(sections: Mapping[str, Mapping[str, Any]], shown: str) -> Iterator[str]:
    if (least := sections.get("report", {}).get("fail_under")) not in {None, 0, "0"}:
        yield f"{shown}: [report] fail_under = {least} is not heeded: coverage.total of the kit's configuration is the gate."
    known = Coverage(data_file=None, config_file=False, messages=False)
    for section, options in sections.items():
        for name in options if section != "paths" else ():
            try:
                known.get_option(f"{section}:{name}")
            except CoverageException:
                near = difflib.get_close_matches(name, [option.partition(":")[2] for option in _READ if option.startswith(f"{section}:")], 1)  # fmt: skip
                meant = f" Is {near[0]} meant?" if near else ""
                yield f"{shown}: [{section}] {name} is no option of coverage {coverage.__version__} and does nothing.{meant}"


def _candidates(here: Path, environ: Mapping[str, str]) -> list[Path]:
    if given := environ.get("COVERAGE_RCFILE"):
        path = here / given
        if not path.exists():
            raise CallerMistake(
                f"the variable COVERAGE_RCFILE names {given!r}, which is not in the checkout.",
                next_step="Correct it where the workflow sets it, or remove it.",
            )
        return [path]
    return [here / name for name in (*_OWN, *_SHARED) if os.path.lexists(here / name)]


def _sections(path: Path, shown: str, here: Path) -> dict[str, Mapping[str, Any]]:
    real = path.resolve()
    if not real.is_file() or not real.is_relative_to(here.resolve()):
        raise _mistake("is no regular file of the checkout", shown)
    if real.stat().st_size > FILE_BYTES:
        raise _mistake(f"is larger than {FILE_BYTES} bytes", shown)
    try:
        text = real.read_text(encoding="utf-8")
        read = _toml if path.suffix == ".toml" else _ini
        return read(text, own=path.name not in _SHARED)
    except (OSError, ValueError, RecursionError, configparser.Error) as error:
        reason = " ".join(str(error).replace("<string>", "it").split())
        raise _mistake(f"cannot be read: {reason[:300]}", shown) from error


def _toml(text: str, *, own: bool) -> dict[str, Mapping[str, Any]]:
    data = tomllib.loads(text)
    tool = data.get("tool")
    tool = tool.get("coverage") if isinstance(tool, dict) else None
    found = {**(data if own else {}), **(tool if isinstance(tool, dict) else {})}
    return {name: table for name in _SECTIONS if isinstance(table := found.get(name), dict)}


def _ini(text: str, *, own: bool) -> dict[str, Mapping[str, Any]]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    names = {name: [f"coverage:{name}", *([name] if own else [])] for name in _SECTIONS}
    return {
        name: dict(parser[section])
        for name, sections in names.items()
        if (section := next(filter(parser.has_section, sections), None))
    }


def _options(sections: Mapping[str, Mapping[str, Any]], shown: str) -> Iterator[tuple[str, Any]]:
    for option, read in {"run:plugins": _words, **_READ}.items():
        section, name = option.split(":")
        if name not in sections.get(section, {}):
            continue
        try:
            value = read(sections[section][name])
        except _Wrong as error:
            raise _mistake(f"[{section}] {name} {error}", shown) from error
        if option != "run:plugins":
            yield option, value
        elif value:
            raise CallerMistake(
                f"the coverage configuration names the plugin {value[0]!r}, and a plugin is code of the project, "
                "which never runs where the gate is decided.",
                next_step="Write what it sets into the configuration itself, and remove it. The test legs measured "
                "with this configuration; without it the number would be another one.",
                file=shown,
            )
    try:
        yield "paths", {name: _paths(value) for name, value in sections.get("paths", {}).items()}
    except _Wrong as error:
        raise _mistake(f"[paths] {error}", shown) from error


def _literal(text: str) -> str:
    """`$$` is a dollar sign and `${NAME-default}` its default; a variable of this job is never put in."""

    def put(match: re.Match[str]) -> str:
        dollar, plain, braced, default = match.groups()
        if dollar or default is not None:
            return dollar or default
        raise _Wrong(f"takes the variable {plain or braced}, which the gate does not read; give a default, ${{{plain or braced}-…}}")  # fmt: skip

    return _VARIABLE.sub(put, text)


def _entries(value: object, separator: str) -> list[str]:
    if isinstance(value, str):  # of an ini file; of TOML coverage takes lists only, and the test legs say so
        return [entry.strip() for entry in re.split(separator, _literal(value)) if entry.strip()]
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise _Wrong(f"is no list of texts: {value!r:.80}")
    return [_literal(entry) for entry in value]


def _words(value: object) -> list[str]:
    return _entries(value, r"[,\n]")


def _paths(value: object) -> list[str]:
    return [os.path.expanduser(entry) for entry in _words(value)]  # noqa: PTH111 - a pattern, no path


def _expressions(value: object) -> list[str]:
    found = [entry.strip() for entry in _entries(value, r"\n") if entry.strip()]
    for expression in found:
        try:
            re.compile(expression)
        except (re.error, RecursionError, OverflowError) as error:
            raise _Wrong(f"holds {expression!r}, which is no regular expression: {error}") from error
    return found


def _flag(value: object) -> bool:
    word = str(value).lower()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    raise _Wrong(f"is neither true nor false: {value!r:.80}")


def _number(value: object) -> int:
    if re.fullmatch(r"[0-9]{1,2}", str(value)):
        return int(str(value))
    raise _Wrong(f"is no number from 0 to 99: {value!r:.80}")


# What is not here, coverage is never told: debug, debug_file, data_file, html and all that names a file to write.
_READ: Mapping[str, Callable[[object], Any]] = {
    "run:omit": _words,
    "report:include": _words,
    "report:omit": _words,
    "report:exclude_lines": _expressions,
    "report:exclude_also": _expressions,
    "report:partial_branches": _expressions,
    "report:partial_branches_always": _expressions,
    "report:partial_also": _expressions,
    "report:contexts": _words,
    "report:include_namespace_packages": _flag,
    "report:precision": _number,
    "xml:package_depth": _number,
}


def _mistake(what: str, shown: str) -> CallerMistake:
    return CallerMistake(
        f"coverage's configuration cannot be used: {shown} {what}.",
        next_step="Correct it. The test legs measured with this configuration; without it the number would be another.",
        file=shown,
    )

"""Decide how coverage.py measures: the consumer's own settings, with what many processes on many machines need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.errors import CallerMistake
from ci_kit.test.core import SETTING_SINCE, Core, choose_core
from ci_kit.test.interpreter import release
from ci_kit.test.model import Interpreter

OLDEST = (7, 0)
# They would make coverage.py write elsewhere, or into what the tests print.
_LEFT_OUT = {"run:debug", "run:debug_file", "run:command_line", "run:_crash"}
_NO_CODE = {"tests", "test", "testing", "docs", "doc", "examples", "example", "benchmarks", "scripts", "build", "dist"}


@dataclass(frozen=True)
class Measuring:
    """How this shard measures. `source` as given to coverage; folders relative to the root for the manifest."""

    version: str
    branch: bool
    source: tuple[str, ...]
    rc: str
    core: Core


def decide(
    settings: Mapping[str, Any],
    python: Interpreter,
    *,
    root: Path,
    configured: Sequence[str],
    fallback: Sequence[str],
    branch: bool,
    data_file: Path,
) -> Measuring:
    """`settings` is the probe's answer. Raises `CallerMistake` for settings or a release that cannot work.

    What is measured: `configured` (the kit's configuration), else coverage's own configuration, else `fallback`.
    """
    if "error" in settings:
        raise CallerMistake(
            f"coverage.py's configuration cannot be used: {settings['error']}.",
            next_step="Correct it, or set the input coverage to false.",
        )
    version = python.distributions.get("coverage", "")
    if release(version) < OLDEST:
        raise CallerMistake(
            f"coverage {version} cannot be measured with; the kit needs coverage 7 or newer.",
            next_step="Raise coverage in the project's dependencies, or set the input coverage to false.",
        )
    options = {name: v for name, v in settings["options"].items() if name.startswith("run:") and name not in _LEFT_OUT}
    sources = ("run:source", "run:source_pkgs", "run:source_dirs")
    if configured:
        options |= {**dict.fromkeys(sources), "run:source": list(configured)}
    elif not any(options.get(name) for name in (*sources, "run:include")):
        options["run:source"] = list(fallback)
    kept = [entry for name in sources for entry in options.get(name) or ()]
    for name in ("run:source", "run:source_dirs"):
        options[name] = [_folder(entry, root) for entry in options.get(name) or ()]
    for name in ("run:omit", "run:include"):
        options[name] = [_pattern(entry, root) for entry in options.get(name) or ()]
    options["run:branch"] = branch = bool(options.get("run:branch")) or branch
    core = choose_core(
        options,
        release=release(version),
        python=release(python.version),
        implementation=python.implementation,
        branch=branch,
        has_c_tracer=settings["c-tracer"],
    )
    # A process that is ended by SIGTERM, as servers in tests are, keeps what it measured: `start-coverage` sees to it.
    options |= {"run:parallel": True, "run:relative_files": True, "run:data_file": str(data_file), "run:sigterm": False}
    options.pop("run:core", None)
    if release(version) >= SETTING_SINCE:
        options["run:core"] = core.name
        options["run:patch"] = sorted({*(options.get("run:patch") or ()), "_exit"})
    return Measuring(
        version,
        branch,
        tuple(_relative(entry, root) for entry in kept),
        _ini(options, settings),
        core,
    )


def default_source(root: Path) -> tuple[str, ...]:
    """What to measure when nobody says: the packages under `src`, else the packages beside it, else everything."""
    if any(path.is_dir() or path.suffix == ".py" for path in sorted((root / "src").glob("*"))):
        return ("src",)
    packages = sorted(
        path.parent.name
        for path in root.glob("*/__init__.py")
        if path.parent.name not in _NO_CODE and not path.parent.name.startswith((".", "_"))
    )
    return tuple(packages) or (".",)


def _folder(entry: str, root: Path) -> str:
    """Absolute where it is a folder: a subprocess may start in another one. Else it is the name of a package."""
    return str(root / entry) if (root / entry).is_dir() else entry


def _pattern(entry: str, root: Path) -> str:
    return entry if entry.startswith(("*", "?")) or Path(entry).is_absolute() else str(root / entry)


def _relative(entry: str, root: Path) -> str:
    path = Path(entry)
    return path.relative_to(root).as_posix() if path.is_absolute() and path.is_relative_to(root) else entry


def _ini(options: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """coverage.py's own file format; `$` is doubled because coverage.py replaces variables when it reads."""
    sections: dict[str, dict[str, Any]] = {"run": {name.partition(":")[2]: v for name, v in options.items()}}
    if settings["paths"]:
        sections["paths"] = settings["paths"]
    sections |= settings["plugins"]
    lines = []
    for section, entries in sections.items():
        lines.append(f"[{section}]")
        for name, value in entries.items():
            if value is None or value == []:
                continue
            lines.append(f"{name} = {_value(name, value)}")
    return "\n".join(lines) + "\n"


def _value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        if bad := [str(entry) for entry in value if "," in str(entry) or "\n" in str(entry)]:
            raise CallerMistake(
                f"coverage.py's option {name} holds {bad[0]!r}; an entry with a comma cannot be measured with.",
                next_step="Write `?` for the comma, or rename the folder.",
            )
        return "".join(f"\n    {str(entry).replace('$', '$$')}" for entry in value)
    return str(value).replace("$", "$$").replace("\n", "\n    ")

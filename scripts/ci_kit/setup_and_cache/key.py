"""Decide the cache key and its prefixes: the machine and the interpreter in plain words, then a digest of what is locked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_kit.setup_and_cache.choose import Choice
from ci_kit.setup_and_cache.facts import Facts
from ci_kit.setup_and_cache.interpreter import Interpreter

LAYOUT = "setup1"  # changes when what is cached changes its shape

# The tables of pyproject.toml that can change what is installed. An edited linter section keeps the hit.
_PROJECT_KEYS = ("name", "dependencies", "optional-dependencies", "requires-python", "dynamic")
_TOOL_TABLES = ("uv", "poetry", "pdm", "setuptools", "hatch", "flit", "scikit-build")


@dataclass(frozen=True)
class Machine:
    """`system` is for example `ubuntu24.04`. `place` tells where the cache folder is, seen from the workspace.

    actions/cache stores paths relative to the workspace and hits by the text of the path, so an archive that was saved
    from another layout would be restored to a place where nobody looks: another layout has other keys.
    """

    system: str
    place: str


@dataclass(frozen=True)
class Keys:
    """`key` names exactly this state; `prefixes` what to fall back on, best first."""

    key: str
    prefixes: tuple[str, ...]


def keys(name: str, machine: Machine, interpreter: Interpreter, choice: Choice, facts: Facts, pins: str) -> Keys:
    """The keys for `name` (the input). `pins` is the digest of the kit's own locks, whose packages are cached too."""
    place = hashlib.sha256(machine.place.encode()).hexdigest()[:6]
    start = "-".join(
        _plain(part)
        for part in ("ci-kit", name, LAYOUT, machine.system, interpreter.machine, interpreter.libc, place)
        if part
    )
    family = f"{start}-{_plain(choice.manager)}-{_plain(interpreter.implementation)}{_plain(interpreter.minor)}-"
    exact = f"{family}{_plain(interpreter.version)}-"
    state = {
        "abi": interpreter.abi,
        "source": choice.source,
        "groups": choice.groups,
        "extras": choice.extras,
        "itself": choice.itself,
        "files": dict(facts.digests),
        "pyproject": meaning(facts.pyproject),
        "pins": pins,
    }
    digest = hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:20]
    return Keys(f"{exact}{digest}", (exact, family))


def meaning(pyproject: Mapping[str, Any]) -> dict[str, Any]:
    """What of a `pyproject.toml` can change the installed packages; the project's own version cannot."""
    project, tool = pyproject.get("project"), pyproject.get("tool")
    found: dict[str, Any] = {name: pyproject.get(name) for name in ("build-system", "dependency-groups")}
    if isinstance(project, Mapping):
        found["project"] = {name: project.get(name) for name in _PROJECT_KEYS}
    if isinstance(tool, Mapping):
        tables = {name: tool[name] for name in _TOOL_TABLES if name in tool}
        if isinstance(tables.get("poetry"), Mapping):
            tables["poetry"] = {key: value for key, value in tables["poetry"].items() if key != "version"}
        found["tool"] = tables
    return found


def _plain(text: str) -> str:
    """Safe in a key: no comma (actions/cache refuses it), no blank."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)

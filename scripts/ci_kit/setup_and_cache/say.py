"""What setup-and-cache tells: the log lines, the step summary and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ci_kit.markdown import text
from ci_kit.setup_and_cache.choose import Choice
from ci_kit.setup_and_cache.facts import Facts
from ci_kit.setup_and_cache.install import Installed
from ci_kit.setup_and_cache.interpreter import Interpreter
from ci_kit.setup_and_cache.key import Keys
from ci_kit.setup_and_cache.recipe import Places

NAME = "setup-and-cache"


class Hit(StrEnum):
    """What the cache gave: `OFF` when there is none, wanted or possible."""

    EXACT = "exact"
    PREFIX = "prefix"
    MISS = "miss"
    OFF = "off"


@dataclass(frozen=True)
class Result:
    """Everything that there is to tell."""

    name: str
    choice: Choice
    facts: Facts
    interpreter: Interpreter
    keys: Keys
    hit: Hit
    restored_key: str
    places: Places
    installed: Installed
    seconds: float
    notes: tuple[str, ...]


def decision(choice: Choice, interpreter: Interpreter) -> str:
    """One line: what was chosen, and why."""
    files = ", ".join(choice.requirements) if choice.requirements else choice.source.value
    parts = [
        f"ci-kit: {choice.manager}, from {files} ({choice.why}); {interpreter.implementation} {interpreter.version}"
    ]
    parts += [f"groups {', '.join(choice.groups)}"] if choice.groups else []
    parts += [f"extras {', '.join(choice.extras)}"] if choice.extras else []
    parts += [f"constraints {', '.join(choice.constraints)}"] if choice.constraints else []
    return "; ".join([*parts, f"the project itself: {choice.itself.value}"]) + "."


def summary(result: Result) -> str:
    """Two or three lines of Markdown."""
    packages = len(result.installed.plug_ins.installed)
    added = result.installed.plug_ins.added
    made = f"Python {result.interpreter.version}, {packages} packages by {result.choice.manager}"
    plug_ins = ", ".join(f"{name} {version}" for name, version in added.items()) or "none"
    lines = [
        f"**Set-up** {result.seconds:.1f} s: {text(made)} from {text(result.choice.source.value)}, cache **{result.hit.value}**.",
        f"Pytest plug-ins added by the kit: {text(plug_ins)}.",
    ]
    return "\\\n".join([*lines, *([f"Note: {text('; '.join(result.notes))}."] if result.notes else [])])


def report(result: Result) -> dict[str, Any]:
    """The report's data (`schemas/setup-and-cache.json`)."""
    seconds: Mapping[str, float] = {**result.installed.seconds, "total": result.seconds}
    lock_files = dict(result.facts.digests)
    return {
        "schema": f"ci-kit/{NAME}/1",
        "name": result.name,
        "manager": result.choice.manager,
        "source": result.choice.source.value,
        "why": result.choice.why,
        "files": [{"path": path, "sha256": digest} for path, digest in lock_files.items()],
        "groups": list(result.choice.groups),
        "extras": list(result.choice.extras),
        "project": result.choice.itself.value,
        "key": result.keys.key,
        "restored-key": result.restored_key or None,
        "cache-hit": result.hit.value,
        "interpreter": {
            "version": result.interpreter.version,
            "implementation": result.interpreter.implementation,
            "machine": result.interpreter.machine,
            "libc": result.interpreter.libc,
        },
        "python": str(result.places.venv_python),
        "venv": str(result.places.venv),
        "packages": len(result.installed.plug_ins.installed),
        "plug-ins-added": dict(result.installed.plug_ins.added),
        "seconds": {phase: round(value, 3) for phase, value in seconds.items()},
        "notes": list(result.notes),
    }

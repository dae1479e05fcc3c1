"""Decide how a project is installed: the manager, the lock, the groups and extras, and the project itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ci_kit.errors import CallerMistake
from ci_kit.setup_and_cache.facts import Facts

FOR_TESTS = ("dev", "test", "tests", "testing")
AUTO = ("auto",)


class Source(StrEnum):
    """What says which packages are installed."""

    UV = "uv.lock"
    PYLOCK = "pylock.toml"
    POETRY = "poetry.lock"
    PDM = "pdm.lock"
    REQUIREMENTS = "requirements"
    PROJECT = "pyproject"
    NOTHING = "nothing"


class Itself(StrEnum):
    """How the project itself becomes importable."""

    EDITABLE = "editable"
    BY_LOCK = "by the lock"
    DEPENDENCIES = "only its dependencies"
    NOT = "not installed"


MANAGERS = {
    Source.UV: "uv",
    Source.PYLOCK: "pip",
    Source.POETRY: "poetry",
    Source.PDM: "pdm",
    Source.REQUIREMENTS: "pip",
    Source.PROJECT: "pip",
    Source.NOTHING: "none",
}


@dataclass(frozen=True)
class Choice:
    """What is installed, from where, and why.

    `lock` is the lock's path from the project's folder, empty when there is none. `groups` and `extras` are those beyond what the source implies, `refused_groups` the project's other groups.
    """

    source: Source
    why: str
    lock: str = ""
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    refused_groups: tuple[str, ...] = ()
    only_these_groups: bool = False
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    require_hashes: bool = False
    itself: Itself = Itself.NOT
    notes: tuple[str, ...] = ()

    @property
    def manager(self) -> str:
        """`uv`, `pip`, `poetry`, `pdm` or `none`."""
        return MANAGERS[self.source]


def choose(facts: Facts, manager: str, groups: tuple[str, ...], extras: tuple[str, ...]) -> Choice:
    """Decide. `manager`, `groups` and `extras` are the inputs, `auto` for the rules in the action's README.

    Raises `CallerMistake` when the wanted manager has no lock here, or a wanted group or extra does not exist.
    """
    source, why = _source(facts, manager)
    known_groups, known_extras = _groups(facts, source), _extras(facts, source)
    uses_project = source not in {Source.REQUIREMENTS, Source.NOTHING} or _has_metadata(facts)
    chosen_groups: tuple[str, ...] = ()
    chosen_extras: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if uses_project:
        chosen_groups = _selected("groups", groups, known_groups, _automatic_groups(facts, source, known_groups))
        automatic = [name for name in FOR_TESTS if name in known_extras]
        chosen_extras = _selected("extras", extras, extras if _dynamic_extras(facts) else known_extras, automatic)
        if source is Source.UV and facts.table("tool", "uv").get("conflicts"):
            chosen_groups = chosen_groups if groups != AUTO else ()
            chosen_extras = chosen_extras if extras != AUTO else ()
            notes = ("tool.uv declares conflicts, so only uv's default groups are chosen automatically",)
    requirements = facts.requirements if source is Source.REQUIREMENTS else ()
    require_hashes = bool(requirements) and not facts.unhashed
    itself = _itself(facts, source)
    if require_hashes and (chosen_groups or chosen_extras):
        notes = (*notes, "the requirements have hashes, so no groups or extras of pyproject.toml are added to them")
        chosen_groups, chosen_extras = (), ()
    return Choice(
        source=source,
        why=why,
        lock=facts.locks.get(source.value, ""),
        groups=chosen_groups,
        extras=chosen_extras,
        refused_groups=tuple(name for name in known_groups if name not in chosen_groups),
        only_these_groups=groups != AUTO,
        requirements=requirements,
        constraints=facts.constraints if source in {Source.REQUIREMENTS, Source.PROJECT} else (),
        require_hashes=require_hashes,
        itself=itself,
        notes=notes,
    )


def _source(facts: Facts, manager: str) -> tuple[Source, str]:
    if manager in {"uv", "poetry", "pdm"}:
        source = Source(f"{manager}.lock")
        if source.value not in facts.locks:
            raise CallerMistake(
                f"input manager: {manager} was asked for, and there is no {source.value}.",
                next_step=f"Run `{manager} lock` and commit the lock, or set manager to auto.",
            )
        return source, "asked for by the input manager"
    if manager == "auto":
        for source in (Source.UV, Source.PYLOCK, Source.POETRY, Source.PDM):
            if source.value in facts.locks:
                others = [name for name in facts.locks if name != source.value]
                return source, f"it comes before {' and '.join(others)}" if others else "it is the project's lock"
    elif Source.PYLOCK.value in facts.locks:
        return Source.PYLOCK, "asked for by the input manager"
    if facts.requirements:
        return Source.REQUIREMENTS, f"found {', '.join(facts.requirements)} and no lock"
    if _has_metadata(facts):
        return Source.PROJECT, "there is no lock, so the newest versions that fit are installed"
    return Source.NOTHING, "found no lock, no requirements and no project metadata"


def _has_metadata(facts: Facts) -> bool:
    names = ("project", "build-system", "dependency-groups")
    return facts.has_setup_py or any(facts.table(name) for name in names)


def _itself(facts: Facts, source: Source) -> Itself:
    if source is Source.UV:
        return Itself.BY_LOCK
    buildable = facts.has_setup_py or bool(facts.table("build-system"))
    refused = (
        facts.table("tool", "uv").get("package") is False
        or facts.table("tool", "poetry").get("package-mode") is False
        or facts.table("tool", "pdm").get("distribution") is False
    )
    if buildable and not refused:
        return Itself.EDITABLE
    if source in {Source.PROJECT, Source.REQUIREMENTS} and facts.table("project"):
        return Itself.DEPENDENCIES
    return Itself.NOT


def _extras(facts: Facts, source: Source) -> list[str]:
    found = dict(facts.table("project", "optional-dependencies"))
    if source is Source.POETRY:
        found |= facts.table("tool", "poetry", "extras")
    return list(found)


def _dynamic_extras(facts: Facts) -> bool:
    """The extras are told by a build (setup.py, `dynamic`), so they are not known from the files."""
    dynamic = facts.table("project").get("dynamic")
    return (facts.has_setup_py and not facts.table("project")) or "optional-dependencies" in (dynamic or ())


def _groups(facts: Facts, source: Source) -> list[str]:
    found: dict[str, Any] = dict(facts.table("dependency-groups"))
    if source is Source.POETRY:
        found |= facts.table("tool", "poetry", "group")
        if facts.table("tool", "poetry", "dev-dependencies"):
            found["dev"] = True
    if source is Source.PDM:
        found |= facts.table("tool", "pdm", "dev-dependencies")
    if source is Source.UV and facts.table("tool", "uv").get("dev-dependencies"):
        found["dev"] = True
    return list(found)


def _automatic_groups(facts: Facts, source: Source, known: Collection[str]) -> list[str]:
    """The groups for tests; a Poetry or PDM project's other groups too where its own `install` would take them."""
    if source is Source.UV and "default-groups" in facts.table("tool", "uv"):
        return []
    if source is Source.POETRY:
        tables: Mapping[str, Any] = facts.table("tool", "poetry", "group")
        optional = {n for n, table in tables.items() if isinstance(table, Mapping) and table.get("optional") is True}
        return [name for name in known if name not in optional or name in FOR_TESTS]
    if source is Source.PDM:
        return list(known)
    return [name for name in FOR_TESTS if name in known]


def _selected(
    what: str, wanted: tuple[str, ...], known: Collection[str], automatic: Collection[str]
) -> tuple[str, ...]:
    if wanted == AUTO:
        return tuple(automatic)
    if wanted == ("none",):
        return ()
    for name in wanted:
        if name not in known:
            have = ", ".join(sorted(known)) or "none"
            raise CallerMistake(
                f"input {what}: {name!r} does not exist in pyproject.toml.",
                next_step=f"The project's {what} are: {have}.",
            )
    return wanted

"""The repository's action and workflow files as data, for the contract tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ci_kit.__main__ import ROOMS
from ci_kit.yaml_file import read_yaml

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = re.compile(
    r'exec "\$GITHUB_ACTION_PATH(?P<up>/\.\./\.\.)?/scripts/ci-kit" (?P<room>[a-z-]+) (?P<verb>[a-z-]+|"\$CI_KIT_VERB")'
)
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One step, and where it stands."""

    owner: str
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What a failing test calls it."""
        return f"{self.owner}: {self.data.get('name') or self.data.get('uses') or self.data.get('run')}"

    @property
    def uses(self) -> str:
        """The action that it uses, or nothing."""
        return str(self.data.get("uses", ""))

    @property
    def run(self) -> str:
        """The script that it runs, or nothing."""
        return str(self.data.get("run", ""))

    @property
    def env(self) -> dict[str, str]:
        """Its environment, values as text."""
        return {name: str(value) for name, value in (self.data.get("env") or {}).items()}

    @property
    def launched(self) -> tuple[str, tuple[str, ...]] | None:
        """The room, and the verbs that the step may run, when it calls the launcher."""
        found = LAUNCH.fullmatch(self.run)
        if found is None:
            return None
        return found["room"], ROOMS[found["room"]] if found["verb"].startswith('"') else (found["verb"],)


@dataclass(frozen=True)
class Job:
    """One job of a workflow."""

    workflow: str
    id: str
    data: Mapping[str, Any]

    @property
    def steps(self) -> list[Step]:
        """Its steps; none when it calls a workflow."""
        return [Step(f"{self.workflow}: job {self.id}", step) for step in self.data.get("steps", ())]

    @property
    def needs(self) -> set[str]:
        """The jobs that it waits for."""
        found = self.data.get("needs", [])
        return {found} if isinstance(found, str) else set(found)


@dataclass(frozen=True)
class YamlFile:
    """An action or workflow file. `name` is its path from the root."""

    path: Path
    data: Mapping[Any, Any]

    @property
    def name(self) -> str:
        """What a failing test calls it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """The file as it stands."""
        return self.path.read_text(encoding="utf-8")

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The `on:` mapping. YAML 1.1 reads that key as true."""
        found = self.data.get("on", self.data.get(True))
        if isinstance(found, Mapping):
            return found
        return dict.fromkeys([found] if isinstance(found, str) else found or [])

    @property
    def is_workflow(self) -> bool:
        """A workflow, not an action."""
        return "jobs" in self.data

    @property
    def inputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Declared inputs: an action's, or those of a callable workflow."""
        owner = (self.trigger.get("workflow_call") or {}) if self.is_workflow else self.data
        return owner.get("inputs") or {}

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Declared outputs: an action's, or those of a callable workflow."""
        owner = (self.trigger.get("workflow_call") or {}) if self.is_workflow else self.data
        return owner.get("outputs") or {}

    @property
    def secrets(self) -> Mapping[str, Any]:
        """Declared secrets of a callable workflow."""
        return (self.trigger.get("workflow_call") or {}).get("secrets") or {} if self.is_workflow else {}

    @property
    def jobs(self) -> list[Job]:
        """A workflow's jobs."""
        return [Job(self.name, name, data) for name, data in self.data.get("jobs", {}).items()]

    @property
    def steps(self) -> list[Step]:
        """All its steps."""
        if self.is_workflow:
            return [step for job in self.jobs for step in job.steps]
        return [Step(self.name, step) for step in self.data["runs"]["steps"]]


def _load(path: Path) -> YamlFile:
    return YamlFile(path, read_yaml(path, path.relative_to(ROOT).as_posix()).data)


@cache
def actions() -> tuple[YamlFile, ...]:
    """Every action of the kit: the rooms' and the root's."""
    found = [*ROOT.glob("actions/*/action.yml"), *ROOT.glob("action.yml")]
    return tuple(_load(path) for path in sorted(found))


@cache
def workflows() -> tuple[YamlFile, ...]:
    """Every workflow of this repository, callable or its own."""
    return tuple(_load(path) for path in sorted(ROOT.glob(".github/workflows/*.y*ml")))


def all_files() -> tuple[YamlFile, ...]:
    """Actions and workflows."""
    return (*actions(), *workflows())


def expressions(value: object) -> Iterator[str]:
    """The inside of every `${{ … }}` in a YAML value; an `if:` without the braces must be passed on its own."""
    if isinstance(value, str):
        yield from (match.strip() for match in EXPRESSION.findall(value))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from expressions(part)
    elif isinstance(value, list):
        for part in value:
            yield from expressions(part)


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that belongs to the repository: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return tuple(path for name in sorted(set(listed.stdout.split("\0"))) if name and (path := ROOT / name).is_file())

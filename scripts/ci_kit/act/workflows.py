"""Find, translate and connect the workflow and action files of one repository's copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ci_kit.act import references, tree
from ci_kit.act.references import Reference
from ci_kit.act.translate import Job, Translator
from ci_kit.errors import CallerMistake
from ci_kit.schema import suggestion

WORKFLOWS = Path(".github/workflows")


@dataclass(frozen=True)
class Parsed:
    """One file of a copy, as a tree."""

    path: Path
    name: str
    node: yaml.MappingNode

    @property
    def is_workflow(self) -> bool:
        """Whether it lies where workflows lie."""
        return Path(self.name).parent == WORKFLOWS


def parse_files(root: Path, *, strict: bool) -> list[Parsed]:
    """Every workflow and action file below `root`. Without `strict`, what is no YAML mapping is passed over."""
    found = []
    for path in [*_workflow_files(root), *_action_files(root)]:
        name = path.relative_to(root).as_posix()
        try:
            found.append(Parsed(path, name, tree.load(path, name)))
        except CallerMistake:
            if strict and path.parent == root / WORKFLOWS:
                raise
    return found


def _workflow_files(root: Path) -> list[Path]:
    return sorted(p for p in (root / WORKFLOWS).glob("*.y*ml") if p.suffix in {".yml", ".yaml"} and p.is_file())


def _action_files(root: Path) -> list[Path]:
    names = {"action.yml", "action.yaml"}
    return sorted(
        p for p in root.rglob("action.y*ml") if p.name in names and "node_modules" not in p.parts and p.is_file()
    )


def events(node: yaml.MappingNode) -> set[str]:
    """The events that a workflow is run by."""
    on = tree.get(node, "on")
    if isinstance(on, yaml.ScalarNode):
        return {str(on.value)}
    if isinstance(on, yaml.SequenceNode):
        return {str(entry.value) for entry in on.value}
    return {name for name, _ in tree.items(on)}


def chosen(files: Sequence[Parsed], event: str, workflow: str, job: str) -> list[Parsed]:
    """The workflows that the event starts; raises `CallerMistake` when there is none, or none with the job."""
    all_of_them = [f for f in files if f.is_workflow]
    if not all_of_them:
        raise CallerMistake(
            f"there is no workflow in {WORKFLOWS}.", next_step="Add one, or give --repo another folder."
        )
    names = [Path(f.name).name for f in all_of_them]
    if workflow and Path(workflow).name not in names:
        hint = suggestion(Path(workflow).name, names)
        raise CallerMistake(f"there is no workflow {workflow!r}{hint}.", next_step=f"Workflows: {', '.join(names)}.")
    here = [f for f in all_of_them if not workflow or Path(f.name).name == Path(workflow).name]
    started = [f for f in here if event in events(f.node)]
    if not started:
        known = sorted(set().union(*(events(f.node) for f in here)))
        raise CallerMistake(f"no workflow runs on {event}.", next_step=f"Events there are: {', '.join(known)}.")
    if job:
        jobs = [name for f in started for name, _ in tree.items(tree.get(f.node, "jobs"))]
        started = [f for f in started if any(name == job for name, _ in tree.items(tree.get(f.node, "jobs")))]
        if not started:
            raise CallerMistake(
                f"there is no job {job!r}{suggestion(job, jobs)}.", next_step=f"Jobs: {', '.join(jobs)}."
            )
    return started


def translate(files: Iterable[Parsed], translator: Translator, owner: Reference, *, own_paths: bool) -> None:
    """Translate the files of one repository and write them back into its copy."""
    for file in files:
        if file.is_workflow:
            translator.workflow(file.node, file.name, owner, own_paths=own_paths)
        else:
            translator.action(file.node, owner, own_paths=own_paths)
        file.path.write_text(tree.dump(file.node), encoding="utf-8")


def uses_of(files: Iterable[Parsed]) -> list[str]:
    """Every `uses` as written."""
    found = []
    for file in files:
        for _, job in tree.items(tree.get(file.node, "jobs")):
            found += [tree.text(job, "uses"), *(tree.text(step, "uses") for step in tree.entries(job, "steps"))]
        found += [tree.text(step, "uses") for step in tree.entries(tree.get(file.node, "runs"), "steps")]
    return [uses for uses in found if uses]


def labels_of(files: Iterable[Parsed]) -> set[str]:
    """The runner labels that are written out."""
    jobs = [job for file in files for _, job in tree.items(tree.get(file.node, "jobs"))]
    nodes = [node for job in jobs if (node := tree.get(job, "runs-on")) is not None]
    return {str(n.value) for node in nodes for n in tree.scalars(node) if "${{" not in n.value}


def reachable(jobs: Sequence[Job], top: Sequence[tuple[str, str]], only: str) -> tuple[list[Job], dict[str, list[str]]]:
    """The jobs that the top workflows (repository, file) can start, and who calls each called workflow."""
    found: list[Job] = []
    called: dict[str, list[str]] = {}
    todo = list(top)
    seen: set[tuple[str, str]] = set()
    while todo:
        place = todo.pop(0)
        if place in seen:
            continue
        seen.add(place)
        for job in jobs:
            if (job.repository, job.file) != place or (only and place in top and job.id != only):
                continue
            found.append(job)
            target = references.parse(job.uses) if job.uses else None
            if target is not None:
                called.setdefault(f"{target.repository}:{target.path}", []).append(job.id)
                todo.append((target.repository, target.path))
    return found, called

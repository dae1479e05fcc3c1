"""Hold what workflows pass against what actions and called workflows declare, as GitHub does before and while it runs.

act passes anything. GitHub warns of an action's unknown input, and refuses a workflow that gives a called one an input or
a secret that it does not declare, or leaves out a required one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from ci_kit.act import references, tree
from ci_kit.act.workflows import Parsed
from ci_kit.errors import CallerMistake
from ci_kit.schema import suggestion


def unknown_inputs(files: Sequence[Parsed], repositories: Mapping[str, Path]) -> list[str]:
    """GitHub's warnings for inputs that an action does not declare, for every action whose files lie here."""
    found = []
    for file in files:
        for step in _steps(file.node):
            declared = _declared_by_action(tree.text(step, "uses") or "", repositories)
            if declared is None:
                continue
            unknown = [name for name, _ in tree.items(tree.get(step, "with")) if name.lower() not in declared]
            if unknown:
                quoted = ", ".join(f"'{name}'" for name in unknown)
                valid = ", ".join(f"'{name}'" for name in sorted(declared))
                place = f"{file.name}:{step.start_mark.line + 1}"
                found.append(f"{place}: Unexpected input(s) {quoted}, valid inputs are [{valid}]")
    return found


def check_called_workflows(files: Sequence[Parsed], repositories: Mapping[str, Path]) -> None:
    """Raise `CallerMistake` for the first call that GitHub would refuse."""
    for file in files:
        for _, job in tree.items(tree.get(file.node, "jobs")):
            reference = references.parse(tree.text(job, "uses") or "")
            root = repositories.get(reference.spec) if reference else None
            if reference is None or root is None:
                continue
            place = root / reference.path
            if not place.is_file():
                raise CallerMistake(
                    f"there is no {reference.path} in {reference.repository}.",
                    next_step="Correct the path.",
                    file=file.name,
                    line=_line(job, "uses"),
                )
            call = tree.get(tree.get(tree.load(place, reference.path), "on"), "workflow_call")
            _check(file, job, "with", "input", call, "inputs")
            if tree.text(job, "secrets") != "inherit":
                _check(file, job, "secrets", "secret", call, "secrets")


def _check(file: Parsed, job: yaml.Node, given_key: str, kind: str, call: yaml.Node | None, declared_key: str) -> None:
    declared = dict(tree.items(tree.get(call, declared_key)))
    given = [name for name, _ in tree.items(tree.get(job, given_key))]
    line = _line(job, given_key) or _line(job, "uses")
    for name in given:
        if name not in declared:
            raise CallerMistake(
                f"{kind} {name!r} is not defined in the called workflow{suggestion(name, list(declared))}.",
                next_step=f"It declares: {', '.join(declared) or 'none'}.",
                file=file.name,
                line=line,
            )
    for name, node in declared.items():
        if tree.text(node, "required") == "true" and tree.get(node, "default") is None and name not in given:
            raise CallerMistake(
                f"the called workflow requires the {kind} {name!r}.", next_step="Pass it.", file=file.name, line=line
            )


def _declared_by_action(uses: str, repositories: Mapping[str, Path]) -> set[str] | None:
    reference = references.parse(uses)
    root = repositories.get(reference.spec) if reference else None
    if reference is None or root is None:
        return None
    for name in ("action.yml", "action.yaml"):
        place = root / reference.path / name
        if place.is_file():
            return {each.lower() for each, _ in tree.items(tree.get(tree.load(place, name), "inputs"))}
    return None


def _steps(node: yaml.Node) -> Iterator[yaml.Node]:
    for _, job in tree.items(tree.get(node, "jobs")):
        yield from tree.entries(job, "steps")
    yield from tree.entries(tree.get(node, "runs"), "steps")


def _line(node: yaml.Node, key: str) -> int | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    marks = [name.start_mark for name, _ in node.value if name.value == key and name.start_mark is not None]
    return marks[0].line + 1 if marks else None

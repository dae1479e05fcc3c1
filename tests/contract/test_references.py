"""What actions and workflows refer to: the kit's own parts (`$/…`) and other people's actions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tooling.findings import nothing
from tooling.yaml_files import ROOT, YamlFile, all_files

PIN = re.compile(r"uses: (?P<action>[\w.-]+/[\w./-]+)@(?P<sha>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)")
EVERYWHERE = [*all_files()]
each_file = pytest.mark.parametrize("file", EVERYWHERE, ids=lambda file: file.name)


def calls(file: YamlFile) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Who calls what of the kit, with which mapping."""
    for job in file.jobs if file.is_workflow else ():
        if "uses" in job.data:
            yield f"{file.name}: job {job.id}", str(job.data["uses"]), job.data
    for step in file.steps:
        if step.uses:
            yield step.name, step.uses, step.data


def target(uses: str) -> YamlFile | None:
    path = uses.removeprefix("$/")
    name = path if path.endswith((".yml", ".yaml")) else f"{path}/action.yml"
    return next((file for file in EVERYWHERE if file.name == name), None)


@each_file
def test_every_own_reference_exists(file: YamlFile) -> None:
    nothing(
        f"{who}: {uses} does not exist" for who, uses, _ in calls(file) if uses.startswith("$/") and not target(uses)
    )


@each_file
def test_own_parts_are_referred_to_by_the_self_repository_syntax(file: YamlFile) -> None:
    nothing(
        f"{who}: {uses}" for who, uses, _ in calls(file) if uses.startswith(("./", "../")) or uses.rstrip("/") == "$"
    )
    nothing(f"{who}: {uses}" for who, uses, _ in calls(file) if re.match(r"[^/]+/ci-kit[/@]", uses))


@each_file
def test_every_argument_is_declared_there(file: YamlFile) -> None:
    nothing(
        f"{who}: {uses} declares no {kind} {name!r}"
        for who, uses, data in calls(file)
        if uses.startswith("$/") and (found := target(uses))
        for kind, given, declared in (
            ("input", data.get("with") or {}, found.inputs),
            ("secret", data.get("secrets") or {}, found.secrets),
        )
        for name in given
        if name not in declared
    )


@each_file
def test_every_required_input_is_given(file: YamlFile) -> None:
    nothing(
        f"{who}: {uses} requires {name!r}"
        for who, uses, data in calls(file)
        if uses.startswith("$/") and (found := target(uses))
        for name, declared in found.inputs.items()
        if declared.get("required") and name not in (data.get("with") or {})
    )


@each_file
def test_other_actions_are_pinned_by_commit_with_the_version_behind(file: YamlFile) -> None:
    lines = [line.strip().removeprefix("- ") for line in file.text.splitlines() if re.match(r"\s*(- )?uses:", line)]
    nothing(f"{file.name}: {line}" for line in lines if not line.startswith("uses: $/") and not PIN.fullmatch(line))


def test_an_action_has_the_same_pin_everywhere() -> None:
    pins: dict[str, set[tuple[str, str]]] = defaultdict(set)
    texts = [file.text for file in EVERYWHERE]
    texts += [path.read_text(encoding="utf-8") for path in ROOT.glob("examples/*/.github/workflows/*.y*ml")]
    for match in PIN.finditer("\n".join(texts)):
        pins["/".join(match["action"].split("/")[:2])].add((match["sha"], match["version"]))
    assert pins
    nothing(f"{action}: {sorted(found)}" for action, found in pins.items() if len(found) > 1)

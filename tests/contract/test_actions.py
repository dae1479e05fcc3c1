"""action.yml against the Python behind it: every input arrives, every output exists."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci_kit.__main__ import ROOMS
from ci_kit.inputs import input_name, variable_name
from tooling import outputs
from tooling.findings import nothing
from tooling.rooms import verbs
from tooling.yaml_files import ROOT, Step, YamlFile, actions, expressions

# Read by the launcher or by ci_kit.__main__, for every verb.
EVERY_VERB = {"CI_KIT_TIMEOUT", "CI_KIT_WORKING_DIRECTORY", "CI_KIT_VERB"}
# Settings of the launcher that an action's input may be handed to, whatever the input's name.
OF_THE_LAUNCHER = {"CI_KIT_LAUNCHER_PREFERS"}
LAPTOP_ONLY_ROOMS = {"act"}
FOREIGN_OUTPUTS = {
    "actions/cache/restore": {"cache-hit", "cache-primary-key", "cache-matched-key"},
    "actions/upload-artifact": {"artifact-id", "artifact-url", "artifact-digest"},
    "actions/download-artifact": {"download-path"},
    "actions/setup-python": {"python-version", "cache-hit", "python-path"},
}

each_action = pytest.mark.parametrize("action", actions(), ids=lambda action: action.name)


def variables(room: str, names: tuple[str, ...]) -> set[str]:
    """The environment variables that some verbs of a room read."""
    return {
        variable_name(input_name(field.name))
        for name in names
        for field in dataclasses.fields(verbs(room)[name].inputs)
    }


def launches() -> Iterator[tuple[YamlFile, Step, str, tuple[str, ...]]]:
    for action in actions():
        for step in action.steps:
            if step.launched:
                yield action, step, *step.launched


def test_every_room_of_the_design_has_an_action() -> None:
    expected = {"action.yml"} | {f"actions/{room}/action.yml" for room in ROOMS.keys() - LAPTOP_ONLY_ROOMS}
    assert {action.name for action in actions()} == expected


def test_every_verb_is_launched_by_an_action() -> None:
    launched = {(room, verb) for _, _, room, names in launches() for verb in names}
    wanted = {(room, verb) for room, names in ROOMS.items() for verb in names if room not in LAPTOP_ONLY_ROOMS}
    assert launched == wanted


def test_every_script_is_one_launch_that_takes_the_shells_place() -> None:
    """A runner that cancels signals the step's shell only, and bash passes no SIGINT on: hence `exec`."""
    nothing(
        f"{step.name}: {step.run}" for action in actions() for step in action.steps if step.run and not step.launched
    )


def test_a_step_passes_only_what_its_verb_reads() -> None:
    nothing(
        f"{step.name}: {name} is read by no verb of {names} in {room}"
        for _, step, room, names in launches()
        for name in step.env
        if name.startswith("CI_KIT_") and name not in EVERY_VERB | OF_THE_LAUNCHER | variables(room, names)
    )


def test_every_input_of_a_room_is_passed_by_some_step() -> None:
    passed = {(room, name) for _, step, room, _ in launches() for name in step.env}
    nothing(
        f"{room}: no action passes {name}"
        for room, names in ROOMS.items()
        if room not in LAPTOP_ONLY_ROOMS
        for name in sorted(variables(room, names))
        if (room, name) not in passed
    )


def test_no_input_is_taken_for_a_setting_of_the_launcher() -> None:
    launcher = [ROOT / "scripts" / "ci-kit", *(ROOT / "scripts" / "ci_kit" / "launcher").glob("*.py")]
    known = {name for path in launcher for name in re.findall(r"\bCI_KIT_[A-Z_]+", path.read_text(encoding="utf-8"))}
    assert known >= {"CI_KIT_LAUNCHER_PYTHON", *OF_THE_LAUNCHER}
    for room, names in ROOMS.items():
        assert not variables(room, names) & (known - EVERY_VERB), room


@each_action
def test_every_declared_input_is_used(action: YamlFile) -> None:
    used = {name for text in _expressions(action) for name in re.findall(r"\binputs\.([\w-]+)", text)}
    assert set(action.inputs) == used


@each_action
def test_an_input_arrives_under_its_own_name(action: YamlFile) -> None:
    nothing(
        f"{step.name}: {variable} carries {value}"
        for step in action.steps
        for variable, value in step.env.items()
        for name in re.findall(r"^\$\{\{ inputs\.([\w-]+) \}\}$", value)
        if variable not in {variable_name(name), *OF_THE_LAUNCHER}
    )


@each_action
def test_a_condition_asks_of_an_input_only_whether_it_is_there(action: YamlFile) -> None:
    """What an input says is parsed by the verb, strictly: `upload: yes` compared here would silently be a no."""
    nothing(
        f"{step.name}: {condition}"
        for step in action.steps
        for condition in [str(step.data.get("if", ""))]
        if "inputs." in re.sub(r"\binputs\.[\w-]+ != ''(?!\w)", "", condition)
    )


@each_action
def test_inputs_and_outputs_are_described(action: YamlFile) -> None:
    for name, data in action.inputs.items():
        assert re.fullmatch(r"[a-z][a-z0-9-]*", name), name
        assert str(data["description"]).endswith("."), name
        assert ("default" in data) != bool(data.get("required")), f"{name}: either a default or required"
        assert isinstance(data.get("default", ""), str), f"{name}: quote the default, every input is text"
    for name, data in action.outputs.items():
        assert re.fullmatch(r"[a-z][a-z0-9-]*", name), name
        assert str(data["description"]).endswith("."), name


@each_action
def test_every_output_that_is_referred_to_is_set_by_its_step(action: YamlFile) -> None:
    steps = {step.data["id"]: step for step in action.steps if "id" in step.data}
    referred = {
        found for text in _expressions(action) for found in re.findall(r"\bsteps\.([\w-]+)\.(\w+)(?:\.([\w-]+))?", text)
    }
    nothing(f"{action.name}: no step has the id {step}" for step, _, _ in referred if step not in steps)
    nothing(
        f"{action.name}: {steps[step].name} does not set the output {output}"
        for step, kind, output in sorted(referred)
        if kind == "outputs" and output not in outputs_of(steps[step])
    )


@each_action
def test_an_outputs_value_is_one_reference(action: YamlFile) -> None:
    for name, data in action.outputs.items():
        assert re.fullmatch(r"\$\{\{ steps\.[\w-]+\.outputs\.[\w-]+(?: \|\| .+)? \}\}", data["value"]), name


@each_action
def test_every_output_that_a_verb_sets_is_declared(action: YamlFile) -> None:
    """What nobody can read would be dead code."""
    referred = {
        found for text in _expressions(action) for found in re.findall(r"\bsteps\.[\w-]+\.outputs\.([\w-]+)", text)
    }
    for step in action.steps:
        if step.launched:
            modules = _modules(step.launched[0])
            assert outputs.spelled_out(modules) | outputs.computed(modules) <= referred, action.name


def _expressions(action: YamlFile) -> Iterator[str]:
    yield from expressions(action.data["runs"])
    yield from (str(step.data["if"]) for step in action.steps if "if" in step.data)
    yield from expressions(action.data.get("outputs") or {})


def outputs_of(step: Step) -> set[str]:
    if step.launched:
        modules = _modules(step.launched[0])
        return outputs.spelled_out(modules) | outputs.computed(modules)
    if step.uses.startswith("$/"):
        path = f"{step.uses.removeprefix('$/')}/action.yml"
        return {name for action in actions() if action.name == path for name in action.outputs}
    return FOREIGN_OUTPUTS[step.uses.partition("@")[0]]


def _modules(room: str) -> list[ast.Module]:
    paths = sorted(Path(ROOT, "scripts", "ci_kit", room.replace("-", "_")).glob("*.py"))
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def test_what_is_only_a_key_of_some_mapping_is_no_output() -> None:
    code = """
def run(workflow, report):
    out = workflow.output
    out("alias", 1)
    report({"a-key": 1})
    workflow.output("text", {"of-a-value": 2})
    for name, value in (("row", 1), ("other", "not-a-name")):
        workflow.output(name, value)
    given = made()
    for name, value in {"written": 1, **given}.items():
        workflow.output(name, value)

def made():
    return {"answered": 1}
"""
    module = ast.parse(code)
    assert outputs.spelled_out([module]) == {"alias", "text"}
    assert outputs.computed([module]) == {"row", "other", "written", "answered"}
    with pytest.raises(ValueError, match="no loop's variable"):
        outputs.computed([ast.parse("def run(workflow, name):\n    workflow.output(name, 1)")])

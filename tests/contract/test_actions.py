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
            assert literal_outputs(step.launched[0]) <= referred, action.name


def _expressions(action: YamlFile) -> Iterator[str]:
    yield from expressions(action.data["runs"])
    yield from (str(step.data["if"]) for step in action.steps if "if" in step.data)
    yield from expressions(action.data.get("outputs") or {})


def outputs_of(step: Step) -> set[str]:
    if step.launched:
        return literal_outputs(step.launched[0]) | computed_outputs(step.launched[0])
    if step.uses.startswith("$/"):
        path = f"{step.uses.removeprefix('$/')}/action.yml"
        return {name for action in actions() if action.name == path for name in action.outputs}
    return FOREIGN_OUTPUTS[step.uses.partition("@")[0]]


def _modules(room: str) -> Iterator[ast.Module]:
    for path in sorted(Path(ROOT, "scripts", "ci_kit", room.replace("-", "_")).glob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def _sets_outputs(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls of `workflow.output`, also through a local name given to it."""
    aliases = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute) and node.value.attr == "output"
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "output")
            or (isinstance(node.func, ast.Name) and node.func.id in aliases)
        ):
            yield node


def literal_outputs(room: str) -> set[str]:
    """Names of outputs that a room's code spells out where it sets them."""
    calls = [call for module in _modules(room) for call in _sets_outputs(module) if call.args]
    return {str(call.args[0].value) for call in calls if isinstance(call.args[0], ast.Constant)}


def computed_outputs(room: str) -> set[str]:
    """Text in functions that set outputs in a loop, and the keys of every mapping: the names may come from there."""
    found: set[str] = set()
    for module in _modules(room):
        for node in ast.walk(module):
            if isinstance(node, ast.Dict):
                found |= {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
            elif isinstance(node, ast.FunctionDef) and any(
                call.args and not isinstance(call.args[0], ast.Constant) for call in _sets_outputs(node)
            ):
                found |= {
                    str(n.value) for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
                }
    return found

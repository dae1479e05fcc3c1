"""The rooms: who may import whom, and what each must offer."""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from ci_kit.__main__ import ROOMS, main
from ci_kit.launcher.environment import locks_of
from ci_kit.wheels import pins
from tooling.findings import nothing
from tooling.rooms import verbs
from tooling.yaml_files import ROOT

KIT = ROOT / "scripts" / "ci_kit"
PLUGIN = ROOT / "scripts" / "pytest-ci-kit"
ABOVE_THE_ROOMS = {"pipeline"}
# The launcher runs before the environment exists and starts ci_kit.__main__; it is no room.
PACKAGES = {path.parent.name for path in KIT.glob("*/__init__.py")}
SHARED = {path.stem for path in KIT.glob("*.py")} - {"__init__", "__main__"}
LOCKS = ROOT / "requirements"
every_verb = pytest.mark.parametrize(
    ("room", "verb"), [(room, verb) for room, verbs in ROOMS.items() for verb in verbs]
)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module by its full name, and whether it is imported when the file is (not inside a function)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name, id(node) not in inside) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from ((f"{node.module}.{name.name}", id(node) not in inside) for name in node.names)


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def test_every_room_has_its_folder_and_every_folder_is_a_room() -> None:
    assert {room.replace("-", "_") for room in ROOMS} == PACKAGES - {"launcher"}


def test_rooms_import_only_shared_modules() -> None:
    nothing(
        f"{path.relative_to(ROOT)} imports {name}"
        for room in sorted(PACKAGES - ABOVE_THE_ROOMS - {"launcher"})
        for path in sources(KIT / room)
        for name, _ in imports(path)
        if name.startswith("ci_kit.") and name.split(".")[1] not in SHARED | {room}
    )


def test_shared_modules_know_no_room() -> None:
    nothing(
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted(KIT.glob("*.py"))
        for name, _ in imports(path)
        if name.startswith("ci_kit.") and name.split(".")[1] in PACKAGES
    )


def locked(room: str) -> dict[str, str]:
    """The distributions that the launcher installs for a room, and their versions."""
    return {
        pin.name.lower(): pin.version
        for lock in locks_of(room, LOCKS)
        for pin in pins(lock.read_text(encoding="utf-8"))
    }


@cache  # asked for every import of every file, and it reads every installed distribution
def importable(room: str) -> set[str]:
    """The top-level modules that a room's locks install. The lock of this test run holds all of them."""
    names = locked(room)
    return {
        module
        for module, owners in packages_distributions().items()
        if names.keys() & {each.lower() for each in owners}
    }


def test_a_room_imports_only_what_its_locks_install() -> None:
    """A shared module is no room: it has what all rooms have."""
    assert "yaml" in importable("")
    nothing(
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(KIT)
        for name, _ in imports(path)
        if name.split(".")[0]
        not in sys.stdlib_module_names | importable(path.relative_to(KIT).parts[0].replace("_", "-")) | {"ci_kit"}
    )


def test_locks_of_rooms_are_for_rooms_and_differ_from_the_common_one() -> None:
    rooms = {path.stem.removeprefix("runtime-") for path in LOCKS.glob("runtime-*.txt")}
    assert rooms <= ROOMS.keys()
    for room in rooms:
        pinned = [pin.name.lower() for lock in locks_of(room, LOCKS) for pin in pins(lock.read_text(encoding="utf-8"))]
        assert len(pinned) == len(set(pinned)), f"{room}: pip refuses a requirement that is there twice"
        in_use = {name: version(name) for name in locked(room)}
        assert in_use == locked(room), f"{room}: the tests must run with what the room runs with"


def test_plan_and_gate_need_only_the_standard_library_and_pyyaml() -> None:
    """They run in every job's critical path, on a machine that has nothing yet."""
    seen: set[Path] = set()
    waiting = [KIT / "__main__.py", KIT / "pipeline" / "cli.py"]
    heavy = []
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name, at_once in imports(path):
            parts = name.split(".")
            if parts[0] == "ci_kit":
                options = [
                    KIT.joinpath(*parts[1:end]).with_suffix(".py") for end in (len(parts), len(parts) - 1) if end > 1
                ]
                waiting += [option for option in options if option.is_file()]
            elif parts[0] not in sys.stdlib_module_names | {"yaml"} and at_once:
                heavy.append(f"{path.relative_to(ROOT)} imports {name}")
    nothing(heavy)


def test_the_plugin_imports_only_pytest_and_the_standard_library() -> None:
    files = sources(PLUGIN / "src")
    assert files
    nothing(
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name, _ in imports(path)
        if name.split(".")[0]
        not in sys.stdlib_module_names | {"pytest", "_pytest", "xdist"} | {p.name for p in (PLUGIN / "src").iterdir()}
        # Only the unmutated run of mutation testing, a process of its own, measures by itself.
        and (path.name, name.split(".")[0]) != ("cover.py", "coverage")
    )


def test_only_the_github_module_knows_workflow_commands() -> None:
    told = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH", "::add-mask", "::error", "::group")
    # The launcher's first file also runs on a Python that is too old to import the module.
    allowed = {KIT / "github.py", KIT / "launcher" / "start.py"}
    nothing(
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value[:60]!r}"
        for path in sources(KIT)
        if path not in allowed
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(told)
    )


def test_nothing_below_main_ends_the_process_or_asserts() -> None:
    found = []
    for path in sources(KIT):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Assert):
                found.append(f"{place}: assert")
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                found.append(f"{place}: bare except")
            if ast.unparse(node) == "sys.exit" and path.name not in {"__main__.py", "start.py"}:
                found.append(f"{place}: sys.exit")
    nothing(found)


@every_verb
def test_every_verb_explains_itself(room: str, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([room, verb, "--help"], {}) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"ci-kit {room} {verb}: ")


@every_verb
def test_every_input_can_be_left_out_and_is_explained(room: str, verb: str) -> None:
    for field in dataclasses.fields(verbs(room)[verb].inputs):
        assert field.default is not dataclasses.MISSING, field.name
        assert field.metadata["help"].strip(), field.name


def summaries(path: Path) -> Iterator[ast.expr]:
    """What a file hands to `Workflow.summary`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("workflow.summary"):
            yield node.args[0]


def makes_markdown(path: Path) -> bool:
    """Whether a file puts values into lines of Markdown."""
    starts = ("| ", "#", "> ", "**", "<details")  # not "- ", which lists in the log begin with too
    return any(
        isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and str(node.values[0].value).lstrip().startswith(starts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def local(path: Path) -> set[Path]:
    """The file itself and the files of its room that it imports."""
    names = {
        KIT.joinpath(*name.split(".")[1:end]).with_suffix(".py") for name, _ in imports(path) for end in (None, -1)
    }
    return {path} | {name for name in names if name.is_file() and name.parent == path.parent}


def test_values_in_a_summary_are_made_harmless_by_the_one_module_for_it() -> None:
    """Names of tests, files and configuration come from pull requests."""
    callers = [path for path in sources(KIT) if any(not isinstance(arg, ast.Constant) for arg in summaries(path))]
    assert len(callers) >= 6
    escaping = {path for path in sources(KIT) if any(name.startswith("ci_kit.markdown.") for name, _ in imports(path))}
    nothing(
        f"{path.relative_to(ROOT)} makes Markdown without ci_kit.markdown"
        for caller in callers
        for path in local(caller)
        if makes_markdown(path) and path not in escaping
    )
    nothing(
        f"{caller.relative_to(ROOT)} shows a summary that nothing made harmless"
        for caller in callers
        if not local(caller) & escaping
    )

"""Which pytest plug-ins the kit adds, and how a clash is told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.github import Event, Workflow
from ci_kit.installed import Unmet
from ci_kit.process import Completed
from ci_kit.test_plugins import (
    NEEDED,
    Pin,
    clash,
    decide,
    ensure,
    marker_holds,
    parse_pins,
    read_pins,
    release,
)
from ci_kit.tools import Tools

PINS = read_pins()
LOCK = """# made by a tool
coverage==7.10.7 ; python_full_version < '3.10' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via -r requirements/test-plugins.in
execnet==2.1.2 \\
    --hash=sha256:cc
    # via
    #   pytest-xdist
    #   other-thing
pytest-xdist==3.8.0
"""


def test_a_lock_is_read_with_its_hashes_and_who_needs_what() -> None:
    coverage, execnet, xdist = parse_pins(LOCK)
    assert (coverage.name, coverage.version, coverage.marker) == ("coverage", "7.10.7", "python_full_version < '3.10'")
    assert coverage.text == (
        "coverage==7.10.7 ; python_full_version < '3.10' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    )
    assert coverage.via == frozenset()
    assert execnet.via == {"pytest-xdist", "other-thing"}
    assert (xdist.name, xdist.version, xdist.marker) == ("pytest-xdist", "3.8.0", "")


def test_something_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(ValueError, match="pytest>=7"):
        parse_pins("pytest>=7\n")


@pytest.mark.parametrize("python", ["3.9.0", "3.10.13", "3.11.7", "3.12.1", "3.13.0", "3.14.0"])
@pytest.mark.parametrize("generation", ["newest", "older"])
def test_every_python_has_exactly_one_pin_of_each_needed_package_with_hashes(python: str, generation: str) -> None:
    pins: tuple[Pin, ...] = getattr(PINS, generation)
    found = [pin for pin in pins if marker_holds(pin.marker, python, "linux")]
    names = [pin.name for pin in found]
    assert set(NEEDED) <= set(names)
    assert len(names) == len(set(names))
    assert all("--hash=sha256:" in pin.text for pin in found)


@pytest.mark.parametrize(
    ("installed", "python", "added", "kept"),
    [
        pytest.param(dict.fromkeys(NEEDED, "99"), "3.12.1", set(), set(NEEDED), id="everything-is-there"),
        pytest.param(
            {"pytest": "9.2.0", "pluggy": "1.7.0", "packaging": "26", "iniconfig": "2", "pygments": "2"},
            "3.12.1",
            {"coverage", "execnet", "pytest-reportlog", "pytest-rerunfailures", "pytest-xdist"},
            {"pytest"},
            id="pytest-is-there",
        ),
        pytest.param(
            {"pytest": "9.2.0", "packaging": "26", **dict.fromkeys(set(NEEDED) - {"pytest", "coverage"}, "99")},
            "3.12.1",
            {"coverage"},
            set(NEEDED) - {"coverage"},
            id="what-a-present-package-needs-is-not-our-business",
        ),
        pytest.param(
            {},
            "3.12.1",
            {*NEEDED, "execnet", "iniconfig", "packaging", "pluggy", "pygments"},
            set(),
            id="nothing-is-there",
        ),
        pytest.param(
            {"pytest-cov": "6.0", "coverage": "7.6.0"},
            "3.9.18",
            {*(set(NEEDED) - {"coverage"}), "execnet", "iniconfig", "packaging", "pluggy", "pygments"}
            | {"exceptiongroup", "tomli", "typing-extensions"},
            {"coverage"},
            id="an-old-python-needs-backports",
        ),
    ],
)
def test_only_what_is_absent_is_added(installed: dict[str, str], python: str, added: set[str], kept: set[str]) -> None:
    plan = decide(installed, python, PINS, "linux")
    assert {pin.name for pin in plan.add} == added
    assert set(plan.kept) == kept


def test_each_python_gets_the_newest_pin_that_it_can_run() -> None:
    versions = {
        python: next(pin.version for pin in decide({}, python, PINS, "linux").add if pin.name == "coverage")
        for python in ("3.9.18", "3.10.1", "3.13.0")
    }
    assert release(versions["3.9.18"]) < release(versions["3.10.1"]) < release(versions["3.13.0"])


@pytest.mark.parametrize(
    ("pytest_version", "old"), [("7.4.4", True), ("8.1.2", True), ("8.2.0", False), ("9.0", False)]
)
def test_an_older_pytest_gets_the_plug_ins_that_fit_to_it(pytest_version: str, old: bool) -> None:
    plan = decide({"pytest": pytest_version}, "3.12.1", PINS, "linux")
    rerun = next(pin for pin in plan.add if pin.name == "pytest-rerunfailures")
    assert (release(rerun.version) < (15,)) is old


@pytest.mark.parametrize("python", ["3.8.18", "2.7.18"])
def test_a_python_that_is_too_old_is_the_callers_mistake(python: str) -> None:
    with pytest.raises(CallerMistake, match=rf"Python {python}.*3\.9"):
        decide({}, python, PINS, "linux")


@pytest.mark.parametrize(
    ("marker", "python", "platform", "holds"),
    [
        ("", "3.12.1", "linux", True),
        ("python_full_version < '3.10'", "3.9.18", "linux", True),
        ("python_full_version < '3.10'", "3.10.0", "linux", False),
        ("python_full_version == '3.10.*'", "3.10.4", "linux", True),
        ("python_full_version >= '3.10'", "3.10.0", "linux", True),
        ("python_full_version >= '3.15'", "3.15.0rc1", "linux", True),
        ("sys_platform == 'win32'", "3.12.1", "linux", False),
        ("sys_platform != 'win32' and python_full_version < '3.10'", "3.9.1", "linux", True),
    ],
)
def test_markers(marker: str, python: str, platform: str, holds: bool) -> None:
    assert marker_holds(marker, python, platform) is holds


def test_a_marker_that_the_locks_never_hold_is_no_guess() -> None:
    with pytest.raises(ValueError, match="platform_machine"):
        marker_holds("platform_machine == 'arm64'", "3.12.1", "linux")


def test_a_clash_names_both_sides() -> None:
    error = clash(
        [
            Unmet("pytest-xdist", "3.8.0", "pytest", ">=7.0.0", "6.2.5"),
            Unmet("strange", "1.0", "execnet", "<2", "2.1.2"),
        ],
        {"pytest-xdist": "3.8.0", "execnet": "2.1.2"},
    )
    assert "pytest-xdist 3.8.0 needs pytest>=7.0.0 (pinned by the kit), but pytest 6.2.5 is in this project's" in str(
        error
    )
    assert "strange 1.0 needs execnet<2 (in this project's environment), but execnet 2.1.2 is pinned by the kit" in str(
        error
    )
    assert "Change the pin of pytest, strange in the project" in error.next_step


@dataclass
class Recorded:
    """Answers listings from `listings` in turn, and other commands with `codes` in turn."""

    listings: list[object]
    codes: list[int] = field(default_factory=list)
    output: str = ""
    ran: list[list[str]] = field(default_factory=list)
    environs: list[Mapping[str, str]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        **_others: object,
    ) -> Completed:
        self.environs.append(env or {})
        if argv[1] == "-c":
            answer = self.listings.pop(0)
            return Completed(
                tuple(argv), 0, answer if isinstance(answer, str) else f"noise\n{json.dumps(answer)}\n", 0.1
            )
        self.ran.append(list(argv))
        if "-r" in argv:
            self.files.append(Path(argv[argv.index("-r") + 1]).read_text(encoding="utf-8"))
        return Completed(tuple(argv), self.codes.pop(0) if self.codes else 0, self.output, 0.1)


def listing(installed: Mapping[str, str], unmet: Sequence[Sequence[str | None]] = ()) -> dict[str, object]:
    return {"version": "3.12.1", "platform": "linux", "installed": dict(installed), "unmet": [list(u) for u in unmet]}


def tools_with(runner: Recorded, environ: Mapping[str, str] | None = None) -> Tools:
    return Tools(environ or {"PATH": "/nowhere"}, Event.from_environ({}), Workflow({}), runner, SystemClock())


ALMOST = {**dict.fromkeys(set(NEEDED) - {"pytest-reportlog"}, "99"), "packaging": "26"}


def test_nothing_is_run_when_nothing_is_absent() -> None:
    runner = Recorded([listing(dict.fromkeys(NEEDED, "99"))])
    done = ensure(Path("/py"), tools_with(runner))
    assert (done.added, runner.ran) == ({}, [])


def test_what_is_absent_is_installed_with_hashes_and_without_dependencies() -> None:
    pin = next(p for p in decide(ALMOST, "3.12.1", PINS, "linux").add)
    runner = Recorded([listing(ALMOST), listing({**ALMOST, pin.name: pin.version})])
    environ = {
        "PATH": "/nowhere",
        "UV_CONSTRAINT": "x",
        "PIP_INDEX_URL": "there",
        "CI_KIT_ENV": "SECRET=1",
        "HOME": "/h",
    }
    done = ensure(Path("/py"), tools_with(runner, environ))
    assert done.added == {"pytest-reportlog": pin.version}
    assert runner.ran[0][:5] == ["/py", "-I", "-m", "pip", "install"]
    assert {"--no-deps", "--require-hashes"} <= set(runner.ran[0])
    assert runner.ran[0][runner.ran[0].index("--only-binary") + 1] == ":all:"
    assert runner.files == [pin.text]
    assert all(set(env) == {"PATH", "PIP_INDEX_URL", "HOME"} for env in runner.environs)


def test_a_clash_takes_the_plug_ins_out_again() -> None:
    runner = Recorded([listing(ALMOST), listing(ALMOST, [["pytest-reportlog", "1", "pytest", ">=100", "99"]])])
    with pytest.raises(CallerMistake, match="pytest-reportlog 1 needs pytest>=100"):
        ensure(Path("/py"), tools_with(runner))
    assert runner.ran[-1][:5] == ["/py", "-I", "-m", "pip", "uninstall"]
    assert runner.ran[-1][-1] == "pytest-reportlog"


def test_a_change_of_anything_else_is_an_error() -> None:
    pin = next(p for p in decide(ALMOST, "3.12.1", PINS, "linux").add)
    runner = Recorded([listing(ALMOST), listing({**ALMOST, "pytest": "100", pin.name: pin.version})])
    with pytest.raises(InfrastructureFailure, match="changed other packages: pytest 100, pytest 99"):
        ensure(Path("/py"), tools_with(runner))


@pytest.mark.parametrize(
    ("output", "kind", "said"),
    [
        ("error: externally-managed-environment", CallerMistake, "virtual environment"),
        ("No module named pip", CallerMistake, "install uv"),
        ("Connection refused", InfrastructureFailure, "did not answer"),
        ("no such version", InfrastructureFailure, "original files"),
        ("Because coverage==7.0 has no usable wheels and", InfrastructureFailure, "wheels only"),
        ("ERROR: No matching distribution found for coverage==7.0", InfrastructureFailure, "wheels only"),
    ],
)
def test_a_failed_installation_says_what_to_do(output: str, kind: type[Exception], said: str) -> None:
    runner = Recorded([listing(ALMOST)], codes=[1, 1], output=output)
    with pytest.raises(kind, match=said):
        ensure(Path("/py"), tools_with(runner))


def test_an_interpreter_that_does_not_answer_is_told() -> None:
    with pytest.raises(InfrastructureFailure, match="could not list its packages"):
        ensure(Path("/py"), tools_with(Recorded(["Segmentation fault"])))

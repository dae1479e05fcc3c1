from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ci_kit import __main__ as kit
from ci_kit import inputs
from ci_kit.errors import CallerMistake, Exit, InfrastructureFailure, KitError
from ci_kit.inputs import setting
from ci_kit.tools import Tools, Verb
from tooling.yaml_files import ROOT


@dataclass(frozen=True)
class Inputs:
    name: str = setting("ci", inputs.short_name, "name of this call")
    password: str = setting("", inputs.text, "password", secret=True)


Run = Callable[[Inputs, Tools], int]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Run], None]]:
    """Install a room `sample` whose verb `run` is the given function."""

    def install(run: Run) -> None:
        module = types.ModuleType("ci_kit.sample.cli")
        module.VERBS = {"run": Verb(run, Inputs, "a sample")}  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "ci_kit.sample", types.ModuleType("ci_kit.sample"))
        monkeypatch.setitem(sys.modules, "ci_kit.sample.cli", module)
        monkeypatch.setitem(kit.ROOMS, "sample", ("run",))

    before = signal.getsignal(signal.SIGTERM)
    yield install
    signal.signal(signal.SIGTERM, before)


def test_a_verb_gets_its_inputs_and_the_real_clients(room: Callable[[Run], None], tmp_path: Path) -> None:
    seen: list[object] = []

    def run(given: Inputs, tools: Tools) -> int:
        seen.append((given, tools.event.name, tools.event.workspace, tools.kit_root))
        return Exit.INCONCLUSIVE

    room(run)
    environ = {"CI_KIT_PASSWORD": "x", "GITHUB_EVENT_NAME": "push", "GITHUB_WORKSPACE": str(tmp_path)}
    assert kit.main(["sample", "run", "--name", "nightly"], environ) == 12
    assert seen == [(Inputs("nightly", "x"), "push", tmp_path, ROOT)]


def test_the_folder_of_the_project_is_an_option_of_every_verb(room: Callable[[Run], None], tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    seen: list[Path] = []

    def run(_given: Inputs, tools: Tools) -> int:
        seen.append(tools.event.workspace)
        return 0

    room(run)
    for option in (["--working-directory", "api"], ["--working-directory=api"]):
        assert kit.main(["sample", "run", *option], {"GITHUB_WORKSPACE": str(tmp_path)}) == 0
    assert seen == [tmp_path / "api"] * 2


@pytest.mark.parametrize(("error", "code"), [(CallerMistake, 2), (InfrastructureFailure, 3)])
def test_an_error_is_one_log_line_and_one_annotation(
    error: type[KitError], code: int, room: Callable[[Run], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_given: Inputs, _tools: Tools) -> int:
        raise error("it is bad.", next_step="Mend it.", file="a.yml", line=3)

    room(run)
    assert kit.main(["sample", "run"], {"GITHUB_ACTIONS": "true"}) == code
    assert capsys.readouterr().out.splitlines() == [
        "ci-kit: a.yml:3: it is bad. Mend it.",
        "::error file=a.yml,line=3,title=ci-kit::it is bad. Mend it.",
    ]


@pytest.mark.parametrize("argv", [["sample", "run"], ["sample", "run", "--s3cret"], ["s3cret"]])
def test_the_consumers_secrets_are_masked_before_anything_is_said(
    argv: list[str], room: Callable[[Run], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_given: Inputs, tools: Tools) -> int:
        tools.workflow.log("value s3cret")
        raise CallerMistake("s3cret is bad.", next_step="")

    room(run)
    environ = {"GITHUB_ACTIONS": "true", "CI_KIT_ENV": "PASSWORD=s3cret\nodd=x y=z3ro"}
    assert kit.main(argv, environ) == 2
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["::add-mask::s3cret", "::add-mask::x y=z3ro"]
    assert not any(line.startswith("::add-mask::") for line in said[2:])
    assert any("s3cret" in line for line in said[2:])


def test_on_a_laptop_an_error_is_said_once(room: Callable[[Run], None], capsys: pytest.CaptureFixture[str]) -> None:
    def run(_given: Inputs, _tools: Tools) -> int:
        raise CallerMistake("it is bad.", next_step="Mend it.", file="a.yml", line=3)

    room(run)
    assert kit.main(["sample", "run"], {}) == 2
    assert capsys.readouterr().out.splitlines() == ["ci-kit: a.yml:3: it is bad. Mend it."]


def test_the_unexpected_is_one_line_and_its_traceback_is_in_a_file(
    room: Callable[[Run], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_given: Inputs, _tools: Tools) -> int:
        raise ZeroDivisionError("secret detail")

    room(run)
    assert kit.main(["sample", "run"], {"RUNNER_TEMP": str(tmp_path)}) == 3
    said = capsys.readouterr().out
    assert "Traceback" not in said
    assert "secret detail" not in said
    details = tmp_path / "ci-kit" / "unexpected-error.txt"
    assert str(details) in said
    assert "ZeroDivisionError: secret detail" in details.read_text()


def test_the_unexpected_is_told_even_when_no_file_can_be_written(
    room: Callable[[Run], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ci-kit").touch()
    room(lambda _given, _tools: int("x"))
    assert kit.main(["sample", "run"], {"RUNNER_TEMP": str(tmp_path)}) == 3
    assert "a defect of ci-kit: ValueError. Please report it" in capsys.readouterr().out


def test_memory_that_is_used_up_is_told(room: Callable[[Run], None], capsys: pytest.CaptureFixture[str]) -> None:
    def run(_given: Inputs, _tools: Tools) -> int:
        raise MemoryError

    room(run)
    assert kit.main(["sample", "run"], {}) == 3
    assert "no memory left" in capsys.readouterr().out


def test_a_full_disk_is_the_machines_fault_and_no_defect(
    room: Callable[[Run], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_given: Inputs, _tools: Tools) -> int:
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            full.write("x")
        return 0

    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is there on Linux only")
    room(run)
    assert kit.main(["sample", "run"], {}) == 3
    said = capsys.readouterr().out
    assert "there is no space left on the disk" in said
    assert "defect" not in said


def test_an_interruption_has_the_shells_exit_code(room: Callable[[Run], None]) -> None:
    def run(_given: Inputs, _tools: Tools) -> int:
        raise KeyboardInterrupt

    room(run)
    assert kit.main(["sample", "run"], {}) == 130


def test_being_asked_to_end_cleans_up_first(room: Callable[[Run], None]) -> None:
    cleaned: list[bool] = []

    def run(_given: Inputs, _tools: Tools) -> int:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            cleaned.append(True)
        return 0

    room(run)
    assert kit.main(["sample", "run"], {}) == 128 + signal.SIGTERM
    assert cleaned == [True]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["pipelin"], "unknown room 'pipelin' (did you mean 'pipeline'?)."),
        (["pipeline"], "unknown verb '' of pipeline."),
        (["pipeline", "gates"], "unknown verb 'gates' of pipeline (did you mean 'gate'?)."),
        (["--working-directory"], "unknown room ''"),
    ],
)
def test_an_unknown_word_is_the_callers_mistake(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kit.main(argv, {}) == 2
    assert message in capsys.readouterr().out


def test_help_shows_every_room_and_a_verbs_inputs_without_secrets(
    room: Callable[[Run], None], capsys: pytest.CaptureFixture[str]
) -> None:
    room(lambda _given, _tools: 0)
    assert kit.main(["--help"], {}) == 0
    assert kit.main([], {}) == 2
    assert kit.main(["--version"], {}) == 0
    assert "  ci-kit sample run" in capsys.readouterr().out
    assert kit.main(["sample", "run", "--help"], {}) == 0
    said = capsys.readouterr().out
    assert "--name" in said
    assert "password" not in said


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    """`ci-kit --help | head -1`."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "scripts")}
    with subprocess.Popen(
        [sys.executable, "-m", "ci_kit", "pipeline", "nonsense"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        errors = child.stderr.read()
        assert child.wait(30) == 2
    assert b"Traceback" not in errors

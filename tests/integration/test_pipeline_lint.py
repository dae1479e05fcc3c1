"""`ci-kit pipeline lint` with real commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.github import Event, Workflow
from ci_kit.pipeline import lint_verb
from ci_kit.process import SubprocessRunner
from ci_kit.tools import Tools
from integration import pipeline_kit
from integration.pipeline_kit import Step, run_step, write


def lint(folder: Path, *commands: str, files: dict[str, str] | None = None, **environ: str) -> Step:
    config = {".github/ci-kit.yml": json.dumps({"lint": list(commands)})} if commands else {}
    return run_step(write(folder / "project", {**config, **(files or {})}), "lint", **environ)


def test_all_commands_run_and_the_failing_ones_are_named(tmp_path: Path) -> None:
    step = lint(tmp_path, "true", "sh -c 'echo bad line; exit 3'", "sh -c 'echo third'")
    assert step.code == 1
    assert "bad line\n" in step.log
    assert "third\n" in step.log
    assert step.summary.startswith("### ❌ Lint: 1 of 3 commands failed\n")
    assert "| ❌ | `sh -c 'echo bad line; exit 3'` | exit 3 |" in step.summary
    [annotation] = [line for line in step.log.splitlines() if line.startswith("::error")]
    assert "ended with exit code 3" in annotation
    assert [(entry["command"], entry["exit"]) for entry in step.report("lint")["commands"]] == [
        ("true", 0), ("sh -c 'echo bad line; exit 3'", 3), ("sh -c 'echo third'", 0),
    ]  # fmt: skip


def test_a_missing_program_is_named_and_the_others_still_run(tmp_path: Path) -> None:
    step = lint(tmp_path, "no-such-linter --strict", "sh -c 'echo second'", "sh -c 'exit 1'")
    assert step.code == 2
    assert "second\n" in step.log
    assert "lint: the program 'no-such-linter' of 'no-such-linter --strict' is not installed." in step.log
    assert "development dependencies" in step.log
    assert "| ❌ | `no-such-linter --strict` | not installed |" in step.summary
    assert "| ❌ | `sh -c 'exit 1'` | exit 1 |" in step.summary


def test_what_the_kit_proposes_itself_may_be_absent(tmp_path: Path) -> None:
    step = lint(tmp_path, files={"mypy.ini": ""}, PATH="/usr/bin:/bin", CI_KIT_PYTHON=sys.executable)
    assert step.code == 0, step.log
    assert "mypy .: not installed, not run" in step.log
    assert step.report("lint")["commands"] == [{"command": "mypy .", "exit": None, "seconds": None}]
    assert step.summary.startswith("### ⚠️ Lint: nothing ran: mypy not installed\n")
    [warning] = [line for line in step.log.splitlines() if line.startswith("::warning")]
    assert "nothing ran: mypy not installed, though the project sets it up." in warning
    assert "passed" not in step.summary


def test_one_linter_that_ran_is_enough_to_pass(tmp_path: Path) -> None:
    bin_folder = write(tmp_path / "venv" / "bin", {"mypy": "#!/bin/sh\n"})
    (bin_folder / "mypy").chmod(0o755)
    step = lint(tmp_path, files={"mypy.ini": "", "ruff.toml": ""}, PATH="/usr/bin:/bin",
                CI_KIT_PYTHON=sys.executable, CI_KIT_VENV=str(tmp_path / "venv"))  # fmt: skip
    assert step.code == 0, step.log
    assert step.summary.startswith("### ✅ Lint: passed\n")
    assert "not installed, not run" in step.summary
    assert "::warning" not in step.log


def test_nothing_to_run(tmp_path: Path) -> None:
    step = lint(tmp_path, files={"README.md": ""})
    assert step.code == 0
    assert step.summary.startswith("### Lint: nothing to run")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("ruff check . && mypy .", "uses the shell's '&&'"),
        ("ruff check . | tee log", "uses the shell's '|'"),
        ("ruff check .; mypy .", "uses the shell's ';'"),
        ("ruff check > log", "uses the shell's '>'"),
        ("ruff check >log 2>&1", "uses the shell's '>'"),
        ("sh -c 'exit 1", "is not a command: No closing quotation"),
        ("   ", "is empty"),
        ("LEVEL=1 ruff check", "sets the variable LEVEL"),
    ],
)
def test_what_needs_a_shell_is_refused_before_anything_runs(command: str, said: str, tmp_path: Path) -> None:
    step = lint(tmp_path, "sh -c 'echo ran'", command)
    assert step.code == 2
    assert said in step.log
    assert "lint[1]" in step.log
    assert ".github/ci-kit.yml" in step.log
    assert "ran\n" not in step.log


def test_quotes_and_marks_inside_words_are_fine(tmp_path: Path) -> None:
    step = lint(tmp_path, """sh -c 'echo "a;b" && echo c | cat'""", "echo 'two words' x'>'y")
    assert step.code == 0, step.log
    assert "a;b\nc\n" in step.log
    assert "two words x>y\n" in step.log


def test_workflow_commands_of_a_linter_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    step = lint(tmp_path, "sh -c 'echo ::set-env name=X::1; echo ::add-mask::x; exit 1'")
    lines = step.log.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("::stop-commands::"))
    end = lines.index(f"::{lines[start].removeprefix('::stop-commands::')}::")
    assert start < lines.index("::set-env name=X::1") < lines.index("::add-mask::x") < end


def test_a_linter_gets_none_of_the_kits_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE")
    for name in theirs:
        monkeypatch.setattr(pipeline_kit, "KEPT", (*pipeline_kit.KEPT, name))
        monkeypatch.setenv(name, str(tmp_path / name))
    step = lint(tmp_path, "env", CI_KIT_ENV="TOKEN=s3cret", ACTIONS_RUNTIME_TOKEN="t0ken", MINE="yes")
    assert "MINE=yes" in step.log
    for name in (*theirs, "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        assert f"{name}=" not in step.log
    assert "ACTIONS_RUNTIME_TOKEN" not in step.log
    assert "CI_KIT_ENV" not in step.log


def test_the_programs_of_the_environment_come_first(tmp_path: Path) -> None:
    bin_folder = write(tmp_path / "venv" / "bin", {"ruff": "#!/bin/sh\necho ours $VIRTUAL_ENV\n"})
    (bin_folder / "ruff").chmod(0o755)
    step = lint(tmp_path, "ruff check .", CI_KIT_VENV=str(tmp_path / "venv"))
    assert step.code == 0
    assert f"ours {tmp_path / 'venv'}\n" in step.log


def test_a_program_of_the_project_is_found_from_its_folder(tmp_path: Path) -> None:
    root = write(tmp_path / "project", {"tools/check": "#!/bin/sh\necho checked\n"})
    (root / "tools" / "check").chmod(0o755)
    step = lint(tmp_path, "./tools/check")
    assert step.code == 0, step.log
    assert "checked\n" in step.log


def test_a_command_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint_verb, "LIMIT_SECONDS", 0.5)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yml").write_text("lint: [sleep 600, 'true']\n", encoding="utf-8")
    environ = {"GITHUB_WORKSPACE": str(tmp_path), "PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(tmp_path)}
    tools = Tools(environ, Event.from_environ(environ), Workflow(environ), SubprocessRunner(), SystemClock())
    assert lint_verb.run(lint_verb.LintInputs(config=Path("c.yml")), tools) == 1
    first, second = json.loads((tmp_path / "ci-kit" / "lint.json").read_text(encoding="utf-8"))["commands"]
    assert first["exit"] < 0
    assert second["exit"] == 0


def test_a_command_is_text_in_the_summary(tmp_path: Path) -> None:
    root = write(tmp_path, {".github/ci-kit.yml": "lint: [\"true '|`<img src=x>'\"]\n"})
    step = run_step(root, "lint")
    assert step.code == 0, step.log
    assert r"| <code>true '\|\`\<img src=x\>'</code> | passed |" in step.summary

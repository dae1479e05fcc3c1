"""`pipeline lint`: run the consumer's own lint and type-check commands, all of them, and say which failed."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from ci_kit import inputs
from ci_kit.config import Config, load_config
from ci_kit.errors import CallerMistake, Exit
from ci_kit.github import Annotation
from ci_kit.inputs import setting
from ci_kit.process import Completed
from ci_kit.project import read_project
from ci_kit.report import report_folder, write_report
from ci_kit.tools import Tools

LIMIT_SECONDS = 1200.0


@dataclass(frozen=True)
class LintInputs:
    """Inputs of `pipeline lint`."""

    config: Path | None = setting(None, inputs.path, "configuration file (default .github/ci-kit.yml)")
    venv: Path | None = setting(None, inputs.path, "environment whose programs are used (default: PATH)")


@dataclass(frozen=True)
class Command:
    """One lint command: `text` as configured, `argv` its words, `optional` when the kit proposed it itself."""

    text: str
    argv: tuple[str, ...]
    optional: bool


def commands_of(config: Config, proposed: tuple[str, ...]) -> tuple[Command, ...]:
    """The configured commands, else the proposed ones. Raises `CallerMistake` for a command that is not words."""
    found = []
    for index, text in enumerate(proposed if config.lint is None else config.lint):
        try:
            argv = tuple(shlex.split(text))
        except ValueError as error:
            raise CallerMistake(
                f"lint[{index}]: {text!r} is not a command: {error}.", next_step="Close the quotes.", file=config.file
            ) from error
        if shell := [word for word in argv if word in {"&&", "||", "|", ";", ">", "&"}]:
            raise CallerMistake(
                f"lint[{index}]: {text!r} uses the shell's {shell[0]!r}, but commands run without a shell.",
                next_step="Write one command an entry; they all run, and every one must succeed.",
                file=config.file,
            )
        found.append(Command(text, argv, optional=config.lint is None))
    return tuple(found)


def run(given: LintInputs, tools: Tools) -> int:
    """Run every command; 1 when one says no, 2 when a configured program does not exist."""
    root = tools.event.workspace
    config = load_config(root, given.config)
    commands = commands_of(config, read_project(root).lint)
    environ = {name: value for name, value in tools.environ.items() if not name.startswith(("CI_KIT_", "ACTIONS_"))}
    if given.venv is not None:
        environ["VIRTUAL_ENV"] = str(given.venv)
        environ["PATH"] = f"{given.venv / 'bin'}:{environ.get('PATH', '')}"
    done: list[tuple[Command, Completed | None]] = []
    for command in commands:
        program = shutil.which(command.argv[0], path=environ.get("PATH"))
        if program is None and not command.optional:
            raise CallerMistake(
                f"lint: the program {command.argv[0]!r} of {command.text!r} is not installed.",
                next_step="Add it to the project's development dependencies, or correct `lint`.",
                file=config.file,
            )
        if program is None:
            done.append((command, None))
            continue
        with tools.workflow.group(command.text), tools.workflow.foreign_output():
            argv = (program, *command.argv[1:])
            done.append((command, tools.runner.run(argv, cwd=root, env=environ, timeout_seconds=LIMIT_SECONDS)))
    return _say(done, tools)


def _say(done: list[tuple[Command, Completed | None]], tools: Tools) -> int:
    failed = [(command, result) for command, result in done if result is not None and result.code]
    rows = []
    for command, result in done:
        said = "not installed, not run" if result is None else ("passed" if result.code == 0 else f"exit {result.code}")
        seconds = "" if result is None else f"{result.seconds:.1f} s"
        rows.append(f"| `{command.text.replace('|', chr(92) + '|')}` | {said} | {seconds} |")
        tools.workflow.log(f"lint: {command.text}: {said} {seconds}")
    head = "### Lint: " + (
        f"{len(failed)} of {len(done)} commands failed" if failed else "passed" if done else "nothing configured"
    )
    tools.workflow.summary("\n".join([head, "", "| command | result | time |", "|---|---|--:|", *rows]))
    for command, result in failed:
        if result is not None:
            why = (
                f"took longer than {LIMIT_SECONDS:.0f} s" if result.timed_out else f"ended with exit code {result.code}"
            )
            text = f"{command.text} {why}. Run it locally to see the same; its output is in this step's log."
            tools.workflow.annotate(Annotation("error", text, title="Lint"))
    write_report(
        report_folder(tools.environ),
        "lint",
        {
            "schema": "ci-kit/lint/1",
            "commands": [
                {
                    "command": command.text,
                    "exit": None if result is None else result.code,
                    "seconds": None if result is None else round(result.seconds, 3),
                }
                for command, result in done
            ],
        },
    )
    return Exit.NO if failed else Exit.GOOD

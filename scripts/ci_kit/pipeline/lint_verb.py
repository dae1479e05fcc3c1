"""`pipeline lint`: run the consumer's own lint and type-check commands, all of them, and say which failed.

Its job has the project's environment anyway, and is beside the test jobs: so it also collects every test once, which
lets the gate prove that the plan missed none.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit import inputs
from ci_kit.config import Config, load_config
from ci_kit.depth import tiers_of
from ci_kit.errors import CallerMistake, Exit
from ci_kit.github import Annotation, without_runners_own
from ci_kit.inputs import setting
from ci_kit.markdown import code
from ci_kit.markdown import text as plain
from ci_kit.pipeline.collecting import Collected, collect
from ci_kit.process import Completed
from ci_kit.project import read_project
from ci_kit.report import report_folder, write_report
from ci_kit.tools import Tools

LIMIT_SECONDS = 600.0
_QUOTED = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.""", re.DOTALL)
_SHELL = re.compile(r"&&|\|\||[|;&<>]")


@dataclass(frozen=True)
class LintInputs:
    """Inputs of `pipeline lint`."""

    config: Path | None = setting(None, inputs.path, "configuration file (default .github/ci-kit.yml)")
    name: str = setting("ci", inputs.short_name, "name of this call, part of artifact names and cache keys")
    single: bool = setting(False, inputs.boolean, "one job: no other one collects, so there is nothing to compare")
    venv: Path | None = setting(None, inputs.path, "environment whose programs are used (default: PATH)")


@dataclass(frozen=True)
class Command:
    """One lint command: `text` as configured, `argv` its words, `optional` when the kit proposed it itself."""

    text: str
    argv: tuple[str, ...]
    optional: bool


@dataclass(frozen=True)
class Ran:
    """A command and its end; no `result`: its program is not installed."""

    command: Command
    result: Completed | None

    @property
    def failed(self) -> bool:
        """Whether this makes the job red."""
        return not self.command.optional if self.result is None else self.result.code != 0

    @property
    def said(self) -> str:
        """The end in words."""
        if self.result is None:
            return "not installed, not run" if self.command.optional else "not installed"
        if self.result.timed_out:
            return f"took longer than {LIMIT_SECONDS:.0f} s"
        return f"exit {self.result.code}" if self.result.code else "passed"


def commands_of(config: Config, proposed: tuple[str, ...]) -> tuple[Command, ...]:
    """The configured commands, else the proposed ones. Raises `CallerMistake` for a command that needs a shell."""
    found = []
    for index, text in enumerate(proposed if config.lint is None else config.lint):
        try:
            argv = tuple(shlex.split(text))
        except ValueError as error:
            raise _wrong(config, index, text, f"is not a command: {error}.", "Close the quotes.") from error
        if shell := _SHELL.search(_QUOTED.sub("q", text)):
            why = f"uses the shell's {shell[0]!r}, but commands run without a shell."
            raise _wrong(
                config, index, text, why, "Write one command an entry: they all run, and every one must succeed."
            )
        if not argv:
            raise _wrong(config, index, text, "is empty.", "Remove the entry.")
        if variable := re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)=.*", argv[0], re.DOTALL):
            why = f"sets the variable {variable[1]}, but commands run without a shell."
            raise _wrong(config, index, text, why, f"Write `env {argv[0]} …`.")
        found.append(Command(text, argv, optional=config.lint is None))
    return tuple(found)


def _wrong(config: Config, index: int, text: str, why: str, next_step: str) -> CallerMistake:
    return CallerMistake(f"lint[{index}]: {text!r} {why}", next_step=next_step, file=config.file)


def run(given: LintInputs, tools: Tools) -> int:
    """Run every command, whatever the others say; 1 when one says no, 2 when a configured program does not exist."""
    root = tools.event.workspace
    config = load_config(root, given.config)
    commands = commands_of(config, read_project(root).lint)
    theirs = without_runners_own(tools.environ)
    environ = {name: value for name, value in theirs.items() if not name.startswith("CI_KIT_")}
    if given.venv is not None:
        environ["VIRTUAL_ENV"] = str(given.venv)
        environ["PATH"] = f"{given.venv / 'bin'}:{environ.get('PATH', '')}"
    done = [_run(command, root, environ, tools) for command in commands]
    _say(done, tools)
    tiers = () if given.single else tiers_of(config, tools.event.kind)
    collected = list(collect(tiers, root, environ, tools))
    _say_collected(collected, tools)
    report = write_report(report_folder(tools.environ), "lint", _report(given.name, done, collected, tools))
    tools.workflow.output("report", str(report))
    tools.workflow.output("artifact", f"{given.name}-lint-a{tools.event.run_attempt}")
    if absent := [ran.command for ran in done if ran.failed and ran.result is None]:
        raise CallerMistake(
            f"lint: the program {absent[0].argv[0]!r} of {absent[0].text!r} is not installed.",
            next_step="Add it to the project's development dependencies, or correct `lint`.",
            file=config.file,
        )
    return Exit.NO if any(ran.failed for ran in done) else Exit.GOOD


def _run(command: Command, root: Path, environ: Mapping[str, str], tools: Tools) -> Ran:
    name = command.argv[0]
    program = shutil.which(str(root / name) if "/" in name else name, path=environ.get("PATH"))
    if program is None:
        return Ran(command, None)
    with tools.workflow.group(command.text), tools.workflow.foreign_output():
        argv = (program, *command.argv[1:])
        return Ran(command, tools.runner.run(argv, cwd=root, env=environ, timeout_seconds=LIMIT_SECONDS))


def _say(done: list[Ran], tools: Tools) -> None:
    rows = []
    for ran in done:
        seconds = "" if ran.result is None else f"{ran.result.seconds:.1f} s"
        mark = "❌" if ran.failed else "" if ran.result is None else "✅"
        rows.append(f"| {mark} | {code(ran.command.text)} | {ran.said} | {seconds} |")
        tools.workflow.log(f"lint: {ran.command.text}: {ran.said} {seconds}".rstrip())
    failed = [ran for ran in done if ran.failed]
    absent = list(dict.fromkeys(ran.command.argv[0] for ran in done if ran.result is None))
    head = "### ✅ Lint: passed"
    if failed:
        head = f"### ❌ Lint: {len(failed)} of {len(done)} commands failed"
    elif not done:
        head = "### Lint: nothing to run (no `lint` in the configuration, no linter set up)"
    elif all(ran.result is None for ran in done):
        nothing = f"nothing ran: {', '.join(absent)} not installed"
        head = f"### ⚠️ Lint: {nothing}"
        them = "them" if absent[1:] else "it"
        text = f"Lint: {nothing}, though the project sets {them} up. Add {them} to the development dependencies."
        tools.workflow.annotate(Annotation("warning", text, title="Lint"))
    table = ["", "| | Command | Result | Time |", "|:--|:--|:--|--:|", *rows] if rows else []
    tools.workflow.summary("\n".join([head, *table]))
    for ran in failed:
        if ran.result is not None:
            why = ran.said if ran.result.timed_out else f"ended with exit code {ran.result.code}"
            text = f"{ran.command.text} {why}. Run it locally to see the same; its output is in this step's log."
            tools.workflow.annotate(Annotation("error", text, title="Lint"))


def _say_collected(collected: Sequence[Collected], tools: Tools) -> None:
    for tier in collected:
        count = "not collected" if tier.collected is None else f"{len(tier.collected)} tests collected"
        tools.workflow.log(f"tests: {tier.tier}: {count} in {tier.seconds:.1f} s. {tier.note}".rstrip())
    if notes := [f"- {plain(tier.note)}" for tier in collected if tier.note]:
        tools.workflow.summary("\n".join(notes))


def _report(name: str, done: Sequence[Ran], collected: Sequence[Collected], tools: Tools) -> dict[str, object]:
    return {
        "schema": "ci-kit/lint/1",
        "name": name,
        "commit": tools.event.sha,
        "attempt": tools.event.run_attempt,
        "commands": [
            {
                "command": ran.command.text,
                "exit": None if ran.result is None else ran.result.code,
                "seconds": None if ran.result is None else round(ran.result.seconds, 3),
            }
            for ran in done
        ],
        "collection": [
            {
                "tier": tier.tier,
                "digest": None if tier.collected is None else _digest(tier.collected),
                "collected": None if tier.collected is None else list(tier.collected),
                "deselected": list(tier.deselected),
                "seconds": round(tier.seconds, 3),
                "note": tier.note,
            }
            for tier in collected
        ],
    }


def _digest(ids: Sequence[str]) -> str:
    """The same for the same tests in any order."""
    return hashlib.sha256("\0".join(sorted(ids)).encode()).hexdigest()

"""`smoke-and-rollback smoke`: ask a running release whether it is good, and tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit import inputs, secret_env
from ci_kit.errors import CallerMistake, Exit
from ci_kit.github import without_runners_own
from ci_kit.inputs import setting
from ci_kit.report import report_folder, write_report
from ci_kit.smoke_and_rollback import smoke_page
from ci_kit.smoke_and_rollback.http_client import HttpClient
from ci_kit.smoke_and_rollback.load import DEFAULT_PATH, load_spec
from ci_kit.smoke_and_rollback.smoke import run_smoke
from ci_kit.smoke_and_rollback.smoke_result import SmokeResult
from ci_kit.smoke_and_rollback.spec import Spec
from ci_kit.smoke_and_rollback.tokens import Command, NoToken
from ci_kit.tools import Tools

NAME = "smoke-and-rollback"


@dataclass(frozen=True)
class SmokeInputs:
    """Inputs of `smoke-and-rollback smoke`."""

    spec: Path = setting(DEFAULT_PATH, inputs.path, f"the smoke specification (default {DEFAULT_PATH})")
    environment: str = setting("production", inputs.short_name, "name of the environment (default production)")
    variables: tuple[str, ...] = setting((), inputs.lines, "lines NAME=value, variables that are no secrets")
    env: str = setting("", inputs.text, "lines NAME=value of the consumer's secrets", secret=True)


def run(given: SmokeInputs, tools: Tools) -> int:
    """0: the release is good. 1: it is not."""
    temp = report_folder(tools.environ)
    (temp / f"{NAME}.json").unlink(missing_ok=True)  # nothing of an earlier run may pass for this one's
    variables = variables_of(tools, given.variables)
    spec = read_spec(given.spec, given.environment, variables, tools)
    result = smoke(spec, variables, tools)
    path = write_report(temp, NAME, report(spec, result, tools.event.sha))
    workflow = tools.workflow
    for line in smoke_page.lines(spec, result):
        workflow.log(line)
    for annotation in smoke_page.told_in_checks(spec, result):
        workflow.annotate(annotation)
    workflow.summary(smoke_page.markdown(spec, result))
    workflow.output("verdict", "good" if result.ok else "bad")
    workflow.output("version", result.version)
    workflow.output("report", str(path))
    return Exit.GOOD if result.ok else Exit.NO


def variables_of(tools: Tools, lines: Sequence[str]) -> dict[str, str]:
    """The step's variables, those in `lines`, and the consumer's secrets, which are masked from now on."""
    secrets = secret_env.read_secrets(tools.environ, tools.workflow)
    plain = {name: value for name, value in tools.environ.items() if name != secret_env.VARIABLE}
    return {**without_runners_own(plain), **dict(map(_assignment, lines)), **secrets}


def _assignment(line: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise CallerMistake(f"input variables: {line!r} is not NAME=value.", next_step="Write one a line.")
    return name, value


def read_spec(path: Path, environment: str, variables: Mapping[str, str], tools: Tools) -> Spec:
    """The specification; every secret in it is masked. Raises `CallerMistake` when it is not there, or wrong."""
    here = tools.event.workspace
    found = here / path
    if not found.is_file():
        raise CallerMistake(
            f"input spec: there is no file {path}.",
            next_step="Write one; docs/smoke.md describes it. Check the repository out before this step.",
        )
    shown = found.relative_to(here).as_posix() if found.is_relative_to(here) else str(found)
    spec = load_spec(found, variables, env_name=environment, shown=shown)
    for secret in spec.secrets:
        tools.workflow.mask(secret)
    return spec


def smoke(spec: Spec, variables: Mapping[str, str], tools: Tools) -> SmokeResult:
    """Run it with real HTTP."""
    client = HttpClient(
        spec.target.base_url, spec.limits, tools.clock, headers=spec.target.headers, environ=tools.environ
    )
    try:
        return run_smoke(spec, client, tools.clock, command=_command(variables, tools), mask=tools.workflow.mask)
    finally:
        client.close()


def report(spec: Spec, result: SmokeResult, sha: str) -> dict[str, Any]:
    """The report's data (`schemas/smoke-and-rollback.json`)."""
    return {
        "schema": f"ci-kit/{NAME}/1",
        "environment": spec.environment,
        "target": spec.target.base_url,
        "sha": sha,
        "expected-version": spec.target.expect_version.equals,
        "verdict": "good" if result.ok else "bad",
        "skipped": list(spec.skipped),
        "smoke": result.as_json(),
    }


def _command(variables: Mapping[str, str], tools: Tools) -> Command:
    """Runs a consumer's command. What it prints may be a token, so no part of it is shown, whatever happens."""

    def run_it(argv: tuple[str, ...], seconds: float) -> str:
        done = tools.runner.run(
            argv, timeout_seconds=seconds, cwd=tools.event.workspace, env=dict(variables), stream=False
        )
        if done.timed_out:
            raise NoToken(f"the command took longer than {seconds:g} s")
        if done.code:
            raise NoToken(f"the command ended with exit code {done.code}; its output is not shown, it may hold a token")
        return done.output

    return run_it

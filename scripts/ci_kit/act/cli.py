"""`ci-kit act run`: a consumer's workflows on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ci_kit import report
from ci_kit.act.copies import Wanted
from ci_kit.act.request import Request
from ci_kit.act.run import run_act
from ci_kit.errors import CallerMistake
from ci_kit.inputs import boolean, choice, duration, integer, lines, path, setting, text, words
from ci_kit.tools import Tools, Verb


@dataclass(frozen=True)
class ActInputs:
    """The options of `act run`. Several values of one option are separated by blanks."""

    repo: Path = setting(Path(), path, "the repository to run (default: the current folder)")
    event: str = setting("push", text, "push, pull_request, workflow_dispatch, schedule, …")
    workflow: str = setting("", text, "only this workflow file")
    job: str = setting("", text, "only this job of the workflow (called jobs cannot be chosen)")
    matrix: tuple[str, ...] = setting((), words, "only legs with these values: key:value, separated by blanks")
    secret: tuple[str, ...] = setting(
        (), words, "names of secrets, separated by blanks; their values come from the environment"
    )
    var: tuple[str, ...] = setting((), lines, "configuration variables: name=value, one a line")
    # Not `env`: CI_KIT_ENV is the secret that consumers pass to the kit's workflows.
    job_env: tuple[str, ...] = setting((), lines, "further environment of every job: name=value, one a line")
    input: tuple[str, ...] = setting((), lines, "inputs of workflow_dispatch: name=value, one a line")
    container: str = setting("", text, "run jobs in this local image instead of on this machine")
    actions: str = setting("auto", choice("auto", "genuine", "stand-ins"), "auto: genuine where github.com is reached")
    services: str = setting("auto", choice("auto", "none"), "auto: local servers for services; none: start nothing")
    branch: str = setting("", text, "the branch that is pushed, or the pull request's own")
    base: str = setting("", text, "the branch that the pull request goes into")
    default_branch: str = setting("", text, "the repository's default branch")
    tag: str = setting("", text, "push this tag instead of a branch")
    repository: str = setting("", text, "owner/name (default: from the remote origin)")
    number: int = setting(1, integer(1, 10**9), "the pull request's number")
    label: tuple[str, ...] = setting((), words, "labels of the pull request, separated by blanks")
    fork: bool = setting(False, boolean, "true: the pull request comes from a fork, without secrets")
    output: Path | None = setting(None, path, "where the report, summaries and artifacts go (default: .ci-kit/act)")
    cache: Path | None = setting(
        None, path, "where actions/cache keeps its entries between runs (default: the user's cache folder)"
    )
    # Not `timeout`: that is the launcher's for every verb, and ends the command without a report.
    limit: float = setting(3600.0, duration, "the time limit of the run (default: 1h)")
    jobs: int = setting(0, integer(0, 64), "how many jobs at once (default: as many as processors)")
    verbose: bool = setting(False, boolean, "true: show every line that steps print")


def run(inputs: ActInputs, tools: Tools) -> int:
    """Run the workflows; the exit code is the verdict's."""
    missing = [name for name in inputs.secret if name not in tools.environ]
    if missing or any("=" in name for name in inputs.secret):
        raise CallerMistake(
            f"secret {', '.join(name.split('=')[0] for name in missing)}: not in the environment.",
            next_step="Give --secret the name only, and set the environment variable of that name to the value.",
        )
    wanted = Wanted(
        event=inputs.event,
        branch=inputs.branch,
        base=inputs.base,
        default_branch=inputs.default_branch,
        repository=inputs.repository,
        number=inputs.number,
        labels=inputs.label,
        fork=inputs.fork,
        inputs=tuple(_pairs("input", inputs.input).items()),
        tag=inputs.tag,
    )
    request = Request(
        repo=inputs.repo,
        wanted=wanted,
        workflow=inputs.workflow,
        job=inputs.job,
        matrix=inputs.matrix,
        secrets={name: tools.environ[name] for name in inputs.secret},
        variables=_pairs("var", inputs.var),
        env=_pairs("job-env", inputs.job_env),
        container=inputs.container,
        actions=inputs.actions,
        services=inputs.services,
        output=inputs.output or report.report_folder(tools.environ) / "act",
        cache=inputs.cache,
        limit_seconds=inputs.limit,
        at_once=inputs.jobs,
        verbose=inputs.verbose,
    )
    result = run_act(
        request, kit_root=tools.kit_root, environ=tools.environ, runner=tools.runner, write=tools.workflow.log
    )
    tools.workflow.log(f"report: {result.folder / 'act.json'}")
    return int(result.exit)


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise CallerMistake(f"--{option} {pair!r} is not name=value.", next_step=f"Write --{option} NAME=VALUE.")
        found[name] = value
    return found


VERBS = {"run": Verb(run, ActInputs, "run a repository's workflows on this machine, without GitHub")}

"""`ci-kit smoke-and-rollback deploy`: deploy a release, prove it good or take it back, and tell how it ended."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import CallerMistake, Exit, KitError
from ci_kit.inputs import boolean, duration, lines, path, setting, short_name, text
from ci_kit.report import report_folder, write_report
from ci_kit.smoke_and_rollback import telling
from ci_kit.smoke_and_rollback.conclude import conclude
from ci_kit.smoke_and_rollback.deploy_say import NAME, Outcome, say
from ci_kit.smoke_and_rollback.deployment import Deployment
from ci_kit.smoke_and_rollback.deployment_state import Phase, Record
from ci_kit.smoke_and_rollback.ending import Ending, exit_code, in_a_drill
from ci_kit.smoke_and_rollback.gate import require_green
from ci_kit.smoke_and_rollback.journal import Journal
from ci_kit.smoke_and_rollback.load import DEFAULT_PATH
from ci_kit.smoke_and_rollback.notify.event import Kind
from ci_kit.smoke_and_rollback.owners import has_ended
from ci_kit.smoke_and_rollback.parts import Asked
from ci_kit.smoke_and_rollback.recovery import Recovered, recover
from ci_kit.smoke_and_rollback.setting import Setting, Where
from ci_kit.smoke_and_rollback.target_state import LEASE_SECONDS
from ci_kit.tools import Tools

_LONGEST = LEASE_SECONDS - 300.0


@dataclass(frozen=True)
class DeployInputs:
    """What `deploy` can be told."""

    spec: Path = setting(DEFAULT_PATH, path, f"smoke specification (default: {DEFAULT_PATH})")
    environment: str = setting("production", short_name, "environment that is deployed to (default: production)")
    release: str = setting("", text, "name of the release (default: the commit)")
    command: str = setting("", text, "the deploy command and its arguments; no shell reads it")
    command_timeout: float = setting(900.0, duration, "time limit of the deploy command (default: 15m, at most 25m)")
    drill: bool = setting(False, boolean, "run `drill-command` instead, and expect that its build is found to be bad")
    drill_command: str = setting("", text, "the command that deploys a build that is bad on purpose")
    gate: str = setting("", text, "check that must be green on the commit, such as `ci / gate` (default: none)")
    variables: tuple[str, ...] = setting((), lines, "lines NAME=value, variables that are no secrets")
    github_token: str = setting("", text, "token for GitHub's API", secret=True)


def deploy(inputs: DeployInputs, tools: Tools) -> int:
    """Refuse, or deploy and answer how it ended."""
    (report_folder(tools.environ) / f"{NAME}.json").unlink(
        missing_ok=True
    )  # nothing of an earlier run passes for this one's
    command = _command(inputs)
    this = Setting(Where(inputs.spec, inputs.environment, inputs.release, inputs.github_token, inputs.variables), tools)
    if inputs.gate not in {"", "none"}:
        require_green(this.api, this.commit, inputs.gate)
    asked = asked_of(this, tools, drill=inputs.drill)
    broken = [each for each in telling.check(this.channels, this.spec.secrets) if each.error]
    notes = [f"The channel {each.channel} does not work: {each.error}" for each in broken]
    with locked(this, tools):
        known = this.strategy.state.is_quarantined(this.release)
        if known is not None:
            raise CallerMistake(
                f"release {this.release} is quarantined since {known.at:%Y-%m-%d %H:%M} UTC: {known.why}",
                next_step="Deploy another commit. If it was not to blame, let the verb finish `allow` it.",
            )
        recovered = recover(this.parts(), asked, this.strategy.state.read().record)
        if recovered.ending is not None and recovered.ending.kind is Kind.ROLLBACK_FAILED:
            return told_of(this, tools, recovered)
        if recovered.ending is not None:
            notes.append(f"First an earlier deployment was finished ({recovered.ending.kind}): {recovered.why}")
        this.told.clear()
        this.smokes.clear()
        ending, journal = _deployed(this, asked, command, inputs.command_timeout)
    return finished(this, tools, ending, journal, [*this.spec.skipped, *notes], drill=inputs.drill)


def _command(inputs: DeployInputs) -> list[str]:
    name = "drill-command" if inputs.drill else "command"
    try:
        command = shlex.split(inputs.drill_command if inputs.drill else inputs.command)
    except ValueError as error:
        raise CallerMistake(f"input {name}: {error}.", next_step="Close every quote; no shell reads it.") from error
    if not command:
        raise CallerMistake(f"input {name}: there is none.", next_step="Pass the program that deploys the release.")
    if not 0 < inputs.command_timeout <= _LONGEST:
        raise CallerMistake(
            f"input command-timeout: expected at most {_LONGEST / 60:.0f}m, which the target's lock lasts.",
            next_step="Give a shorter limit.",
        )
    return command


def asked_of(this: Setting, tools: Tools, *, drill: bool = False) -> Asked:
    """What the specification and the inputs ask for."""
    spec = this.spec
    return Asked(
        release=this.release,
        version=spec.target.expect_version.equals,
        commit=this.commit,
        repository=tools.event.repository,
        environment=spec.environment,
        strategy=this.rollback.strategy,
        steps=spec.canary.steps,
        inconclusive="hold" if spec.metrics is None else spec.metrics.inconclusive,
        can_roll_back=this.rollback.schema == "compatible",
        rollback_seconds=this.rollback.timeout_seconds,
        drill=drill,
    )


@contextmanager
def locked(this: Setting, tools: Tools) -> Iterator[None]:
    """Hold the target's lock. A run that is ended by a signal keeps it, so that `finish` may take up what is left."""
    state = this.strategy.state
    state.lock(this.owner, lambda owner: has_ended(this.api, owner))
    try:
        yield
    except Exception:
        _unlock(this, tools)
        raise
    _unlock(this, tools)


def _unlock(this: Setting, tools: Tools) -> None:
    try:
        this.strategy.state.unlock(this.owner)
    except KitError as error:
        tools.workflow.log(f"The lock at the target could not be given back: {error}")


def _deployed(this: Setting, asked: Asked, command: list[str], seconds: float) -> tuple[Ending, Journal]:
    """See that a rollback and the watch will work and what runs now; then deploy."""
    this.strategy.preflight()
    version = this.version()
    this.know_the_version_before(version)
    this.try_the_metrics(first=not version)
    parts, before = this.parts(command, seconds), this.strategy.snapshot()
    record = Record(
        phase=Phase.PREPARED,
        owner=this.owner,
        since=parts.clock.now(),
        environment=asked.environment,
        release=asked.release,
        before=before,
        can_roll_back=asked.can_roll_back,
        version_before=version,
    )
    journal = Journal(this.strategy.state, record, this.owner, parts.clock, parts.say)
    journal.begin(Phase.PREPARED)
    ending = Deployment(parts, asked, journal, before).run()
    ending = in_a_drill(ending) if asked.drill else ending
    conclude(parts, asked, journal, ending)
    return ending, journal


def finished(this: Setting, tools: Tools, ending: Ending, journal: Journal, notes: list[str], *, drill: bool) -> int:
    """Write the report and say it; the exit code."""
    code: Exit = exit_code(ending, drill=drill)
    outcome = Outcome(ending, journal.record, journal.steps, this.told, this.smokes, notes, drill, code)
    report = write_report(report_folder(tools.environ), NAME, outcome.as_json())
    say(tools.workflow, outcome, report)
    return code


def told_of(this: Setting, tools: Tools, recovered: Recovered) -> int:
    """An earlier deployment that was finished here is all that there is to say."""
    if recovered.ending is None or recovered.journal is None:
        tools.workflow.log(f"Nothing is left to finish: {recovered.why}.")
        return Exit.GOOD
    return finished(this, tools, recovered.ending, recovered.journal, [recovered.why], drill=False)

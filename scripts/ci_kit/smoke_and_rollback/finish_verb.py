"""`ci-kit smoke-and-rollback finish`: what an interrupted run has left, and what a person decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import CallerMistake, Exit
from ci_kit.inputs import choice, lines, path, setting, short_name, text
from ci_kit.smoke_and_rollback.deploy_verb import asked_of, locked, told_of
from ci_kit.smoke_and_rollback.deployment_state import Owner
from ci_kit.smoke_and_rollback.load import DEFAULT_PATH
from ci_kit.smoke_and_rollback.recovery import Decision, decide, recover
from ci_kit.smoke_and_rollback.setting import Setting, Where
from ci_kit.smoke_and_rollback.target_document import TargetDocument
from ci_kit.tools import Tools

DECISIONS: dict[str, Decision] = {"promote": "promote", "rollback": "rollback", "forget": "forget"}


@dataclass(frozen=True)
class FinishInputs:
    """What `finish` can be told."""

    spec: Path = setting(DEFAULT_PATH, path, f"smoke specification (default: {DEFAULT_PATH})")
    environment: str = setting("production", short_name, "environment that was deployed to (default: production)")
    release: str = setting("", text, "name of the release (default: the commit)")
    decision: str = setting(
        "auto",
        choice("auto", "any", "allow", *DECISIONS),
        "auto: finish what this run has left; any: what any run has left; promote, rollback or forget a deployment that "
        "waits; allow a quarantined release (default: auto)",
    )
    variables: tuple[str, ...] = setting((), lines, "lines NAME=value, variables that are no secrets")
    github_token: str = setting("", text, "token for GitHub's API", secret=True)


def finish(inputs: FinishInputs, tools: Tools) -> int:
    """Finish, or explain."""
    this = Setting(Where(inputs.spec, inputs.environment, inputs.release, inputs.github_token, inputs.variables), tools)
    state = this.strategy.state
    if inputs.decision == "auto" and not _is_ours(state.read(), this.owner):
        tools.workflow.log("This run has left nothing to finish.")
        return Exit.GOOD
    asked = asked_of(this, tools)
    with locked(this, tools):
        if inputs.decision == "allow":
            if state.is_quarantined(this.release) is None:
                raise CallerMistake(
                    f"input release: {this.release} is not quarantined here.",
                    next_step="Pass the name that the refusal showed.",
                )
            state.allow(this.release)
            tools.workflow.log(f"{this.release} may be deployed again.")
            return Exit.GOOD
        record = state.read().record
        if inputs.decision in DECISIONS:
            recovered = decide(this.parts(), asked, record, DECISIONS[inputs.decision])
        else:
            recovered = recover(this.parts(), asked, record)
    return told_of(this, tools, recovered)


def _is_ours(document: TargetDocument, owner: Owner) -> bool:
    """The record is of this run, or this run was working on another one's when it was interrupted."""
    holders = [document.lock.owner] if document.lock else []
    owners = holders + ([document.record.owner] if document.record else [])
    return any((each.run, each.attempt) == (owner.run, owner.attempt) for each in owners)

"""One deployment from the deploy command to its end. Each act is recorded at the target before it begins.

Whatever is raised in between, once the deploy command has begun, leads to the rollback: a release that could not be
proven good is not left in place. Only a lost lock ends the run at once, because then another run acts here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ci_kit.errors import KitError
from ci_kit.smoke_and_rollback.deployment_state import Phase, Snapshot
from ci_kit.smoke_and_rollback.ending import Ending, Times
from ci_kit.smoke_and_rollback.journal import Journal
from ci_kit.smoke_and_rollback.judge import consequence
from ci_kit.smoke_and_rollback.notify.event import Kind
from ci_kit.smoke_and_rollback.parts import Asked, Parts
from ci_kit.smoke_and_rollback.restore import take_back
from ci_kit.smoke_and_rollback.target_errors import LostLock, NoCanary


class Bad(Exception):
    """The release must not stay; the message is a sentence. `detected`: it is bad, and not merely unproven."""

    def __init__(self, why: str, *, detected: bool) -> None:
        super().__init__(why)
        self.why = why
        self.detected = detected


class Deployment:
    """`journal` holds the record of phase PREPARED, which is written; `before` is its snapshot."""

    def __init__(self, parts: Parts, asked: Asked, journal: Journal, before: Snapshot) -> None:
        self._parts = parts
        self._asked = asked
        self._journal = journal
        self._before = before
        self._deployed_at = parts.clock.monotonic()
        self._times = Times()

    def run(self) -> Ending:
        """Deploy, prove, promote or take back; raises `LostLock`."""
        try:
            ending = self._deploy() or self._prove() or self._watch() or self._promote()
        except LostLock:
            raise
        except Bad as bad:
            return self._taken_back(bad.why, detected=bad.detected)
        except KitError as error:
            return self._taken_back(f"It could not be proven good: {error.message}", detected=False)
        except Exception as error:  # noqa: BLE001 - a defect of the kit's own must not leave an unproven release live
            why = f"It could not be proven good: a defect of ci-kit, {type(error).__name__}."
            return self._taken_back(why, detected=False)
        return replace(ending, times=self._times)

    def _deploy(self) -> Ending | None:
        parts, began = self._parts, self._parts.clock.monotonic()
        variables = parts.strategy.deploy_environment(self._before)
        self._journal.begin(Phase.DEPLOYING)
        failed = self._commanded(variables)
        self._deployed_at = parts.clock.monotonic()
        self._times = replace(self._times, deploy=self._deployed_at - began)
        if not failed:
            return None
        if parts.strategy.changed(self._before):
            raise Bad(f"The deploy command {failed}, and had changed the target.", detected=False)
        why = f"The deploy command {failed}; the target is as it was."
        return Ending(Kind.NOT_DEPLOYED, why, "Its output in the log says why.")

    def _commanded(self, variables: Mapping[str, str]) -> str:
        """What went wrong with the deploy command, or nothing."""
        try:
            done = self._parts.command({**variables, "CI_KIT_RELEASE": self._asked.release})
        except KitError as error:
            return f"could not be run ({error.message.rstrip('.')})"
        if done.timed_out:
            return "took too long"
        return f"ended with exit code {done.code}" if done.code else ""

    def _prove(self) -> Ending | None:
        after = self._parts.strategy.snapshot()
        self._journal.begin(Phase.SMOKING, after=after)
        if after.artifact is not None and after.artifact != self._before.artifact:
            known = self._parts.strategy.state.is_quarantined(after.artifact)
            if known is not None:
                raise Bad(f"{after.artifact} is quarantined: {known.why}", detected=True)
        proof = self._parts.prove(self._asked.version, True)
        if not proof.ok:
            raise Bad(f"The smoke run says no: {proof.why}.", detected=True)
        return None

    def _watch(self) -> Ending | None:
        for percent in self._asked.steps:
            if self._parts.watch is None and percent == 100:
                break  # the promotion gives it all
            self._journal.begin(Phase.CANARY, why=f"{percent} % of the traffic")
            self._weight(percent)
            if self._parts.watch is None:
                continue
            verdict = self._parts.watch(percent)
            self._parts.say(f"At {percent} %: {verdict.kind}. {verdict.why}")
            what = consequence(verdict, self._asked.inconclusive)
            if what == "rollback" or (what == "hold" and self._asked.drill):
                raise Bad(f"At {percent} % of the traffic: {verdict.why}", detected=verdict.kind == "fail")
            if what == "hold":
                return self._hold(f"At {percent} % of the traffic, {verdict.kind}: {verdict.why}")
        return None

    def _weight(self, percent: int) -> None:
        try:
            self._parts.strategy.weight(percent, self._before)
        except NoCanary:
            if percent != 100:
                raise

    def _hold(self, why: str) -> Ending:
        self._journal.begin(Phase.HELD, why=why)
        by_hand = "Look at the release. Then let the verb finish `promote` it or `rollback`: see docs/deploy.md."
        return Ending(Kind.HELD, why, by_hand)

    def _promote(self) -> Ending:
        if self._asked.drill:
            raise Bad("Nothing was found wrong with it.", detected=False)
        self._journal.begin(Phase.PROMOTING, why="")
        self._weight(100)
        self._journal.begin(Phase.PROMOTED)
        return Ending(Kind.PROMOTED, "Every check passed.")

    def _taken_back(self, why: str, *, detected: bool) -> Ending:
        times = replace(self._times, detect=self._parts.clock.monotonic() - self._deployed_at)
        if self._journal.record.can_roll_back:
            return take_back(self._parts, self._asked, self._journal, self._before, why, detected=detected, times=times)
        return Ending(
            Kind.NOT_ROLLED_BACK,
            why,
            "The schema change is breaking: deploy a release that works with the new schema.",
            detected,
            times,
        )

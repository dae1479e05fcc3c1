"""What a deployment says: report, outputs, summary, annotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.errors import Exit
from ci_kit.github import Annotation, Workflow
from ci_kit.markdown import cell, code, text
from ci_kit.smoke_and_rollback.deployment_state import Record
from ci_kit.smoke_and_rollback.ending import Ending
from ci_kit.smoke_and_rollback.journal import Step
from ci_kit.smoke_and_rollback.notify.event import HEADLINES, Kind
from ci_kit.smoke_and_rollback.smoke_result import SmokeResult
from ci_kit.smoke_and_rollback.telling import Told

NAME = "deployment"
_SIGNS = {Kind.PROMOTED: "✅", Kind.ROLLED_BACK: "⏪", Kind.HELD: "✋"}


@dataclass(frozen=True)
class Outcome:
    """One deployment that has ended, or was finished here."""

    ending: Ending
    record: Record
    steps: Sequence[Step]
    told: Sequence[Told]
    smokes: Sequence[tuple[str, SmokeResult]]
    notes: Sequence[str]
    drill: bool
    code: Exit

    @property
    def untold(self) -> bool:
        """Bad news that reached nobody."""
        return self.ending.kind is not Kind.PROMOTED and not any(t.reaches_people and not t.error for t in self.told)

    def as_json(self) -> dict[str, Any]:
        """The report."""
        times, record = self.ending.times, self.record
        return {
            "schema": f"ci-kit/{NAME}/1",
            "verdict": str(self.ending.kind),
            "exit-code": int(self.code),
            "why": self.ending.why,
            "by-hand": self.ending.by_hand,
            "detected": self.ending.detected,
            "drill": self.drill,
            "environment": record.environment,
            "release": record.release,
            "before": None if record.before is None else record.before.identity,
            "after": None if record.after is None else record.after.identity,
            "version-before": record.version_before,
            "seconds": {
                name: None if value is None else round(value, 3)
                for name, value in (
                    ("deploy", times.deploy),
                    ("detect", times.detect),
                    ("rollback", times.rollback),
                    ("recover", times.recover),
                )
            },
            "steps": [{"phase": str(step.phase), "at": step.at_seconds, "why": step.why} for step in self.steps],
            "smoke": [
                {
                    "version": version,
                    "ok": found.ok,
                    "why": found.why,
                    "answered": found.answered,
                    "retries": found.retries,
                    "seconds": round(found.seconds, 3),
                }
                for version, found in self.smokes
            ],
            "told": [{"channel": told.channel, "error": told.error} for told in self.told],
            "notes": list(self.notes),
        }


def say(workflow: Workflow, outcome: Outcome, report: Path) -> None:
    """Everything that people and later steps see."""
    ending, times = outcome.ending, outcome.ending.times
    workflow.output("verdict", str(ending.kind))
    workflow.output("report", str(report))
    workflow.output("detect-seconds", _number(times.detect if ending.detected else None))
    workflow.output("recover-seconds", _number(times.recover))
    workflow.log(f"{_headline(outcome)}. {ending.why} {ending.by_hand}".strip())
    for told in outcome.told:
        workflow.log(f"Told by {told.channel}: {told.error or 'yes'}")
    if outcome.untold:
        workflow.annotate(Annotation("error", "Nobody could be told of this: every channel failed.", title="ci-kit"))
    if outcome.code:
        workflow.annotate(
            Annotation("error", f"{_headline(outcome)}. {ending.why} {ending.by_hand}".strip(), title="ci-kit")
        )
    workflow.summary(summary(outcome))


def summary(outcome: Outcome) -> str:
    """The page of the step."""
    ending, record = outcome.ending, outcome.record
    sign = _SIGNS.get(ending.kind, "🚨")
    drill = " (drill)" if outcome.drill else ""
    rows = [f"## {sign} {text(_headline(outcome))}{drill}", "", text(ending.why)]
    if ending.by_hand:
        rows += ["", f"**What to do:** {text(ending.by_hand)}"]
    if outcome.untold:
        rows += ["", "**Nobody could be told of this: every channel failed.**"]
    facts = (
        ("Release", record.release),
        ("Before", "" if record.before is None else record.before.identity),
        ("Version before", record.version_before),
        ("After", "" if record.after is None else record.after.identity),
    )
    rows += ["", "| | |", "|---|---|", *(f"| {name} | {code(value)} |" for name, value in facts if value)]
    times = (
        ("The deploy command took", ending.times.deploy),
        ("Found to be bad after", ending.times.detect if ending.detected else None),
        ("Put back after", ending.times.rollback),
        ("Put back and proven after", ending.times.recover),
    )
    rows += [f"| {name} | {value:.1f} s |" for name, value in times if value is not None]
    rows += ["", "| phase | at | |", "|---|---|---|"]
    rows += [f"| {s.phase} | {s.at_seconds:.1f} s | {cell(s.why)} |" for s in outcome.steps]
    if outcome.smokes:
        rows += ["", "| smoke run for | verdict | answers | time |", "|---|---|---|---|"]
        rows += [
            f"| {code(version[:40])} | {'good' if found.ok else cell(found.why)} | {found.answered} "
            f"| {found.seconds:.1f} s |"
            for version, found in outcome.smokes
        ]
    if outcome.told:
        rows += ["", "| channel | told |", "|---|---|"]
        rows += [f"| {t.channel} | {cell(t.error) if t.error else 'yes'} |" for t in outcome.told]
    rows += [f"\n> {text(note)}" for note in outcome.notes]
    return "\n".join(rows) + "\n"


def _headline(outcome: Outcome) -> str:
    record = outcome.record
    return HEADLINES[outcome.ending.kind].format(release=record.release[:12], environment=record.environment)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

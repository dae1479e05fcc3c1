"""Everything that is judged of a run's coverage: thresholds, the change, the step back; and what to cover first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ci_kit.base import Base, NoBase
from ci_kit.config import Config
from ci_kit.coverage_combine.advice import Advice, advice_for, advice_on_regression
from ci_kit.coverage_combine.blocks import Block, blocks
from ci_kit.coverage_combine.changed import Changed, changed_since
from ci_kit.coverage_combine.compared import Compared, Measured, compare
from ci_kit.coverage_combine.gates import Judgement, judge
from ci_kit.coverage_combine.numbers import Counts, FileCoverage
from ci_kit.coverage_combine.untouched import Shift
from ci_kit.tools import Tools

PARTIAL = "Only affected tests ran (test.select: affected), so no threshold of coverage is judged."


@dataclass(frozen=True)
class Asked:
    """What to judge by: the least `total` and the configuration. `partial`: tests were left out, so nothing is asked."""

    total: float
    config: Config
    partial: bool
    history: Path | None

    @property
    def patch(self) -> bool:
        """Changed lines are to be judged."""
        return self.config.coverage.patch is not None and not self.partial

    @property
    def regression(self) -> bool:
        """Coverage must not fall."""
        return self.config.coverage.regression == "forbid" and not self.partial


@dataclass(frozen=True)
class Judged:
    """The verdict. `changed` and `compared` are None where there is nothing to look at.

    `uncovered_changes` are the blocks of changed code that no test ran, the largest first.
    """

    judgement: Judgement
    changed: Changed | None
    compared: Compared | None
    forbidden: bool
    uncovered_changes: tuple[Block, ...]
    advice: tuple[Advice, ...]
    notes: tuple[str, ...] = ()

    @property
    def regressed(self) -> bool:
        """Coverage fell, and that is forbidden."""
        step = self.compared.regression if self.compared else None
        return self.forbidden and step is not None and not step.passed

    @property
    def failures(self) -> int:
        """How many gates say no; all files under their floor are one."""
        return len({gate.kind if gate.kind == "file" else gate.name for gate in self.judgement.failed}) + self.regressed


def judge_all(asked: Asked, measured: Measured, base: Base | NoBase, here: Path, tools: Tools) -> Judged:
    """Judge what is `measured` in the checkout `here`."""
    settings = asked.config.coverage
    if asked.partial:  # of a part of the tests no threshold can be asked
        settings = replace(settings, components=(), file_floor=0.0, patch=None, regression="allow")
    changed = changed_since(base, here, measured.data, tools) if isinstance(base, Base) else None
    compared = None if asked.partial else compare(asked.history, measured, settings, here, tools)
    judgement = judge(
        measured.files,
        settings,
        0.0 if asked.partial else asked.total,
        asked.config.file,
        changed.patch if changed else None,
        base.why if isinstance(base, NoBase) else "",
        compared.why if compared else "",
    )
    touched = changed.patch.files if changed else ()
    found = Judged(
        judgement=judgement,
        changed=changed,
        compared=compared,
        forbidden=asked.regression,
        uncovered_changes=tuple(sorted(blocks(touched, measured.data), key=lambda block: -block.gain)),
        advice=advice_for(judgement.failed, settings.components, measured.files, touched, measured.data),
        notes=tuple(_notes(asked, base, compared)),
    )
    return replace(found, advice=(*found.advice, *_advice_on_step(found, measured)))


def _notes(asked: Asked, base: Base | NoBase, compared: Compared | None) -> list[str]:
    notes = [PARTIAL] if asked.partial else list(compared.notes if compared else ())
    if isinstance(base, NoBase) and base.fault:  # what the caller could do to see more
        notes.append(f"Changed lines are not shown: {base.why} {base.next_step}")
    return notes


def _advice_on_step(found: Judged, measured: Measured) -> list[Advice]:
    step = found.compared.regression if found.compared else None
    if step is None or not found.regressed:
        return []
    shifts = found.compared.untouched.files if found.compared and found.compared.untouched else ()
    lost = _missing({file.path: file for file in (found.changed.patch.files if found.changed else ())}, shifts)
    worse = {loss.path for loss in step.lost}
    everything = [file for file in measured.files if file.path in worse] if worse else measured.files
    return [advice_on_regression(step.short_by, lost, everything, measured.data)]


def _missing(changed: Mapping[str, FileCoverage], shifts: tuple[Shift, ...]) -> list[FileCoverage]:
    """What the change itself left uncovered, and what it uncovered elsewhere, as files of which only that is missing."""
    found = dict(changed)
    for shift in shifts:
        mine = found.get(shift.path)
        lines, branches = (mine.missing_lines, mine.missing_branches) if mine else ((), ())
        found[shift.path] = FileCoverage(
            shift.path,
            mine.counts if mine else Counts(),
            tuple(sorted({*lines, *shift.lost_lines})),
            tuple(sorted({*branches, *shift.lost_branches})),
        )
    return [found[path] for path in sorted(found)]

"""This run against what the default branch had: what survives newly, and whether a score has fallen."""

from __future__ import annotations

from collections.abc import Sequence

from ci_kit.selective_mutation.before import Compared, find_before
from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.prepare import Ready
from ci_kit.selective_mutation.ratchet import judge_ratchet
from ci_kit.selective_mutation.survivors import new_survivors
from ci_kit.tools import Tools


def compare(judged: Sequence[Judged], ready: Ready, tools: Tools) -> Compared:
    """Find the run to compare with, and compare."""
    plan, seen = ready.plan, ready.seen
    before = find_before(plan.records, plan.lost, ready.here, tools)
    if before.record is None:
        return Compared(before)
    changed = {name: change.changed_lines() for name, change in seen.files.items()}
    new = new_survivors(judged, before.record.files, seen.renamed, changed)
    if ready.config.mutation.ratchet != "hold":
        return Compared(before, new)
    whole = ready.targets.sources.keys() - ready.generated.refused.keys()
    if ready.targets.wanted is not None:
        files = before.record.files
        critical = (
            path for path in sorted(whole) if (file := files.get(seen.renamed.get(path, path))) and file.critical
        )
        return Compared(before, new, unseen=tuple(critical))
    own_change = not tools.event.on_default_branch
    return Compared(before, new, judge_ratchet(judged, whole, before.record, seen.renamed, own_change=own_change))

"""What a run of the default branch leaves for later ones."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from ci_kit.git import checked_out
from ci_kit.mutation_decision import is_critical
from ci_kit.selective_mutation.estimate import costs_of
from ci_kit.selective_mutation.judging import Counts, Judged
from ci_kit.selective_mutation.prepare import Ready
from ci_kit.selective_mutation.ratchet import Hold, held_by
from ci_kit.selective_mutation.records import NAME, FileRecord, Records, RunRecord, read_records, write_records
from ci_kit.selective_mutation.result import Result
from ci_kit.selective_mutation.shard import Tried
from ci_kit.tools import Tools
from ci_kit.trend import Point

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


def remember(result: Result, ready: Ready, tried: Tried, tools: Tools) -> Path | None:
    """The folder that the cache is to keep; None where this run leaves nothing.

    Only runs of the default branch do, that mutated whole files and reached a verdict: what a pull request says about
    itself holds for nobody else.
    """
    commit = checked_out(tools)
    partial = ready.targets.wanted is not None
    if not tools.event.on_default_branch or ready.config.history == "none" or partial or not result.counts.valid:
        return None
    if not _COMMIT.fullmatch(commit):
        return None
    # The newest records may be newer than those that the plan has.
    newest, _ = read_records(ready.history / NAME)
    records = newest if newest.runs else ready.plan.records
    record = RunRecord(
        run=tools.event.run_id,
        attempt=tools.event.run_attempt,
        commit=commit,
        at=tools.clock.now().isoformat(timespec="seconds"),
        detected=result.counts.detected,
        valid=result.counts.valid,
        seconds=result.seconds,
        fixed_seconds=tried.fixed_seconds,
        files=dict(_files(result, ready)),
    )
    write_records(ready.history, records.with_run(record, costs_of(_taken(result.judged))))
    return ready.history


def points(records: Records, now: Counts, tools: Tools) -> tuple[Point, ...]:
    """The score of each remembered run and of this one, oldest first."""
    runs = [run for run in records.runs if run.valid and run.run != tools.event.run_id]
    before = [Point(run.commit, 10_000 * run.detected // run.valid) for run in runs]
    return (*before, *([Point(tools.event.sha, 10_000 * now.detected // now.valid)] if now.valid else []))


def _files(result: Result, ready: Ready) -> Iterator[tuple[str, FileRecord]]:
    of: dict[str, list[Judged]] = defaultdict(list)
    for each in result.judged:
        of[each.mutant.path].append(each)
    holds: Mapping[str, Hold] = {hold.path: hold for hold in (result.compared.holds if result.compared else ())}
    before = result.compared.before.record if result.compared else None
    for path in ready.targets.sources.keys() - ready.generated.refused.keys():
        own, pending = held_by(of[path])
        hold = holds.get(path)
        # What has fallen is held to what it was, until it is there again or somebody lets it go.
        stays = hold is not None and hold.state in {"fallen", "unknown"}
        old = before.files.get(ready.seen.renamed.get(path, path)) if before and stays else None
        critical = is_critical(path, ready.seen.decision.targets)
        yield path, FileRecord(critical, own, pending, old.reference if old else None)


def _taken(judged: tuple[Judged, ...]) -> Iterator[tuple[str, str, float]]:
    for each in judged:
        if each.verdict.how != "cache" and each.verdict.status not in {"pending", "error"}:
            yield each.mutant.path, each.mutant.function, each.verdict.seconds

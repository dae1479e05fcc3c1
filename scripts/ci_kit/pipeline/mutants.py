"""The part of the plan that is about mutants: whether, where, and in how many jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ci_kit.config import Config
from ci_kit.mutation_decision import Decision
from ci_kit.report import report_folder
from ci_kit.selective_mutation.estimate import Estimate
from ci_kit.selective_mutation.look import look
from ci_kit.selective_mutation.mutation_plan import NAME, MutationPlan, make_plan, write_plan
from ci_kit.selective_mutation.records import FOLDER, Records, read_records
from ci_kit.selective_mutation.records import NAME as RECORDS
from ci_kit.tools import Tools


@dataclass(frozen=True)
class Mutants:
    """`decision` None: a single job tries none. Without a run there is no plan."""

    decision: Decision | None = None
    plan: MutationPlan | None = None
    likely: Estimate | None = None

    @property
    def shards(self) -> int:
        """The jobs that try mutants."""
        return self.plan.shards if self.plan else 0

    def files(self, folder: Path) -> list[Path]:
        """What the other jobs need, written into `folder`; nothing of an earlier plan stays there."""
        (folder / NAME).unlink(missing_ok=True)
        return [write_plan(folder, self.plan)] if self.plan else []

    def notes(self) -> list[str]:
        """For people."""
        if self.decision is None:
            return []
        said = f"Mutants {'are' if self.plan else 'are not'} part of this run. {self.decision.reason}"
        if self.plan is None or self.likely is None:
            return [said]
        jobs = "one job" if self.shards == 1 else f"{self.shards} jobs"
        how = "from what earlier runs took" if self.likely.recorded else "from the lines of code"
        return [
            f"{said} About {self.likely.mutants} of them in {jobs}, by {self.likely.work_seconds:.0f} s of work ({how})."
        ]


def mutants_outputs(mutants: Mutants) -> dict[str, str]:
    """For the jobs. One share needs no job beside the one that judges."""
    shares = [f"{index}/{mutants.shards}" for index in range(1, mutants.shards + 1)]
    return {
        "mutation": "true" if mutants.plan else "false",
        "mutation-reason": mutants.decision.reason if mutants.decision else "A single job tries no mutants.",
        "mutate": "true" if mutants.shards > 1 else "false",
        "matrix-mutate": json.dumps({"shard": shares or ["1/1"]}, separators=(",", ":")),
    }


def plan_mutants(config: Config, name: str, root: Path, tools: Tools) -> Mutants:
    """Decide, and plan for as many jobs as the time asks for."""
    records, lost = Records(), "the configuration keeps no history (history: none)"
    if config.history != "none":
        records, lost = read_records(report_folder(tools.environ) / FOLDER / RECORDS)
    seen = look(root, config.mutation, tools, records)
    if not seen.decision.run:
        return Mutants(seen.decision)
    return Mutants(seen.decision, *make_plan(seen, config, records, lost, root, name, tools))

"""What both verbs begin with: decide what is mutated, and make the mutants. The same checkout and plan give the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from ci_kit import inputs
from ci_kit.base import NoBase
from ci_kit.config import Config, load_config
from ci_kit.errors import CallerMistake
from ci_kit.inputs import setting
from ci_kit.mutation_decision import Decision
from ci_kit.report import report_folder
from ci_kit.selective_mutation.budget import in_order
from ci_kit.selective_mutation.copying import project_files
from ci_kit.selective_mutation.generate import CAPPED, generate
from ci_kit.selective_mutation.look import Look, look
from ci_kit.selective_mutation.made import FILE as MADE
from ci_kit.selective_mutation.mutants import Generated
from ci_kit.selective_mutation.mutation_plan import MutationPlan, read_plan
from ci_kit.selective_mutation.records import FOLDER, NAME, Records, read_records
from ci_kit.selective_mutation.result import NAME as REPORT
from ci_kit.selective_mutation.result import NONE
from ci_kit.selective_mutation.targets import MOST_OF_A_CHANGE, PER_CHANGED_LINE, Targets, find_targets
from ci_kit.tools import Tools

SHOWN = 10


@dataclass(frozen=True)
class CommonInputs:
    """Inputs of both verbs."""

    scope: str = setting(
        "auto", inputs.choice("auto", "diff", "critical", "all"), "what to mutate (default auto: by the event)"
    )
    base: str = setting("", inputs.text, "commit or branch that the change is counted from (default: the event's)")
    config: Path | None = setting(None, inputs.path, "configuration file (default .github/ci-kit.yml)")
    plan: Path | None = setting(
        None, inputs.path, "mutation-plan.json of this run (default: one job, planned by itself)"
    )
    name: str = setting("ci", inputs.short_name, "name of this call, part of the artifact's name (default ci)")
    html: str = setting(
        "auto",
        inputs.choice("auto", "true", "false"),
        "write the HTML report; auto: when the verdict is failed, and where no pull request waits (default auto)",
    )
    upload: bool = setting(True, inputs.boolean, "whether the action uploads the reports (default true)")


@dataclass(frozen=True)
class Ready:
    """`temp` is the folder of the reports, `plan` what all jobs of the run lean on. Without a run there are no targets."""

    here: Path
    temp: Path
    config: Config
    seen: Look
    plan: MutationPlan
    targets: Targets
    generated: Generated = NONE

    @property
    def history(self) -> Path:
        """The folder that the cache keeps."""
        return self.temp / FOLDER

    @property
    def unmutated(self) -> tuple[tuple[str, int, int], ...]:
        """Changed security-critical code for which no mutant exists."""
        return tuple(
            (path, first, last)
            for path, first, last in self.generated.unmutated
            if any(line in self.targets.changed.get(path, ()) for line in range(first, last + 1))
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, and why."""
        return tuple(_notes(self.generated, self.seen, self.config))


def prepare(given: CommonInputs, tools: Tools) -> Ready:
    """Raises `CallerMistake` where the change cannot be found, `InfrastructureFailure` for a plan that is no good."""
    tools.workflow.output("upload", "true" if given.upload else "false")
    here = tools.event.workspace.resolve()
    config = load_config(here, given.config)
    temp = report_folder(tools.environ).resolve()
    (temp / f"{REPORT}.json").unlink(missing_ok=True)  # nothing of an earlier run may pass for this one's
    plan = read_plan(given.plan, given.name, tools) if given.plan else _alone(temp, config, given.name, tools)
    seen = _look(here, config, plan.records, given, tools)
    ready = Ready(here, temp, config, seen, plan, Targets({}, None))
    if not seen.decision.run:
        return ready
    targets = find_targets(seen.decision, project_files(here, tools), here, seen.files, seen.used)
    # Of this machine alone: a cache that says there are no mutants must not be believed.
    made = ready.temp / "mutation-state" / MADE
    return replace(ready, targets=targets, generated=_generated(targets, seen.decision, made))


def _alone(temp: Path, config: Config, name: str, tools: Tools) -> MutationPlan:
    """One job, with the records that this machine has."""
    records, lost = Records(), "the configuration keeps no history (history: none)"
    if config.history != "none":
        records, lost = read_records(temp / FOLDER / NAME)
    return MutationPlan(name, tools.event.sha, tools.event.run_attempt, 1, records, lost)


def _look(here: Path, config: Config, records: Records, given: CommonInputs, tools: Tools) -> Look:
    seen = look(here, config.mutation, tools, records, given.base)
    if given.scope != "auto":
        scope = cast("Literal['diff', 'critical', 'all']", given.scope)
        reason = f"The scope {scope} is asked for."
        seen = replace(seen, decision=replace(seen.decision, run=True, scope=scope, reason=reason))
    if isinstance(seen.base, NoBase) and seen.decision.run and (seen.decision.scope == "diff" or given.base):
        raise CallerMistake(f"which lines changed is not known: {seen.base.why}", next_step=seen.base.next_step)
    return seen


def _generated(targets: Targets, decision: Decision, made: Path) -> Generated:
    narrow = decision.scope == "diff"
    found = generate(targets.sources, targets.wanted, per_line=PER_CHANGED_LINE if narrow else None, kept=made)
    if not narrow or len(found.mutants) <= MOST_OF_A_CHANGE:
        return found
    kept = {mutant.id for mutant in in_order(found.mutants)[:MOST_OF_A_CHANGE]}
    over = len(found.mutants) - len(kept)
    return replace(
        found,
        mutants=tuple(mutant for mutant in found.mutants if mutant.id in kept),
        dropped={**found.dropped, CAPPED: found.dropped.get(CAPPED, 0) + over},
    )


def _notes(generated: Generated, seen: Look, config: Config) -> Iterator[str]:
    yield from (f"{path} has no mutants: {why}." for path, why in generated.refused.items())
    yield from (
        f"{path} was security-critical and is gone, or was renamed unseen: add its new name." for path in seen.kept.gone
    )
    yield from (f"Let go of by mutation.released: {name} ({why})." for name, why in config.mutation.released.items())
    if generated.dropped:
        yield "Left out: " + ", ".join(f"{n} ({why})" for why, n in generated.dropped.items()) + "."
    honoured = [each for each in generated.ignored if each.reason]
    if honoured:
        named = (f"{each.path}:{each.line} ({each.reason}; {each.mutants})" for each in honoured[:SHOWN])
        yield f"Kept free of mutants by comments: {', '.join(named)}."
    for each in generated.ignored:
        if not each.reason:
            yield f"{each.path}:{each.line}: the comment gives no reason, so it is not honoured."
    if generated.fell_back:
        yield f"mutmut's own command line made the mutants: {generated.fell_back}."

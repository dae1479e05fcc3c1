"""`selective-mutation run`: decide, generate, run within the budget, judge, tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from ci_kit import inputs, secret_env
from ci_kit.base import NoBase
from ci_kit.config import Config, load_config
from ci_kit.errors import CallerMistake, Exit, InfrastructureFailure
from ci_kit.inputs import setting
from ci_kit.mutation_decision import Decision
from ci_kit.quarantine import read_quarantine
from ci_kit.report import report_folder
from ci_kit.selective_mutation import say
from ci_kit.selective_mutation.budget import Limits, costliest, in_order
from ci_kit.selective_mutation.copying import read_tree
from ci_kit.selective_mutation.generate import CAPPED, generate
from ci_kit.selective_mutation.judging import Judged, judge
from ci_kit.selective_mutation.look import Look, look
from ci_kit.selective_mutation.mutants import Generated
from ci_kit.selective_mutation.result import NAME, Result
from ci_kit.selective_mutation.running import Run, run_mutants, so_far
from ci_kit.selective_mutation.suite import Suite
from ci_kit.selective_mutation.surroundings import choose_tiers, make_suite
from ci_kit.selective_mutation.targets import MOST_OF_A_CHANGE, PER_CHANGED_LINE, Targets, find_targets
from ci_kit.selective_mutation.weakened import find_weakened
from ci_kit.tests_python import find_python
from ci_kit.tools import Tools

LEAST_SECONDS = 60.0
"""For the question whether the base's tests noticed more, however long the run itself took."""


@dataclass(frozen=True)
class RunInputs:
    """Inputs of `selective-mutation run`."""

    scope: str = setting(
        "auto", inputs.choice("auto", "diff", "critical", "all"), "what to mutate (default auto: by the event)"
    )
    base: str = setting("", inputs.text, "commit or branch that the change is counted from (default: the event's)")
    python: str = setting("", inputs.text, "interpreter of the tests (default: the environment's, else that on PATH)")
    config: Path | None = setting(None, inputs.path, "configuration file (default .github/ci-kit.yml)")
    tiers: tuple[str, ...] = setting((), inputs.words, "tiers whose tests judge (default: those without services)")
    budget: float | None = setting(None, inputs.duration, "time for all mutants (default: configuration, else 7m)")
    pytest_args: tuple[str, ...] = setting((), inputs.lines, "more arguments of pytest, one a line")
    name: str = setting("ci", inputs.short_name, "name of this call, part of the artifact's name (default ci)")
    html: str = setting(
        "auto",
        inputs.choice("auto", "true", "false"),
        "write the HTML report; auto: when the verdict is failed, and where no pull request waits (default auto)",
    )
    upload: bool = setting(True, inputs.boolean, "whether the action uploads the reports (default true)")
    env: str = setting("", inputs.text, "lines NAME=value of the consumer's secrets", secret=True)


def run(given: RunInputs, tools: Tools) -> int:
    """0: the policies are met, or there is nothing to do. 1: they are not, or the change weakened the tests."""
    started = tools.clock.monotonic()
    tools.workflow.output("upload", "true" if given.upload else "false")
    here = tools.event.workspace.resolve()
    config = load_config(here, given.config)
    temp = report_folder(tools.environ).resolve()
    (temp / f"{NAME}.json").unlink(missing_ok=True)  # nothing of an earlier run may pass for this one's
    seen = _look(here, config, given, tools)
    result = Result(given.name, tools.event.sha, seen.decision)
    if not seen.decision.run:
        say.tell(result, temp, tools)
        return Exit.GOOD
    targets = find_targets(seen.decision, _names(here, tools), here, seen.files, seen.used)
    generated = _generated(targets, seen.decision)
    unmutated = _unmutated(generated, targets)
    result = replace(result, generated=generated, unmutated=unmutated, notes=tuple(_notes(generated)))
    if generated.mutants:
        suite = _suite(given, config, here, temp, tools)
        result = _judged(result, seen, suite, given, config, temp, tools)
    result = replace(result, seconds=tools.clock.monotonic() - started)
    say.tell(result, temp, tools, given.html)
    if result.judged and not result.counts.valid:
        raise InfrastructureFailure(
            f"of {len(result.judged)} mutants none was judged, so nothing is known of the tests.",
            next_step="Raise `mutation.budget`, or list fewer files in `mutation.critical`.",
        )
    return Exit.NO if result.outcome == "failed" else Exit.GOOD


def _look(here: Path, config: Config, given: RunInputs, tools: Tools) -> Look:
    seen = look(here, config.mutation, tools, given.base)
    if given.scope != "auto":
        scope = cast("Literal['diff', 'critical', 'all']", given.scope)
        reason = f"The scope {scope} is asked for."
        seen = replace(seen, decision=replace(seen.decision, run=True, scope=scope, reason=reason))
    if isinstance(seen.base, NoBase) and seen.decision.run and (seen.decision.scope == "diff" or given.base):
        raise CallerMistake(f"which lines changed is not known: {seen.base.why}", next_step=seen.base.next_step)
    return seen


def _names(here: Path, tools: Tools) -> list[str]:
    """The project's files, from its folder."""
    tree = read_tree(here, tools)
    prefix = "" if tree.inside == "." else f"{tree.inside}/"
    return [name.removeprefix(prefix) for name in tree.names if name.startswith(prefix)]


def _generated(targets: Targets, decision: Decision) -> Generated:
    narrow = decision.scope == "diff"
    found = generate(targets.sources, targets.wanted, per_line=PER_CHANGED_LINE if narrow else None)
    if not narrow or len(found.mutants) <= MOST_OF_A_CHANGE:
        return found
    kept = {mutant.id for mutant in in_order(found.mutants)[:MOST_OF_A_CHANGE]}
    over = len(found.mutants) - len(kept)
    return replace(
        found,
        mutants=tuple(mutant for mutant in found.mutants if mutant.id in kept),
        dropped={**found.dropped, CAPPED: found.dropped.get(CAPPED, 0) + over},
    )


def _unmutated(generated: Generated, targets: Targets) -> tuple[tuple[str, int, int], ...]:
    return tuple(
        (path, first, last)
        for path, first, last in generated.unmutated
        if any(line in targets.changed.get(path, ()) for line in range(first, last + 1))
    )


def _suite(given: RunInputs, config: Config, here: Path, temp: Path, tools: Tools) -> Suite:
    secrets = secret_env.read_secrets(tools.environ, tools.workflow)
    if note := secret_env.check_required(config.required_secrets, secrets, tools.event):
        tools.workflow.log(note)
    tiers = choose_tiers(config, tools.event.kind, given.tiers)
    python = find_python(given.python, tools.environ, temp)
    quarantined = read_quarantine(here, config.test.quarantine, tools.clock.now().date())
    return make_suite(tiers, here, python, tools.environ, secrets, quarantined, given.pytest_args)


def _judged(
    result: Result, seen: Look, suite: Suite, given: RunInputs, config: Config, temp: Path, tools: Tools
) -> Result:
    mutants = result.generated.mutants
    seconds = config.mutation.budget_seconds if given.budget is None else given.budget
    state = temp / "mutation-state"
    began = tools.clock.monotonic()
    tools.workflow.log(
        f"{len(mutants)} mutants in {len({each.path for each in mutants})} files. {seen.decision.reason}"
    )
    try:
        with tools.workflow.foreign_output():
            ran = run_mutants(mutants, suite, Limits(seconds), tools, state=state, cache_file=state / "cache.json")
    except BaseException as error:
        if not isinstance(error, Exception):
            # The step itself is being ended: what is known so far is still worth its report.
            verdicts = so_far(mutants, state)
            judged = tuple(Judged(*pair) for pair in zip(mutants, verdicts, strict=True))
            took = tools.clock.monotonic() - began
            say.tell(replace(result, judged=judged, seconds=took, interrupted=True), temp, tools)
        raise
    judged = tuple(Judged(*pair) for pair in zip(mutants, ran.verdicts, strict=True))
    notes = [*result.notes, *_facts(ran, judged)]
    if tools.event.kind == "pull-request":
        left = max(LEAST_SECONDS, seconds - (tools.clock.monotonic() - began))
        with tools.workflow.foreign_output():
            gone, note = find_weakened(judged, seen, suite, Limits(left), tools)
        judged = tuple(replace(each, weakened=each.mutant.id in gone) for each in judged)
        notes += [note] if note else []
    return replace(
        result,
        judged=judged,
        policies=judge(judged, config.mutation.policies),
        costliest=costliest(mutants, {verdict.mutant: verdict for verdict in ran.verdicts}),
        notes=tuple(notes),
    )


def _facts(ran: Run, judged: Sequence[Judged]) -> list[str]:
    notes = [f"Which tests run which lines: {ran.covered_how}."]
    if ran.why_fresh:
        notes.append(f"Every mutant ran in a fresh process: {ran.why_fresh}.")
    if ran.resumed or ran.cached:
        notes.append(f"{ran.resumed} verdicts are from an interrupted run, {ran.cached} survivors from an earlier one.")
    if ran.distrusted:
        notes.append(f"Tests that fail alone without any mutant were not asked: {', '.join(ran.distrusted[:5])}.")
    late = [each for each in judged if each.verdict.status == "pending"]
    if late:
        where = ", ".join(dict.fromkeys(each.mutant.path for each in late))
        notes.append(f"The time was up before {len(late)} mutants were judged; they count for nothing: {where}.")
    wrong = [each for each in judged if each.verdict.status == "error"]
    if wrong:
        notes.append(f"{len(wrong)} mutants could not be judged: {wrong[0].verdict.detail}.")
    return [*notes, *ran.notes]


def _notes(generated: Generated) -> list[str]:
    notes = [f"{path} has no mutants: {why}." for path, why in generated.refused.items()]
    if generated.dropped:
        notes.append("Left out: " + ", ".join(f"{n} ({why})" for why, n in generated.dropped.items()) + ".")
    honoured = [each for each in generated.ignored if each.reason]
    if honoured:
        notes.append(
            "Kept free of mutants by comments: "
            + ", ".join(f"{each.path}:{each.line} ({each.reason}; {each.mutants})" for each in honoured[:10])
            + "."
        )
    notes += [
        f"{each.path}:{each.line}: the comment gives no reason, so it is not honoured."
        for each in generated.ignored
        if not each.reason
    ]
    if generated.fell_back:
        notes.append(f"mutmut's own command line made the mutants: {generated.fell_back}.")
    return notes

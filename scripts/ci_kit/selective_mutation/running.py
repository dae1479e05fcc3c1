"""Judge mutants in the consumer's interpreter: one unmutated run, controls, then every mutant by the tests that run it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.errors import InfrastructureFailure
from ci_kit.selective_mutation.budget import FORK_SECONDS, Limits, estimate_seconds
from ci_kit.selective_mutation.cache import Cache, State, digest, key_of
from ci_kit.selective_mutation.controls import controls
from ci_kit.selective_mutation.copying import Tree, read_tree
from ci_kit.selective_mutation.covering import Covering
from ci_kit.selective_mutation.green import cover, read_sources
from ci_kit.selective_mutation.jobs import task_of
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.suite import Copies, Suite, probe, read_answer
from ci_kit.selective_mutation.verdicts import Verdict, read_stream, start_stream
from ci_kit.tools import Tools

STREAM = "verdicts.jsonl"
GRACE_SECONDS = 20.0
WORTH_A_WORKER_SECONDS = 10.0  # a second one collects the suite and runs the controls too


@dataclass(frozen=True)
class Run:
    """All mutants' verdicts in the order of the mutants, and how they were made.

    `covered_how` says in words where the covering tests are known from. `why_fresh` says why no fork was used, empty where
    forks were. `distrusted` are tests that fail when they run alone, without any mutant: they are not asked. `resumed` and
    `cached` count verdicts of an earlier run that hold.
    """

    verdicts: tuple[Verdict, ...]
    tests: int
    covered_how: str
    workers: int
    why_fresh: str
    distrusted: tuple[str, ...]
    notes: tuple[str, ...]
    resumed: int
    cached: int


def run_mutants(
    mutants: Sequence[Mutant],
    suite: Suite,
    limits: Limits,
    tools: Tools,
    *,
    state: Path,
    cache_file: Path | None = None,
) -> Run:
    """Judge the mutants within the budget; what was not reached is `pending`.

    Verdicts are written to `state / STREAM` as they come: after an interruption `so_far` reads them, and the next call with
    the same folder, files and mutants goes on from there. `cache_file` is read, and written at the end; it may be another
    run's. Raises `InfrastructureFailure` where no verdict could be trusted: the suite is not green without mutants, a
    no-op does not survive, a forced failure is not noticed, or the tests import something else than the checkout.
    """
    started = time.monotonic()
    if not mutants:
        return Run((), 0, "there are no mutants", 0, "", (), (), 0, 0)
    interpreter = probe(suite, tools)
    tree = read_tree(suite.project, tools)
    cache = Cache.read(cache_file)
    with Copies(suite, tree, interpreter, tools) as copies:
        copies.make(1)
        sources = read_sources(mutants, Path(copies.slots[0]["root"]))
        made_of = State(_files(tree, suite), interpreter.environment)
        covering, how = cover(copies, sources, made_of, cache, limits, tools)
        key = digest(made_of.everything, *sorted(mutant.id for mutant in mutants))
        known = read_stream(state / STREAM, key)
        reused = {v.mutant: v for v in _reused(mutants, covering, cache, made_of) if v.mutant not in known}
        start_stream(state / STREAM, key, [*known.values(), *reused.values()])
        waiting = [mutant for mutant in mutants if mutant.id not in known and mutant.id not in reused]
        seconds = limits.budget_seconds - (time.monotonic() - started)
        killers = {m.id: killer for m in waiting if (killer := cache.killer(key_of(m, made_of.environment)))}
        slow = {m.id for m in waiting if cache.was_stopped(key_of(m, made_of.environment))}
        trusted = tuple((str(kind), int(number)) for kind, number in (cache.covering or {}).get("trusted", ()))
        facts = _judge(waiting, killers, slow, sources, covering, copies, limits, state / STREAM, seconds, trusted)
    verdicts = so_far(mutants, state)
    if cache_file is not None:
        if cache.covering is not None and "trusted" in facts:
            cache.covering["trusted"] = [each for each in facts["trusted"] if each[1] >= 0]
        _keep(mutants, verdicts, covering, cache, made_of)
        cache.write(cache_file)
    if all(verdict.status != "pending" for verdict in verdicts):
        # There is nothing to go on with.
        (state / STREAM).unlink()
    return Run(
        verdicts,
        len(covering.tests),
        how,
        int(facts.get("workers", 0)),
        str(facts.get("why-fresh", covering.unforkable)),
        tuple(facts.get("distrusted", ())),
        tuple(facts.get("notes", ())),
        len(known),
        sum(verdict.how == "cache" and verdict.status == "survived" for verdict in reused.values()),
    )


def so_far(mutants: Sequence[Mutant], state: Path) -> tuple[Verdict, ...]:
    """The verdicts that were reached, in the order of the mutants; all others are `pending`."""
    found = read_stream(state / STREAM, None)
    return tuple(found.get(mutant.id) or Verdict(mutant.id, "pending") for mutant in mutants)


def _files(tree: Tree, suite: Suite) -> Mapping[str, str]:
    """Digests by POSIX path from the project's folder, of what the copies have."""
    found = {os.path.relpath(name, tree.inside).replace(os.sep, "/"): text for name, text in tree.digests().items()}
    return {**found, **{name: hashlib.sha256(content).hexdigest() for name, content in suite.instead.items()}}


def _reused(mutants: Sequence[Mutant], covering: Covering, cache: Cache, made_of: State) -> list[Verdict]:
    """What needs no run: code that no test runs, and survivors for which nothing has changed."""
    found = []
    around = made_of.around(covering)
    for mutant in mutants:
        choice = covering.choose(mutant)
        if not choice.all:
            found.append(Verdict(mutant.id, "no-coverage", detail="no test runs this line", how="cache"))
            continue
        tests = made_of.tests(covering, choice.all)
        ran = cache.survivor(key_of(mutant, made_of.environment), around, tests)
        if ran is not None:
            found.append(Verdict(mutant.id, "survived", ran, how="cache", detail="nothing has changed since"))
    return found


def _judge(
    mutants: Sequence[Mutant],
    killers: dict[str, str],
    slow: Collection[str],
    sources: Mapping[str, str],
    covering: Covering,
    copies: Copies,
    limits: Limits,
    stream: Path,
    seconds: float,
    trusted: Sequence[tuple[str, int]],
) -> dict[str, Any]:
    """Run the runner; the answer says how verdicts were made."""
    if not mutants or seconds <= 0:
        return {}
    noop, raises = controls(sources, covering)
    if noop is None:
        raise InfrastructureFailure(
            f"no test runs any function of {', '.join(sorted(sources))}, so a failure in them cannot be noticed.",
            next_step="Mutate files that the tests run.",
        )
    unknown = [mutant for mutant in mutants if mutant.id not in killers]
    short = estimate_seconds(unknown, covering) + FORK_SECONDS * len(killers) < WORTH_A_WORKER_SECONDS
    workers = limits.workers or (1 if short else max(2, os.cpu_count() or 2))
    copies.make(min(workers, len(mutants)))
    answer = copies.folder / "judged.json"
    task = task_of(
        mutants, killers, covering, noop, raises, limits, trusted=trusted, slow=slow, workers=len(copies.slots)
    )
    files = {"answer": str(answer), "verdicts": str(stream.absolute()), "targets": sorted(sources), "seconds": seconds}
    done = copies.run("judge", copies.write_task({**task, **files}), timeout_seconds=seconds + GRACE_SECONDS)
    if done.timed_out:
        return {"notes": ["the time was up while a control ran"]}
    found = read_answer(answer, done, "the run of the mutants")
    if found["error"]:
        raise InfrastructureFailure(
            f"a control failed, so no verdict could be trusted: {found['error']}.",
            next_step="Look at that test: does it depend on others, on the time or on files outside the checkout?",
        )
    return found


def _keep(
    mutants: Sequence[Mutant], verdicts: Sequence[Verdict], covering: Covering, cache: Cache, made_of: State
) -> None:
    around = made_of.around(covering)
    for mutant, verdict in zip(mutants, verdicts, strict=True):
        tests = made_of.tests(covering, covering.choose(mutant).all)
        cache.keep(key_of(mutant, made_of.environment), verdict, around, tests)

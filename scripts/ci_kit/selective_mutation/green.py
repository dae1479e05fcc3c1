"""The suite without mutants: is it green, and which tests run which lines. Known answers are used as far as they hold."""

from __future__ import annotations

import tokenize
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.selective_mutation.budget import Limits
from ci_kit.selective_mutation.cache import Cache, State
from ci_kit.selective_mutation.carrying import Carried, carry
from ci_kit.selective_mutation.covering import Covering
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.suite import START_COVERAGE, Copies, named, read_answer
from ci_kit.tools import Tools


def cover(
    copies: Copies, sources: Mapping[str, str], state: State, cache: Cache, limits: Limits, tools: Tools
) -> tuple[Covering, str]:
    """What covers the files `sources` (path → text), and in words where that is from. The cache holds it afterwards.

    Raises `InfrastructureFailure` when the suite is not green or imports something else, `CallerMistake` without tests.
    """
    known = _known(cache, sources)
    if known is not None and cache.covering is not None and cache.covering["of"] == state.everything:
        return known, "nothing has changed since the last unmutated run"
    carried = None
    if known is not None and cache.covering is not None and _only_targets_changed(cache.covering, sources, state):
        carried = carry(known, cache.covering["sources"], sources)
    covering = None
    if carried is not None:
        covering = _partial(carried, copies, sources, limits, tools)
        how = f"{len(carried.again)} of {len(carried.covering.tests)} tests run what has changed since the last unmutated run"
    if covering is None:
        covering = Covering.from_json(_run(copies, sources, limits, tools))
        how = f"all {len(covering.tests)} tests ran unmutated"
    cache.covering = {
        "of": state.everything,
        "trusted": [],
        "files": dict(state.files),
        "environment": state.environment,
        "sources": dict(sources),
        "answer": covering.to_json(),
    }
    return covering, how


def _known(cache: Cache, sources: Mapping[str, str]) -> Covering | None:
    """The last run's answer, where it is about these files at all."""
    try:
        if cache.covering is None or not sources.keys() <= cache.covering["sources"].keys():
            return None
        return Covering.from_json(cache.covering["answer"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _only_targets_changed(covering: Mapping[str, Any], sources: Mapping[str, str], state: State) -> bool:
    before, now = covering["files"], state.files
    changed = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    return covering["environment"] == state.environment and changed <= sources.keys()


def _partial(
    carried: Carried, copies: Copies, sources: Mapping[str, str], limits: Limits, tools: Tools
) -> Covering | None:
    """Only the tests that ran what has changed; None where the suite is no longer made of the same tests."""
    if not carried.again:
        return carried.covering
    tests = carried.covering.tests
    again = [tests[number] for number in carried.again]
    files = sorted({test.file for test in again})
    answer = _run(copies, sources, limits, tools, paths=files, only=[test.id for test in again])
    expected = [test.id for test in tests if test.file in set(files)]
    if answer["collected"] != expected:
        return None
    return carried.with_run(Covering.from_json(answer))


def _run(
    copies: Copies,
    sources: Mapping[str, str],
    limits: Limits,
    tools: Tools,
    *,
    paths: list[str] | None = None,
    only: list[str] | None = None,
) -> dict[str, Any]:
    answer = copies.folder / "covering.json"
    task = {
        "answer": str(answer),
        "rc": str(copies.folder / "coverage.ini"),
        "data": str(copies.folder / "coverage.data"),
        "start-coverage": str(tools.kit_root / START_COVERAGE),
        "targets": sorted(sources),
        "folders": copies.folders(),
        "paths": paths or [],
        "only": only,
    }
    done = copies.run("cover", copies.write_task(task), timeout_seconds=limits.budget_seconds)
    found = read_answer(answer, done, "the unmutated test run")
    _check(found, done.output)
    return found


def _check(found: Mapping[str, Any], output: str) -> None:
    """The first control."""
    if found["exit"] == 5 or (found["exit"] == 0 and not found["tests"]):
        raise CallerMistake(
            "pytest collects no tests here, so no mutant can be judged.",
            next_step="Check the working directory and the test paths of the project.",
        )
    if found["exit"] != 0:
        last = named(found["failed"]) or "\n".join(output.strip().splitlines()[-15:])
        raise InfrastructureFailure(
            f"the tests are not green without any mutant (pytest ended with {found['exit']}): {last}.",
            next_step="Mend these tests, or leave them out (quarantine, marker): a red suite kills every mutant.",
        )
    for path, other in found["foreign"].items():
        raise InfrastructureFailure(
            f"the tests import {path} from {other}, not from the checkout: no mutant of it would be noticed.",
            next_step="Install the project editable (pip install -e .), or do not install it for the tests.",
        )


def read_sources(mutants: Iterable[Mutant], project: Path) -> dict[str, str]:
    """The texts of the mutated files. Raises `CallerMistake` for one that is not in the copy as the mutants have it."""
    found = {mutant.path: mutant.original for mutant in mutants}
    for path, text in found.items():
        try:
            with (project / path).open("rb") as file:
                encoding = tokenize.detect_encoding(file.readline)[0]
            there = (project / path).read_bytes().decode(encoding)
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            raise CallerMistake(f"cannot read {path}: {error}.", next_step="Is it part of the checkout?") from error
        if there != text:
            raise CallerMistake(
                f"{path} is not what its mutants were made from.",
                next_step="Change nothing while mutants are made and run.",
            )
    return found

"""The map of affected tests in the jobs plan (which tests are affected?) and gate (the new map of the default branch)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ci_kit.affected import Tree, decide
from ci_kit.affected_build import build_map
from ci_kit.affected_map import FILE_NAME, read_map, write_map
from ci_kit.affected_plan import ALL, TestChoice
from ci_kit.affected_tree import read_tree
from ci_kit.config import Config
from ci_kit.depth import pythons_of
from ci_kit.errors import InfrastructureFailure
from ci_kit.github import Event
from ci_kit.plan import Plan
from ci_kit.process import Runner
from ci_kit.project import Project

MOST_BYTES = 200_000_000
NO_HISTORY = "the configuration keeps no history"


def choose(
    plan: Plan,
    config: Config,
    project: Project,
    event: Event,
    runner: Runner,
    *,
    history: Path,
    test_files: frozenset[str],
) -> TestChoice:
    """What this run's shards are told. `history` is the folder that the default branch's map is kept in."""
    root = event.workspace
    if config.test.select == ALL:
        return TestChoice()
    if event.on_default_branch and config.history != "none":
        return TestChoice(record=pythons_of(config, project, "pull-request"))
    if not event.is_pull_request:
        return TestChoice()
    known, why = (None, NO_HISTORY) if config.history == "none" else read_map(history / FILE_NAME)
    digests = read_tree(root, runner) if known is not None else {}
    tree = Tree(digests, source_reader(root), test_files)
    found = decide(known, why, tree, [tier.name for tier in plan.tiers])
    environments = tuple(sorted(known.environments)) if known is not None else ()
    return TestChoice(config.test.select, environments=environments, tiers=found)


def new_map(results: Path, name: str, commit: str, root: Path, runner: Runner, folder: Path) -> str:
    """Make the map out of what the legs recorded and lay it into `folder`; answers a sentence, empty when none recorded."""
    shards = list(_footprints(results, name))
    if not shards:
        return ""
    try:
        found = build_map(shards, commit=commit, digests=read_tree(root, runner), source_of=source_reader(root))
        write_map(folder, found)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, InfrastructureFailure) as error:
        return f"The map of affected tests was not made ({type(error).__name__}: {error})."
    tests = sum(len(tier.tests) for tier in found.tiers.values())
    unusable = f" It cannot be used, because {found.unusable}." if found.unusable else ""
    return f"The map of affected tests knows {tests} tests and {len(found.blocks)} source files.{unusable}"


def _footprints(results: Path, name: str) -> Iterator[dict[str, Any]]:
    # A single artifact may be unpacked straight into the folder.
    found = sorted(results.glob(f"{name}-results-*/footprints.json")) or [*results.glob("footprints.json")]
    for path in found:
        if path.is_symlink() or path.stat().st_size > MOST_BYTES:
            continue
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(data, dict):
            yield data


def source_reader(root: Path) -> Callable[[str], str]:
    """Reads a file of the checkout, once; one that cannot be read is as good as empty."""

    @cache
    def read(file: str) -> str:
        try:
            return (root / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    return read

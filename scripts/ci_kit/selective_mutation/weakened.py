"""Mutants that the tests of the base notice and the changed ones do not any more."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ci_kit.base import Base
from ci_kit.errors import KitError
from ci_kit.mutation_decision import is_critical, is_test
from ci_kit.process import run_checked
from ci_kit.selective_mutation.budget import Limits
from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.look import Look
from ci_kit.selective_mutation.running import run_mutants
from ci_kit.selective_mutation.suite import Suite
from ci_kit.tools import Tools

GIT_SECONDS = 120.0


def find_weakened(
    judged: Sequence[Judged], seen: Look, suite: Suite, limits: Limits, tools: Tools
) -> tuple[frozenset[str], str]:
    """Ids of the mutants of unchanged security-critical code for which that holds, and what could not be asked.

    The changed tests are put back as they were at the base, and the survivors are judged again.
    """
    names = [name for name, change in seen.files.items() if is_test(name) and change.old_path == name]
    names += [name for name in seen.deleted if is_test(name)]
    mutants = [
        each.mutant
        for each in judged
        if each.undetected
        and each.mutant.path not in seen.files
        and is_critical(each.mutant.path, seen.decision.targets)
    ]
    if not names or not mutants or not isinstance(seen.base, Base):
        return frozenset(), ""
    try:
        with tempfile.TemporaryDirectory(prefix="ci-kit-base-") as folder:
            before = replace(suite, instead=_at_base(seen.base.commit, names, suite.project, Path(folder), tools))
            found = run_mutants(mutants, before, limits, tools, state=Path(folder, "state"))
    except KitError as error:
        return frozenset(), f"Whether the tests before the change noticed more could not be asked: {error.message}"
    gone = frozenset(verdict.mutant for verdict in found.verdicts if verdict.detected)
    late = sum(verdict.status == "pending" for verdict in found.verdicts)
    note = f"Of {late} survivors the time did not suffice to ask whether the tests before the change noticed them."
    return gone, note if late else ""


def _at_base(commit: str, names: Sequence[str], here: Path, folder: Path, tools: Tools) -> dict[str, bytes]:
    archive = folder / "tests.tar"
    argv = ["git", "archive", "--format=tar", f"--output={archive}", commit, "--", *names]
    run_checked(tools.runner, argv, what="git archive", cwd=here, timeout_seconds=GIT_SECONDS, env=tools.environ)
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                found[member.name] = content.read()
    return found

"""Which files, and which of their lines, get mutants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ci_kit.changes import FileChange
from ci_kit.mutation_decision import Decision, is_critical, is_test
from ci_kit.patterns import matches
from ci_kit.selective_mutation.text import decode

_NO_SOURCES = {"setup.py", "noxfile.py", "fabfile.py", "dodo.py"}
_NO_SOURCE_FOLDERS = {"docs", "doc", "examples", "benchmarks", "migrations", "node_modules"}
PER_CHANGED_LINE = 3
MOST_OF_A_CHANGE = 300
"""Petrovic and Ivankovic (ICSE-SEIP 2018) show few mutants of a change, or nobody reads them."""


@dataclass(frozen=True)
class Targets:
    """`sources` are texts by path; `wanted` the lines by path (None: all of them).

    `changed` are the lines that this change touches in security-critical files: those without a mutant are told of.
    """

    sources: Mapping[str, str]
    wanted: Mapping[str, frozenset[int]] | None
    changed: Mapping[str, frozenset[int]] = field(default_factory=dict)


def find_targets(
    decision: Decision,
    names: Iterable[str],
    here: Path,
    changes: Mapping[str, FileChange],
    used_by_tests: Mapping[str, tuple[str, ...]],
) -> Targets:
    """`names` are the project's files, `used_by_tests` the security-critical paths or patterns by changed test.

    A changed line is mutated wherever it is; of the security-critical files that a changed test uses every line, for the
    change may have taken something away that looked at any of them. Raises `CallerMistake` for a file that is no text.
    """
    files = sorted(name for name in names if name.endswith(".py") and not is_test(name))
    lines = {name: change.changed_lines() for name, change in changes.items() if name in set(files)}
    critical = {name: found for name, found in lines.items() if found and is_critical(name, decision.targets)}
    if decision.scope != "diff":
        wanted = decision.scope == "all"
        chosen = [name for name in files if (wanted and _is_source(name)) or is_critical(name, decision.targets)]
        return Targets(_texts(here, chosen), None, critical)
    used = {pattern for patterns in used_by_tests.values() for pattern in patterns}
    whole = {name for name in files if any(matches(pattern, name) for pattern in used)}
    chosen = [name for name in files if name in whole or (lines.get(name) and _is_source(name))]
    texts = _texts(here, chosen)
    every = {
        name: frozenset(range(1, text.count("\n") + 2)) if name in whole else lines[name]
        for name, text in texts.items()
    }
    return Targets(texts, every, critical)


def _is_source(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name not in _NO_SOURCES and not _NO_SOURCE_FOLDERS.intersection(path.parts[:-1])


def _texts(here: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: decode((here / name).read_bytes(), name) for name in names if (here / name).is_file()}

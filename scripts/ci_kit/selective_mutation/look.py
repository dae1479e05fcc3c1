"""What this run's change touches, and what follows from it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ci_kit.base import Base, NoBase, find_base
from ci_kit.changes import FileChange, read_changes, read_names
from ci_kit.config import Mutation
from ci_kit.mutation_decision import Decision, critical_tests, decide, is_test, targets_of
from ci_kit.process import TAIL_BYTES
from ci_kit.selective_mutation.ratchet import Kept, kept
from ci_kit.selective_mutation.records import Records
from ci_kit.tools import Tools


@dataclass(frozen=True)
class Look:
    """`files` are the changes by path, `deleted` the paths that are no longer here. `used` are the security-critical
    paths or patterns by changed test that uses them. Where no base is known, all is empty and `base` says why.
    `kept` is what earlier runs had as security-critical.
    """

    decision: Decision
    base: Base | NoBase
    files: Mapping[str, FileChange] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    used: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kept: Kept = field(default_factory=Kept)

    @property
    def renamed(self) -> Mapping[str, str]:
        """Old names by new ones."""
        return {name: old for name, each in self.files.items() if (old := each.old_path) is not None and old != name}


def look(here: Path, settings: Mutation, tools: Tools, records: Records, asked: str = "") -> Look:
    """Decide for the checkout in `here`; `asked` is the commit or branch that the change is counted from."""
    event = tools.event
    before = str(event.payload.get("before") or "") if event.name == "push" else ""
    if before.strip("0") and event.kind == "default-branch":
        asked = asked or before
    base = find_base(here, tools, asked or None)
    files = _files(here, tools)
    if isinstance(base, NoBase):
        stays = _kept(here, records, {}, settings)
        decision = decide(event.kind, event.labels, None, settings, files=files, kept=stays.patterns)
        return Look(decision, base, kept=stays)
    names = read_names(here, base.commit, tools)
    changes = read_changes(here, base.commit, tools)
    stays = _kept(here, records, changes, settings)
    texts = {name: _text(here / name) for name in names if name.endswith(".py") and is_test(name)}
    used = critical_tests(texts, targets_of(settings, stays.patterns))
    every = files and [*files, *names]
    decision = decide(event.kind, event.labels, names, settings, tests=used, files=every, kept=stays.patterns)
    deleted = tuple(name for name in names if not (here / name).exists())
    return Look(decision, base, changes, deleted, used, stays)


def _kept(here: Path, records: Records, changes: Mapping[str, FileChange], settings: Mutation) -> Kept:
    if settings.ratchet != "hold":
        return Kept()
    renamed = {old: name for name, each in changes.items() if (old := each.old_path) is not None and old != name}
    return kept(records.newest, here, renamed)


def _files(here: Path, tools: Tools) -> list[str] | None:
    """The Python files below `here` that git does not ignore; None where that cannot be told."""
    if not shutil.which("git", path=tools.environ.get("PATH")):
        return None
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py"]
    done = tools.runner.run(asked, cwd=here, timeout_seconds=60, stream=False, env=tools.environ)
    # Of a longer answer only the end is kept.
    return None if done.code or len(done.output) > TAIL_BYTES // 2 else done.output.split("\0")


def _text(path: Path) -> str:
    """Empty for a file that is gone: its name still says what it was about."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

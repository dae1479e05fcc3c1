"""What this run's change touches, and what follows from it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ci_kit.base import Base, NoBase, find_base
from ci_kit.changes import FileChange, read_changes, read_names
from ci_kit.config import Mutation
from ci_kit.mutation_decision import PROPOSED, Decision, critical_tests, decide, is_test
from ci_kit.process import TAIL_BYTES
from ci_kit.tools import Tools


@dataclass(frozen=True)
class Look:
    """`files` are the changes by path, `deleted` the paths that are no longer here. `used` are the security-critical
    paths or patterns by changed test that uses them. Where no base is known, all is empty and `base` says why.
    """

    decision: Decision
    base: Base | NoBase
    files: Mapping[str, FileChange] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()
    used: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def look(here: Path, settings: Mutation, tools: Tools, asked: str = "") -> Look:
    """Decide for the checkout in `here`; `asked` is the commit or branch that the change is counted from."""
    event = tools.event
    before = str(event.payload.get("before") or "") if event.name == "push" else ""
    if before.strip("0") and event.kind == "default-branch":
        asked = asked or before
    base = find_base(here, tools, asked or None)
    files = _files(here, tools)
    if isinstance(base, NoBase):
        return Look(decide(event.kind, event.labels, None, settings, files=files), base)
    names = read_names(here, base.commit, tools)
    texts = {name: _text(here / name) for name in names if name.endswith(".py") and is_test(name)}
    used = critical_tests(texts, settings.critical or PROPOSED)
    decision = decide(event.kind, event.labels, names, settings, tests=used, files=files and [*files, *names])
    deleted = tuple(name for name in names if not (here / name).exists())
    return Look(decision, base, read_changes(here, base.commit, tools), deleted, used)


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

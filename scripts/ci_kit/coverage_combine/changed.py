"""What this run's change touches, and how much of that is covered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.base import Base, NoBase, find_base
from ci_kit.changes import FileChange, read_changes
from ci_kit.coverage_combine.patch import Patch, patch, read_source
from ci_kit.tools import Tools


@dataclass(frozen=True)
class Changed:
    """The change by file, since `base`, and the coverage of its lines."""

    base: Base
    changes: Mapping[str, FileChange]
    patch: Patch


def base_of(here: Path, tools: Tools, asked: str | None, *, wanted: bool) -> Base | NoBase:
    """Where the change begins. `wanted`: a threshold of changed lines is configured, or somebody `asked`.

    Then what the caller can mend is raised as `CallerMistake`: a gate that nobody judges would look like a green one.
    """
    found = find_base(here, tools, asked)
    if isinstance(found, NoBase) and found.fault and (wanted or asked):
        raise found.mistake()
    return found


def changed_since(base: Base, here: Path, data: Mapping[str, Any], tools: Tools) -> Changed:
    """Read the change from git and count it in coverage's JSON report `data`."""
    changes = read_changes(here, base.commit, tools)
    return Changed(base, changes, patch(changes, data, lambda path: read_source(here / path)))

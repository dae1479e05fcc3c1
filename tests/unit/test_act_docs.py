"""The manual names every translation, every option's meaning and every file of the output."""

from __future__ import annotations

from pathlib import Path

from ci_kit.act.translate import ENTRIES
from ci_kit.tools import KIT_ROOT

MANUAL = (KIT_ROOT / "docs" / "act.md").read_text(encoding="utf-8")


def test_every_translation_stands_in_the_manual() -> None:
    for what, until in ENTRIES.values():
        assert f"| {what} | {until} |" in MANUAL


def test_every_stand_in_stands_in_the_manual() -> None:
    folder = KIT_ROOT / "tests" / "act" / "stand_ins"
    repositories = {f"{p.parent.parent.name}/{p.parent.name}" for p in folder.glob("*/*/action.yml")}
    assert len(repositories) >= 6
    for repository in repositories:
        assert f"`{repository}`" in MANUAL


def test_stand_ins_and_their_lock_name_no_host() -> None:
    lock = (Path(KIT_ROOT) / "tests/act/stand_ins/package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock

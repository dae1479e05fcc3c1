"""What the consumer's coverage configuration says and the number does not heed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.coverage_combine.settings import Settings, read_settings


def read(here: Path, text: str, name: str = ".coveragerc") -> Settings:
    (here / name).write_text(text)
    return read_settings(here, {})


def test_what_is_heeded_needs_no_note(tmp_path: Path) -> None:
    text = """\
        [run]
        branch = true
        source = src
        debug = sys
        [report]
        exclude_also = x
        fail_under = 0
        [html]
        directory = d
        [paths]
        anything = a
        [some_plugin]
        option = 1
        """
    found = read(tmp_path, "\n".join(line.strip() for line in text.splitlines()))
    assert found == Settings({"report:exclude_also": ["x"], "paths": {"anything": ["a"]}})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".coveragerc", "[report]\nfail_under = 84.5\n"),
        ("setup.cfg", "[coverage:report]\nfail_under = 84.5\n"),
        ("pyproject.toml", "[tool.coverage.report]\nfail_under = 84.5\n"),
    ],
)
def test_coverages_own_gate_is_not_the_kits(tmp_path: Path, name: str, text: str) -> None:
    (note,) = read(tmp_path, text, name).notes
    assert note.startswith(f"{name}: [report] fail_under = 84.5 is not heeded: coverage.total")


def test_options_that_coverage_does_not_know_are_said_with_what_was_meant(tmp_path: Path) -> None:
    one, other = sorted(read(tmp_path, "[report]\nexclude_line = x\n[run]\nwhatever = 1\n").notes)
    assert one.startswith(".coveragerc: [report] exclude_line is no option of coverage ")
    assert one.endswith("and does nothing. Is exclude_lines meant?")
    assert other.startswith(".coveragerc: [run] whatever is no option of coverage ")
    assert other.endswith("and does nothing.")

"""The gate's summary: what is wrong and what to do first, and nothing in it that a fork's tests can command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ci_kit.config import Gates
from ci_kit.inputs import Shard
from ci_kit.pipeline import gate_page
from ci_kit.pipeline.evidence import Evidence, printable, read_evidence
from ci_kit.pipeline.findings import Failure, FlakyTest, Verdict
from ci_kit.pipeline.gate import judge
from ci_kit.plan import Leg, Plan, PlannedTier
from ci_kit.share import Share
from hypothesis import given
from hypothesis import strategies as st
from tooling.leg_reports import COMMIT, leg_report, result

PLAN = Plan(
    "ci", "pull-request", COMMIT, (PlannedTier("unit", (Share(("a.py",)),)),), ("3.12",), {"lint": False, "test": True}
)
HOSTILE = [
    "a.py::t[<img src=x onerror=alert(1)>]",
    "a.py::t[](javascript:alert(1))",
    "a.py::t|a|b|`code`|",
    "a.py::t\n\n# Green\n\n::error::x",
    "a.py::t[![](http://evil.example/pixel.png)]",
    "a.py::t</details></table><script>",
    "a.py::t\u202eevil",
    "../../etc/passwd",
    "`" * 50,
    "a.py::t[\\|x\\\\|y]",
]


def written(folder: Path, ids: list[str], outcome: str = "failed", message: str | None = None) -> str:
    results = [result(test, outcome, message=message or test) for test in ids]
    (folder / "test.json").write_text(json.dumps(leg_report(["a.py"], results)), encoding="utf-8")
    evidence = read_evidence(folder, "ci")
    jobs = {"plan": "success", "lint": "skipped", "test": "failure" if outcome == "failed" else "success"}
    verdict = judge(PLAN, jobs, evidence, Gates())
    return gate_page.page(PLAN, jobs, evidence, verdict, 91.354)


def test_green_is_one_line_and_the_figures(tmp_path: Path) -> None:
    page = written(tmp_path, ["a.py::t"], "passed")
    assert page.startswith("## ✅ Green: 1 test, 91.35 % covered\n\n| Tier | Python |")
    assert "<details>" not in page
    assert "| unit | 3.12 | 1 | 0 | 0 | 0 | 1 of 1 | 1.5 s |" in page
    assert page.endswith("Jobs: plan success, lint not part of this run, test success.")


def test_red_says_what_and_what_to_do_before_the_figures(tmp_path: Path) -> None:
    page = written(tmp_path, ["a.py::t"], message="assert 1 == 2")
    lines = page.splitlines()
    assert lines[0] == "## ❌ Red: 1 of 1 test failed, 91.35 % covered"
    assert lines[2] == "| What is wrong | What to do | Gate |"
    assert "Mend the tests below" in lines[4]
    assert "| `a.py::t` | assert 1 == 2 | unit · Python 3.12 · 1/1 |" in lines
    assert page.index("### Failed tests") < page.index("<details>") < page.index("| Tier |")


def test_long_lists_are_cut_and_the_rest_is_counted(tmp_path: Path) -> None:
    page = written(tmp_path, [f"a.py::t{number}" for number in range(1000)])
    assert "… and 980 more, in the logs of the test jobs." in page
    assert len(page) < 10_000


def plain(page: str) -> str:
    """The page without what CommonMark shows as it is: code spans and escaped marks."""
    return re.sub(r"`[^`\n]*`|\\[!-/:-@\[-`{-~]|</?code>", "", page)


@pytest.mark.parametrize("test", HOSTILE)
def test_hostile_text_stays_text(test: str, tmp_path: Path) -> None:
    usual = plain(written(tmp_path, ["a.py::t"], message="why"))
    page = written(tmp_path, [test], message=test)
    hostile = plain(page)
    assert len(hostile.splitlines()) == len(usual.splitlines())
    for mark in "<[]|#`*!>":
        assert hostile.count(mark) == usual.count(mark), mark
    assert "\u202e" not in page


@given(text=st.text(alphabet=st.one_of(st.sampled_from("\\|`"), st.characters()), max_size=60))
def test_any_text_fits_one_table_cell(text: str) -> None:
    shown = printable(text)
    failure = Failure(shown, (Leg("unit", "3.12", Shard(1, 1)),), shown)
    page = gate_page.page(PLAN, {}, Evidence({}), Verdict((), (), {}, (FlakyTest(shown),), (failure,)), None)
    row = next(line for line in page.splitlines() if line.startswith(("| `", "| <code>")))
    # GitHub's own reader of tables takes a backslash and the mark behind it together, code or not.
    assert re.sub(r"\\[!-/:-@\[-`{-~]", "", row).count("|") == 4

from __future__ import annotations

from xml.etree import ElementTree as ET

from ci_kit.test.junit import junit_xml
from ci_kit.test.model import Outcome, Place, Result, Verdict
from ci_kit.test.summary import Page, markdown, reproduce
from hypothesis import given
from hypothesis import strategies as st

FAILED = Result("t.py::test[a|b]", Outcome.FAILED, 2.0, message="boom\n```\nend", detail="E boom", at=Place("t.py", 3))


def page(*results: Result, verdict: Verdict = Verdict.PASSED, notes: tuple[str, ...] = ()) -> str:
    made = Page("unit · Python 3.12 · 1/2", verdict, "", results, 0, "1.0 s", "2", notes)
    return markdown(made, {result.id: result.id for result in results})


def test_a_good_shard_is_short() -> None:
    text = page(*[Result(f"t.py::test_{n}", Outcome.PASSED, 0.01) for n in range(1000)])
    assert text.splitlines() == [
        "### ✅ unit · Python 3.12 · 1/2: passed", "",
        "| passed | time | workers |", "| ---: | ---: | ---: |", "| 1000 | 1.0 s | 2 |",
    ]  # fmt: skip


def test_a_failure_is_shown_with_its_command() -> None:
    text = page(FAILED, verdict=Verdict.FAILED)
    assert r"**<code>t.py::test\[a\|b\]</code>** at `t.py:3`" in text
    assert "````text\nboom\n```\nend\n````" in text
    assert "python -m pytest 't.py::test[a|b]'" in text
    assert r"| 2.00 s | <code>t.py::test\[a\|b\]</code> |" in text


def test_many_failures_are_cut_and_counted() -> None:
    text = page(*[Result(f"t.py::test_{n}", Outcome.ERROR, 0.0, message="m" * 600) for n in range(500)])
    assert "480 more failures" in text
    assert len(text) < 30_000


def test_flaky_tests_are_named() -> None:
    text = page(Result("t.py::test", Outcome.PASSED, 0.0, attempts=2, first_failure="once\nmore"))
    assert "| passed | flaky |" in text
    assert "- `t.py::test`: `once`" in text


def test_notes_are_plain_text() -> None:
    assert r"\@team \<b\> \[x\]" in page(notes=("@team <b> [x]",))


def test_the_command_quotes_for_the_shell() -> None:
    assert reproduce([Result("a b.py::t[$x]", Outcome.FAILED, 0.0)], {}) == "python -m pytest 'a b.py::t[$x]'"


def test_junit_has_the_names_that_pytest_gives() -> None:
    names = ["tests/a/test_b.py::TestC::test_d[x::y.z]", "doc.md", "test_e.py::test_f"]
    xml = junit_xml([Result(n, Outcome.PASSED, 0.0) for n in names], suite="s", timestamp="t", seconds=1.0)
    cases = [(case.get("classname"), case.get("name")) for case in ET.fromstring(xml).iter("testcase")]  # noqa: S314
    assert cases == [("tests.a.test_b.TestC", "test_d[x::y.z]"), ("", "doc.md"), ("test_e", "test_f")]


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_junit_is_xml_whatever_the_texts(name: str, message: str) -> None:
    results = [Result(name, outcome, 0.1, message=message, detail=message) for outcome in Outcome]
    root = ET.fromstring(junit_xml(results, suite=name, timestamp="t", seconds=1.0))  # noqa: S314
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == ("6", "1", "1", "2")

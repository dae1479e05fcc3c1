"""A mutant in words: the diff that a person reads, and who did not notice."""

from __future__ import annotations

from ci_kit.selective_mutation.wording import SHOWN_COLUMNS, diff, message, noticed
from unit.mutation_reports import judged, mutant


def test_the_changed_line_before_and_after() -> None:
    assert diff(mutant("user.admin", "True")) == "-     if user.admin:\n+     if True:"


def test_what_is_taken_out_whole_leaves_no_empty_line() -> None:
    found = mutant("@login_required", "", source="@login_required\ndef view():\n    pass\n")
    assert diff(found) == "- @login_required"


def test_several_lines_become_one_and_line_ends_of_windows_are_not_shown() -> None:
    source = "def f():\r\n    raise Wrong(\r\n        1,\r\n    )\r\n\r\nx = 1\r\n"
    found = mutant("raise Wrong(\r\n        1,\r\n    )", "pass", source=source)
    assert diff(found) == "-     raise Wrong(\n-         1,\n-     )\n+     pass"


def test_of_many_lines_the_first_are_shown_and_the_others_counted() -> None:
    block = "log(\n" + "    1,\n" * 30 + ")"
    shown = diff(mutant(block, "pass", source=f"{block}\n")).split("\n")
    assert len(shown) == 12
    assert shown[10] == "- … 22 more lines"
    assert shown[11] == "+ pass"


def test_of_a_very_long_line_the_part_around_the_change_is_shown() -> None:
    source = "x = [" + "1, " * 5000 + "here, " + "2, " * 5000 + "]\n"
    before, after = diff(mutant("here", "None", source=source)).split("\n")
    assert "here" in before
    assert "None" in after
    assert before.startswith("- … ")
    assert before.endswith(" …")
    assert max(len(before), len(after)) <= SHOWN_COLUMNS + 6


def test_nothing_invisible_is_left() -> None:
    source = "x = 'a\u202eb\x1b[31m'\t# \u2066\n"
    shown = diff(mutant("'a", "'b", source=source))
    assert all(each.isprintable() or each == "\n" for each in shown)
    assert r"\u202e" in shown
    found = judged(mutant("user.admin", "True"), "survived", "tests/test_a.py::test[\x1b]")
    assert r"test[\x1b]" in message(found)


def test_who_did_not_notice() -> None:
    change = mutant("user.admin", "True")
    assert noticed(judged(change, "no-coverage")) == "No test runs this code."
    assert noticed(judged(change)) == "The tests that run this code do not notice."
    assert noticed(judged(change, "survived", "t.py::a")) == "One test runs this code and does not notice: t.py::a."
    few = noticed(judged(change, "survived", "t.py::a", "t.py::b"))
    assert few == "2 tests run this code and do not notice: t.py::a, t.py::b."
    many = noticed(judged(change, "survived", *(f"t{n % 2}.py::t{n}" for n in range(8))))
    assert many == "8 tests of 2 files run this code and do not notice, such as t0.py::t0, t1.py::t1, t0.py::t2."


def test_the_message_of_one_mutant() -> None:
    found = judged(mutant("user.admin", "True"), "survived", "tests/test_a.py::test_admin", weakened=True)
    assert message(found).split("\n") == [
        "No test notices this change in allowed (ci-kit:condition-true):",
        "-     if user.admin:",
        "+     if True:",
        "One test runs this code and does not notice: tests/test_a.py::test_admin.",
        "The tests before this change noticed it.",
        "A test must take the way on which this condition is false, and check what follows.",
    ]

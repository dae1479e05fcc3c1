"""Coverage that changed in lines that nobody touched, against an oracle that knows which line is which."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ci_kit.changes import FileChange, Hunk
from ci_kit.coverage_combine.untouched import Shift, Untouched, untouched
from ci_kit.history_coverage import CoverageRecord, FileRecord
from hypothesis import given
from hypothesis import strategies as st

Branch = tuple[int, int]


def record(file: FileRecord, path: str = "a.py") -> CoverageRecord:
    return CoverageRecord("a" * 40, "", {path: file}, branch=True, python="3.12", coverage="7.10")


def data(
    path: str = "a.py",
    *,
    ran: Iterable[int] = (),
    missing: Iterable[int] = (),
    taken: Iterable[Branch] = (),
    left: Iterable[Branch] = (),
) -> dict[str, Any]:
    """The part of coverage's JSON report that matters."""
    lines, branches = (list(ran), list(missing)), (list(map(list, taken)), list(map(list, left)))
    part = {
        "executed_lines": lines[0],
        "missing_lines": lines[1],
        "executed_branches": branches[0],
        "missing_branches": branches[1],
        "summary": {"num_statements": sum(map(len, lines)), "num_branches": sum(map(len, branches))},
    }
    return {"files": {path: part}}


def text(_: str) -> str:
    return "".join(f"x = {number}\n" for number in range(1, 100))


def found(then: CoverageRecord, now: dict[str, Any], change: FileChange | None = None, **more: Any) -> Untouched:  # noqa: ANN401 - any argument
    return untouched(then, {change.path: change} if change else {}, now, text, **more)


def test_a_file_whose_text_is_the_same() -> None:
    then = record(FileRecord(4, 0, ((2, 3),)))
    assert found(then, data(ran=[1, 2], missing=[3, 4])).files == (Shift("a.py", (4,), (), (2,), ()),)
    assert found(then, data(ran=[1, 4], missing=[2, 3])) == Untouched((), ())


def test_lines_that_moved_are_the_same_lines_and_touched_ones_are_nobodys() -> None:
    """Two lines came in after the first, and what was the fourth is another one now."""
    then = record(FileRecord(6, 0, ((3, 3),)))
    change = FileChange("a.py", "a.py", (Hunk(1, 0, 2, 2), Hunk(4, 1, 6, 1)))
    now = data(ran=[1, 5], missing=[2, 3, 4, 6, 7, 8])
    assert found(then, now, change).files == (Shift("a.py", (4, 7, 8), (), (5,), ()),)


def test_a_statement_of_which_one_line_is_touched_is_touched() -> None:
    then = record(FileRecord(2))
    change = FileChange("a.py", "a.py", (Hunk(3, 1, 3, 1),))
    call = "x = 1\nf(\n    2,\n)\n"
    now = data(ran=[1], missing=[2])
    assert untouched(then, {"a.py": change}, now, lambda _: call).files == ()
    assert untouched(then, {}, now, lambda _: call).files == (Shift("a.py", (2,)),)


def test_branches_by_where_they_start_and_end() -> None:
    then = record(FileRecord(9, 8, ((7, 7),), ((2, 3), (5, -1), (7, 8), (7, 9))))
    now = data(
        ran=[1, 2, 3, 4, 5, 7, 9], missing=[6, 8], taken=[(2, 3), (7, 9), (5, -1)], left=[(2, 4), (5, 6), (7, 8), (4, -3), (6, 7)]
    )  # fmt: skip
    shift = Shift(
        "a.py",
        lost_lines=(6, 8),
        lost_branches=((2, 4), (4, -3), (5, 6)),  # not (6, 7): the line itself did not run
        gained_lines=(7,),
        gained_branches=((2, 3), (5, -1)),  # not (7, 9): the line itself had not run
    )
    assert found(then, now).files == (shift,)
    moved = FileChange("a.py", "a.py", (Hunk(0, 0, 1, 10),))
    by_ten = data(
        ran=[11, 12, 13, 14, 15, 17, 19],
        missing=[16, 18],
        taken=[(12, 13), (17, 19), (15, -1)],
        left=[(12, 14), (15, 16), (17, 18), (14, -13), (16, 17)],
    )
    [there] = found(then, by_ten, moved).files
    assert there.lost_lines == (16, 18)
    assert there.lost_branches == ((12, 14), (14, -13), (15, 16))
    assert there.gained_branches == ((12, 13), (15, -1))


def test_a_branch_into_a_touched_line_is_touched() -> None:
    then = record(FileRecord(4, 2))
    change = FileChange("a.py", "a.py", (Hunk(3, 1, 3, 1),))
    now = data(ran=[1, 2, 4], missing=[3], taken=[(2, 4)], left=[(2, 3)])
    assert found(then, now, change).files == ()


def test_branches_of_another_version_are_not_compared() -> None:
    then = record(FileRecord(4, 2))
    now = data(ran=[1, 2, 4], missing=[3], taken=[(2, 4)], left=[(2, 3)])
    assert found(then, now, analysed=("3.13", "7.10")).files == (Shift("a.py", (3,)),)
    assert found(then, now, analysed=("3.12", "7.10")).files == (Shift("a.py", (3,), ((2, 3),)),)


def test_a_renamed_file_is_the_same_file_and_a_new_one_is_not() -> None:
    then = record(FileRecord(2), "old.py")
    now = data("new.py", ran=[1], missing=[2])
    assert found(then, now, FileChange("new.py", "old.py", ())).files == (Shift("new.py", (2,)),)
    assert found(then, now, FileChange("new.py", None, (Hunk(0, 0, 1, 2),))).files == ()
    assert found(then, now).files == ()


def test_a_file_that_counts_otherwise_without_a_change_is_only_named() -> None:
    """Lines that are no longer excluded were not uncovered before: they did not count."""
    then = record(FileRecord(2))
    assert found(then, data(ran=[1], missing=[2, 3])) == Untouched((), ("a.py",))


def test_the_files_that_lost_most_come_first() -> None:
    files = {name: FileRecord(3, 0, ((3, 3),)) for name in ("a.py", "b.py", "c.py")}
    then = CoverageRecord("a" * 40, "", files)
    now = {"files": {**data("a.py", ran=[1, 2, 3])["files"], **data("b.py", ran=[3], missing=[1, 2])["files"],
                     **data("c.py", ran=[1, 3], missing=[2])["files"]}}  # fmt: skip
    answer = found(then, now)
    assert [(file.path, file.lost, file.gained) for file in answer.files] == [
        ("b.py", 2, 1),
        ("c.py", 1, 1),
        ("a.py", 0, 1),
    ]
    assert (answer.lost, answer.gained) == (3, 3)


EDITS = st.lists(st.tuples(st.sampled_from(["keep", "keep", "drop", "add", "replace"]), st.booleans(), st.booleans()))


@given(EDITS)
def test_every_kept_line_is_judged_as_itself_and_no_other(edits: list[tuple[str, bool, bool]]) -> None:
    """Each edit says what became of a line, whether it was covered then, and whether it is now."""
    hunks: list[Hunk] = []
    old = new = 0
    was_missing: list[int] = []
    ran: list[int] = []
    missing: list[int] = []
    lost: list[int] = []
    gained: list[int] = []
    for what, then, now in edits:
        removed, added = what in {"drop", "replace"}, what in {"add", "replace"}
        if what != "keep":
            hunks.append(Hunk(old + removed, int(removed), new + added, int(added)))
        old += what != "add"
        new += what != "drop"
        if what != "add" and not then:
            was_missing.append(old)
        if what != "drop":
            (ran if now else missing).append(new)
        if what == "keep" and then != now:
            (gained if now else lost).append(new)
    file = FileRecord(old, 0, tuple((line, line) for line in was_missing))
    answer = found(record(file), data(ran=ran, missing=missing), FileChange("a.py", "a.py", tuple(hunks)))
    assert answer.files == ((Shift("a.py", tuple(lost), (), tuple(gained), ()),) if lost or gained else ())

"""Which tests a mutant is shown to."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Callable

import pytest
from ci_kit.selective_mutation.budget import costliest, estimate_seconds, in_order
from ci_kit.selective_mutation.carrying import carry
from ci_kit.selective_mutation.controls import RAISED, controls
from ci_kit.selective_mutation.covering import Choice, Covering, Test
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.verdicts import Verdict

TEXT = textwrap.dedent("""\
    LIMIT = 3

    def first(
        a,
        b,
    ):
        if a:
            return sum([
                a,
                b,
            ])
        try:
            return b
        except ValueError:
            return 0

    def second(): return 1

    class Box:
        def third(self):
            for each in range(3):
                print(each)
""")


def bits(*lines: int) -> int:
    return sum(1 << line for line in lines)


def covering(lines: dict[str, int], scopes: tuple[str, ...] = ()) -> Covering:
    tests = tuple(Test(f"test_{name}.py::test", f"test_{name}.py", 1.0) for name in "abcd")
    return Covering(tests, scopes, {"m.py": lines}, "", (), 0.5)


def mutant(line: int, last: int | None = None, *, function: str = "first", security: bool = False) -> Mutant:
    return Mutant(
        f"{function}{line}",
        "m.py",
        function,
        3,
        line,
        last or line,
        "x",
        "a",
        "b",
        security=security,
        start=0,
        original=TEXT,
    )


@pytest.mark.parametrize(
    ("lines", "line", "function", "expected"),
    [
        ({"t0": bits(7), "t2": bits(8)}, 8, "first", Choice((2,), (2,))),
        ({"t1": bits(8)}, 10, "first", Choice((1,), (1,))),  # a continuation line has no code of its own
        ({"t1": bits(7)}, 8, "first", Choice((), ())),  # the head of a statement ran, its body did not
        ({"t3": bits(14)}, 14, "first", Choice((3,), (3,))),
        ({"t0": bits(7), "": bits(7)}, 7, "first", Choice((0,), (0, 1, 2, 3))),
        ({"s0": bits(7)}, 7, "first", Choice((1,), (1,))),
        ({"s1": bits(7), "t0": bits(7)}, 7, "first", Choice((0, 1, 2, 3), (0, 1, 2, 3))),
        ({"": bits(1, 3, 17)}, 1, "", Choice((), (0, 1, 2, 3))),
        # What is in nobody's name but belongs to a function: the tests of the function's body are asked first.
        ({"": bits(3, 4, 5), "t2": bits(7)}, 4, "", Choice((2,), (0, 1, 2, 3))),
        ({}, 7, "first", Choice((), ())),
    ],
)
def test_the_tests_of_a_line(lines: dict[str, int], line: int, function: str, expected: Choice) -> None:
    assert covering(lines, ("test_b.py", "")).choose(mutant(line, function=function)) == expected


def test_json_there_and_back() -> None:
    one = covering({"t0": bits(7, 300), "": bits(1)}, ("a", "."))
    assert Covering.from_json(one.to_json()) == one


def test_controls_are_put_into_the_functions_that_most_tests_run() -> None:
    noop, raises = controls({"m.py": TEXT}, covering({"t0": bits(7, 17), "t1": bits(7), "t2": bits(22)}))
    assert noop is not None
    assert noop.choice.direct == (0, 1)
    for each in (noop, *raises):
        mutated = TEXT[: each.start] + each.text + TEXT[each.start :]
        compile(mutated, "m.py", "exec")
    names = []
    for each in raises:
        namespace: dict[str, Callable[..., int]] = {}
        exec(TEXT[: each.start] + each.text + TEXT[each.start :], namespace)  # noqa: S102 - our own text
        for name, arguments in (("first", (1, 2)), ("second", ())):
            with contextlib.suppress(RuntimeError):
                namespace[name](*arguments)
                names.append(name)
    assert names == ["second", "first"], "what still returned, where the failure is in the other"
    assert RAISED in raises[0].text
    assert len(raises) == 2, "no test runs the first line of the third"


def test_a_docstring_is_no_line_that_runs() -> None:
    text = 'def plain():\n    """What it does."""\n    return 1\n\ndef only():\n    """Nothing."""\n\ndef short(): "Do."; return 2\n'
    noop, raises = controls({"m.py": text}, covering({"t0": bits(3), "t1": bits(8)}))
    assert noop is not None
    for each, name in zip(raises, ("plain", "short"), strict=True):
        namespace: dict[str, Callable[..., int]] = {}
        exec(text[: each.start] + each.text + text[each.start :], namespace)  # noqa: S102 - our own text
        assert namespace[name].__doc__
        with pytest.raises(RuntimeError, match="forced"):
            namespace[name]()


def test_without_a_covered_function_there_is_no_control() -> None:
    assert controls({"m.py": TEXT}, covering({"": bits(1)})) == (None, ())


def test_security_comes_first_and_every_function_has_its_turn() -> None:
    mutants = [mutant(7), mutant(8), mutant(12), mutant(17, function="second"), mutant(14, security=True)]
    assert [each.id for each in in_order(mutants)] == ["first14", "second17", "first7", "first8", "first12"]


def test_costs() -> None:
    known = covering({"t0": bits(7), "t1": bits(7), "t2": bits(17)})
    two, none = estimate_seconds([mutant(7)], known), estimate_seconds([mutant(12)], known)
    assert two > estimate_seconds([mutant(17, function="second")], known) > none == 0
    mutants = [mutant(7), mutant(8), mutant(17, function="second")]
    verdicts = {each.id: Verdict(each.id, "killed", seconds=2.0) for each in mutants}
    assert [(cost.function, cost.mutants, cost.seconds) for cost in costliest(mutants, verdicts)] == [
        ("first", 2, 4.0), ("second", 1, 2.0),
    ]  # fmt: skip


class TestCarrying:
    """What is still known after a change."""

    known = covering({"t0": bits(7, 8), "t1": bits(7, 12), "t2": bits(20, 21, 22), "": bits(1, 3, 17, 19, 20)})

    def test_only_the_tests_of_a_changed_function_run_again(self) -> None:
        now = TEXT.replace("    if a:", "    # more\n    if a or b:")
        carried = carry(self.known, {"m.py": TEXT}, {"m.py": now})
        assert carried is not None
        assert carried.again == (0, 1)
        assert carried.covering.lines["m.py"] == {"t2": bits(21, 22, 23), "": bits(1, 3, 18, 20, 21)}

    def test_together_with_what_ran_again(self) -> None:
        carried = carry(self.known, {"m.py": TEXT}, {"m.py": TEXT.replace("return b\n", "return b + 1\n")})
        assert carried is not None
        again = Covering(self.known.tests[:2], (), {"m.py": {"t0": bits(7), "t1": bits(8), "": bits(1)}}, "", (), 0.1)
        assert carried.with_run(again).lines["m.py"] == {
            "t0": bits(7), "t1": bits(8), "t2": bits(20, 21, 22), "": bits(1, 3, 17, 19, 20),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("LIMIT = 3", "LIMIT = 4"),  # runs at import
            ("    b,\n):", "    b=1,\n):"),  # so does a default
            ("def second(): return 1", "def second(): return 2"),  # on the line of its head
            ("class Box:", "class Box(dict):"),
            ("def third", "def fourth"),
            ("LIMIT", "LIMIT ="),  # no Python any more
        ],
    )
    def test_anything_else_makes_all_tests_run(self, old: str, new: str) -> None:
        assert carry(self.known, {"m.py": TEXT}, {"m.py": TEXT.replace(old, new)}) is None

    def test_a_changed_function_that_ran_at_import_makes_all_tests_run(self) -> None:
        known = covering({"t0": bits(7), "": bits(1, 7)})
        assert carry(known, {"m.py": TEXT}, {"m.py": TEXT.replace("if a:", "if b:")}) is None

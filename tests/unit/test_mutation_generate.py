"""Which mutants are made of a file, where they are, and which are left out."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from types import CodeType

import pytest
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.selective_mutation.change import Change, narrowed
from ci_kit.selective_mutation.engine import Engine
from ci_kit.selective_mutation.generate import generate
from ci_kit.selective_mutation.mutants import Generated, Mutant
from ci_kit.selective_mutation.ranking import best_of_each_line
from ci_kit.selective_mutation.text import Lines, decode, encode
from hypothesis import given
from hypothesis import strategies as st


def of(text: str, lines: set[int] | None = None, per_line: int | None = None) -> Generated:
    wanted = None if lines is None else {"a.py": frozenset(lines)}
    return generate({"a.py": text}, wanted, per_line=per_line)


def short(mutants: tuple[Mutant, ...], operator: str) -> list[tuple[int, str, str]]:
    return [(each.first_line, each.before, each.after) for each in mutants if each.operator == operator]


def test_the_security_pack() -> None:
    text = textwrap.dedent("""\
        @app.route("/größe")
        @property
        def view(self, user, key="ü"):
            if not (user and
                    user.is_admin):
                raise Forbidden("ü")
            elif key: log.info("seen")
            audit(user,
                  key); x = [each for each in user if each.ok]
            while user: break
            return"yes"
        """)
    mutants = of(text).mutants
    assert short(mutants, "ci-kit:condition-true") == [
        (4, "not (user and\n            user.is_admin)", "True"),
        (4, "user", "True"),
        (5, "user.is_admin", "True"),
        (7, "key", "True"),
        (9, "each.ok", "True"),
    ]
    assert [line for line, _, _ in short(mutants, "ci-kit:condition-false")] == [4, 7, 9, 10]
    assert short(mutants, "ci-kit:drop-raise") == [(6, 'raise Forbidden("ü")', "pass")]
    assert short(mutants, "ci-kit:drop-call") == [(8, "audit(user,\n          key)", "pass")]
    assert short(mutants, "ci-kit:return-true") == [(11, '"yes"', " True")]
    assert short(mutants, "ci-kit:return-none") == [(11, '"yes"', " None")]
    assert short(mutants, "ci-kit:return-argument") == [(11, '"yes"', " user")]
    assert short(mutants, "ci-kit:drop-decorator") == [(1, '@app.route("/größe")', "")]
    assert all(each.security == each.operator.startswith("ci-kit:") for each in mutants)
    for each in mutants:
        ast.parse(each.source)
        assert each.source != text
        assert text.count("\n") + 1 >= each.last_line >= each.first_line


def test_what_runs_with_the_module_has_no_function() -> None:
    text = textwrap.dedent("""\
        LIMIT = 1
        class Outer:
            limit = 2
            @guard
            def method(self, most=3):
                def inner():
                    return lambda: 4
                class Local:
                    size = 5
                return [6 for _ in inner()]
        """)
    places = {
        each.before: (each.function, each.function_line) for each in of(text).mutants if each.operator == "number"
    }
    assert places == {
        "1": ("", 0),
        "2": ("", 0),
        "3": ("", 0),
        "4": ("Outer.method.<locals>.inner", 6),
        "5": ("Outer.method", 4),
        "6": ("Outer.method", 4),
    }
    names = {(code.co_qualname, code.co_firstlineno) for code in codes(compile(text, "a.py", "exec"))}
    assert {place for place in places.values() if place[0]} <= names


def codes(code: CodeType) -> list[CodeType]:
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return [code, *(deeper for each in inner for deeper in codes(each))]


def test_a_mutant_that_does_nothing_else_is_dropped_and_counted() -> None:
    generated = of('def f(x):\n    "text"\n    while x:\n        x = 2 * 1\n        y = 4 / True\n')
    assert generated.dropped["same bytecode"] == 2, "the docstring, in two ways"
    assert "text" not in {each.before for each in generated.mutants}


@pytest.mark.parametrize("word", ["break", "continue"])
def test_leaving_a_loop_is_never_the_same_as_going_on(word: str) -> None:
    mutants = of(f"def f(xs):\n    for x in xs:\n        {word}\n    return 1\n").mutants
    assert word in {each.before for each in mutants}


def test_two_ways_to_the_same_code_are_one_mutant() -> None:
    generated = of("x = 1 + 1\n")
    assert generated.dropped == {"duplicate": 1}, "2 + 1 and 1 + 2"
    afters = [each.source for each in generated.mutants]
    assert afters == ["x = 2 + 1\n", "x = None\n", "x = 1 - 1\n"]


def test_ids_do_not_depend_on_lines_or_on_what_is_wanted() -> None:
    text = "def f(x):\n    x = x + 1\n    x = x + 1\n    return x\n"
    ids = [each.id for each in of(text).mutants]
    assert len(set(ids)) == len(ids)
    assert [each.id for each in of("# moved\n\n" + text).mutants] == ids
    assert {each.id for each in of(text, {3}).mutants} <= set(ids)


def test_only_wanted_lines_and_what_they_leave_uncovered() -> None:
    text = "import os\n\ndef f(x):\n    global y\n    y = x\n    del x\n    for each in y:\n        pass\n    return None\n"
    generated = of(text, {1, 3, 4, 6, 7, 9})
    assert {each.first_line for each in generated.mutants} == {9}
    assert generated.unmutated == (("a.py", 6, 7),)
    assert of(text, set()) == Generated((), {}, ())


def test_a_comment_with_a_reason_keeps_mutants_away() -> None:
    text = textwrap.dedent("""\
        def a(x):
            x = x + 1  # ci-kit: no-mutation the service rounds it
            # ci-kit: no-mutation only for people
            say(x,
                1)
            return x + 2  # ci-kit: no-mutation


        def b(x):  # ci-kit: no-mutation: generated
            return x + 3


        def c(x):
            return x + 4  # pragma: no mutate
        """)
    generated = of(text)
    assert {each.first_line for each in generated.mutants} == {6}
    assert [(each.line, each.reason, each.mutants > 0) for each in generated.ignored] == [
        (2, "the service rounds it", True),
        (3, "only for people", True),
        (6, "", True),
        (9, "generated", True),
        (14, "pragma: no mutate", True),
    ]
    assert generated.unmutated == ()


def test_a_cap_keeps_different_checks_before_more_of_the_same() -> None:
    line = 'def f(x, y):\n    if x == 1 and y != 2: raise ValueError("a", "b")\n'
    every = of(line).mutants
    assert len([each for each in every if each.first_line == 2]) > 10
    capped = of(line, per_line=3)
    assert {each.operator for each in capped.mutants} == {
        "ci-kit:drop-raise",
        "ci-kit:condition-true",
        "ci-kit:condition-false",
    }
    assert capped.dropped["over the cap"] == len(every) - 3
    assert best_of_each_line(every, 1000) == list(every)


def test_what_cannot_be_read_is_refused_alone() -> None:
    deep = "x = " + "(" * 400 + ")" * 400
    generated = generate({"a.py": "def f(:\n", "b.py": deep, "c.py": "x = 1\n"}, None, per_line=None)
    assert set(generated.refused) == {"a.py", "b.py"}
    assert {each.path for each in generated.mutants} == {"c.py"}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("indent", ["\t", "  "])
def test_everything_else_in_the_file_stays(newline: str, bom: str, indent: str) -> None:
    text = bom + newline.join(["# \x0cü", "if x:", f"{indent}y = f(1,", "    2) # ü", "elif z:", f"{indent}pass", ""])
    mutants = of(text).mutants
    assert {each.first_line for each in mutants} == {2, 3, 4, 5}
    for each in mutants:
        assert each.source[: each.start] == text[: each.start]
        assert each.source.endswith(text[each.start + len(each.before) :])
        assert text[each.start :].startswith(each.before)


def test_bytes_are_read_by_the_coding_comment() -> None:
    data = "# coding: latin-1\nx = 'ü'\r\n".encode("latin-1")
    text = decode(data, "a.py")
    assert text.endswith("'ü'\r\n")
    assert encode(text, data) == data
    with pytest.raises(CallerMistake, match="cannot be read"):
        decode(b"x = '\xff'\n", "a.py")


@given(st.text("ab =+(,\n", max_size=12), st.text("ab =+(,\n", max_size=12), st.text("ab =", max_size=3))
def test_a_narrowed_change_changes_the_same(before: str, after: str, around: str) -> None:
    text = around + before + around
    change = Change(len(around), len(around) + len(before), after, "x")
    less = narrowed(text, change)
    assert text[: less.start] + less.after + text[less.end :] == around + after + around
    assert change.start <= less.start <= less.end <= change.end


def test_a_statement_of_many_parts_is_cut_short_and_said() -> None:
    call = "".join(f"    a{i},\n" for i in range(400))
    generated = of(f"x = f(\n{call})\n")
    assert generated.dropped["statement too long"] > 0
    assert 100 < len(generated.mutants) < 700
    assert generated.refused == {}


def test_the_values_of_a_long_table_keep_their_mutants() -> None:
    generated = of("X = {\n" + "".join(f"    'key{i}': {i} * 2,\n" for i in range(1500)) + "}\n", per_line=2)
    assert {each.first_line for each in generated.mutants} == set(range(1, 1502))
    assert generated.unmutated == ()


class Silent(Engine):
    """No engine at all."""

    def changes(self, path: str, lines: Lines) -> tuple[list[Change], int]:  # noqa: ARG002 - as the engine has it
        raise InfrastructureFailure(f"asked about {path}", next_step="Ask nothing.")


def test_what_was_asked_for_the_last_time_is_not_made_again(tmp_path: Path) -> None:
    kept = tmp_path / "mutants.json"
    sources = {
        "a.py": "def f(a):\n    if a:  # ci-kit: no-mutation known\n        return 'ü'\n    return 1\n",
        "b.py": "X = 1\n",
    }
    first = generate(sources, None, per_line=None, kept=kept)
    assert len(first.mutants) > 2
    assert generate(sources, None, per_line=None, kept=kept, engine=Silent()) == first
    for change in ({"a.py": sources["a.py"] + "\n"}, {"c.py": "Y = 2\n"}):
        with pytest.raises(InfrastructureFailure, match=r"asked about [ac].py"):
            generate({**sources, **change}, None, per_line=None, kept=kept, engine=Silent())
    with pytest.raises(InfrastructureFailure, match=r"asked about a.py"):
        generate(sources, {"a.py": frozenset([4])}, per_line=None, kept=kept, engine=Silent())
    with pytest.raises(InfrastructureFailure, match=r"asked about a.py"):
        generate(sources, None, per_line=1, kept=kept, engine=Silent())


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "ci-kit/mutants/1", "entries": {"key": 1}}'])
def test_a_broken_file_of_mutants_is_made_anew(tmp_path: Path, text: str) -> None:
    kept = tmp_path / "mutants.json"
    kept.write_text(text, encoding="utf-8")
    made = generate({"a.py": "def f():\n    return 1\n"}, None, per_line=None, kept=kept)
    assert made == generate({"a.py": "def f():\n    return 1\n"}, None, per_line=None)
    assert made.mutants
    assert generate({"a.py": "def f():\n    return 1\n"}, None, per_line=None, kept=kept, engine=Silent()) == made

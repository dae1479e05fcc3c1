"""The report of mutation-testing-elements: what its viewer counts on."""

from __future__ import annotations

from ci_kit.selective_mutation.elements import elements
from unit.mutation_reports import judged, mutant

KILLED = judged(mutant("user.admin", "True"), "killed", "t.py::a", "t.py::b", killer="t.py::b", detail="assert 1 == 2")
SURVIVED = judged(mutant("True\n", "None\n", operator="name"), "survived", "t.py::a")


def test_files_mutants_and_tests() -> None:
    found = elements([KILLED, SURVIVED, judged(mutant("x", "y", source="x\n", path="lib/b.py"), "no-coverage")])
    assert list(found["files"]) == ["app/jwt.py", "lib/b.py"]
    first, second = found["files"]["app/jwt.py"]["mutants"]
    assert (first["status"], first["killedBy"], first["coveredBy"]) == ("Killed", ["t.py::b"], ["t.py::a", "t.py::b"])
    assert (first["statusReason"], first["duration"], first["replacement"]) == ("assert 1 == 2", 250, "True")
    assert second["statusReason"] == "A test must check what this `True` decides."
    assert "killedBy" not in second
    assert "coveredBy" not in found["files"]["lib/b.py"]["mutants"][0]
    assert found["testFiles"] == {"t.py": {"tests": [{"id": "t.py::a", "name": "a"}, {"id": "t.py::b", "name": "b"}]}}


def test_a_killer_that_could_not_be_imported_is_a_test_too() -> None:
    found = elements([judged(mutant("user.admin", "True"), "killed", killer="t.py")])
    assert found["testFiles"] == {"t.py": {"tests": [{"id": "t.py", "name": "t.py"}]}}


def test_the_place_is_counted_as_the_viewer_does() -> None:
    def place(source: str, before: str) -> tuple[tuple[int, int], tuple[int, int]]:
        found = elements([judged(mutant(before, "z", source=source))])["files"]["app/jwt.py"]["mutants"][0]["location"]
        return (found["start"]["line"], found["start"]["column"]), (found["end"]["line"], found["end"]["column"])

    assert place("a\nbc = d\n", "d") == ((2, 6), (2, 7))
    assert place("ü = '\U0001f600'; d\n", "d") == ((1, 11), (1, 12)), "a character beyond 16 bits is two units"
    assert place("a\r\nb\r\nd\r\n", "d") == ((3, 1), (3, 2))
    assert place("a\rb\rd\r", "d") == ((3, 1), (3, 2)), "as Python counts the lines of a very old Mac"
    assert place("a = 1\nb = (\n 2)\n", "(\n 2)") == ((2, 5), (3, 4))


def test_separators_that_python_takes_for_text_do_not_move_lines() -> None:
    file = elements([judged(mutant("d", "e", source="# \u2028 \u2029\nd\n"))])["files"]["app/jwt.py"]
    assert file["source"] == "# \u2424 \u2424\nd\n"
    assert file["mutants"][0]["location"]["start"] == {"line": 2, "column": 1}


def test_nothing_is_no_error() -> None:
    assert elements([])["files"] == {}

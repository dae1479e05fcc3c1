"""Every operator has a sentence on what a test would have to check, and it fits the change."""

from __future__ import annotations

import pytest
from ci_kit.selective_mutation.advice import KNOWN, OTHER, advice
from ci_kit.selective_mutation.generate import generate
from unit.mutation_reports import mutant

EVERYTHING = """
from copy import deepcopy


@app.get("/users")
def users(request, limit=10):
    total = 0
    total += limit
    if request.admin and not request.locked:
        raise ValueError("Not You")
    for each in request.all:
        if each is None:
            continue
        if each in total:
            break
        audit(each, deep=True)
    found = dict(a=1, b=2)
    copied = deepcopy(found)
    sort = lambda value: value
    text = request.name.lower().split(",", 1)
    match text:
        case "a":
            pass
        case _:
            pass
    if total == 7 or limit < 3:
        return copied
    return 1 if sort(~limit) else 2
"""


def test_every_operator_of_mutmut_and_of_the_kit_has_a_sentence_of_its_own() -> None:
    made = generate({"app/auth.py": EVERYTHING}, None, per_line=None).mutants
    assert {each.operator for each in made} == KNOWN
    for each in made:
        said = advice(each)
        assert said != OTHER
        assert said.startswith("A test must ")
        assert said.endswith(".")
        assert "\n" not in said
        assert said.count("`") % 2 == 0
        assert "``" not in said


@pytest.mark.parametrize(
    ("operator", "before", "after", "part"),
    [
        ("swap-op", "<", "<=", "at which both sides are equal"),
        ("swap-op", "==", "!=", "once with equal and once with different values"),
        ("swap-op", "and", "or", "one side of this `and` true and the other false"),
        ("swap-op", "+", "-", "values on which `+` and `-` differ"),
        ("string", "Not You", "XXNot YouXX", "compare this text exactly."),
        ("string", "Not You", "not you", "its capital and small letters"),
        ("name", "True", "False", "what this `True` decides"),
        ("name", "deepcopy", "copy", "deep inside the copy"),
        ("remove-unary-ops", "not ", "", "both ways at this `not`"),
        ("remove-unary-ops", "~", "", "the bits"),
        ("keywords", "break", "return", "after the loop"),
        ("keywords", "continue", "break", "another round of the loop"),
        ("keywords", " ", " not ", "both ways at this comparison"),
        ("arg-removal", "deep=True, ", "", "what the argument `deep=True` changes"),
        ("arg-removal", "f(\n  1)", "", "what this argument changes"),
        ("arg-removal", "key", "None", "an effect of the value that is passed"),
        ("symmetric-string-methods-swap", "name.lower", "name.upper", "`lower` and `upper` give different results"),
        ("ci-kit:drop-raise", "raise X", "pass", "expect the exception"),
        ("an operator of another mutmut", "a", "b", "tell the two versions apart"),
    ],
)
def test_the_sentence_fits_the_change(operator: str, before: str, after: str, part: str) -> None:
    assert part in advice(mutant(before, after, operator=operator, source=f"x = {before}\n"))

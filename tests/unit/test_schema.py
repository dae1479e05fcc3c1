from __future__ import annotations

from typing import Any

import pytest
from ci_kit import schema


def messages(data: object, rule: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in schema.problems(data, rule)]


def test_every_problem_is_told_with_its_place() -> None:
    rule = {
        "type": "object", "required": ["name"], "additionalProperties": False,
        "properties": {"name": {"type": "string"}, "shards": {"type": "array", "items": {"type": "integer", "minimum": 1}}},
    }  # fmt: skip
    assert messages({"nmae": "x", "shards": [1, 0, "2"]}, rule) == [
        "the key 'name' is missing",
        "nmae: unknown key 'nmae' (did you mean 'name'?)",
        "shards[1]: expected a whole number at least 1, found the number 0",
        'shards[2]: expected a whole number at least 1, found "2"',
    ]


@pytest.mark.parametrize(
    ("data", "rule", "message"),
    [
        (3.1, {"type": "string", "title": "a quoted version"}, "expected a quoted version, found the number 3.1"),
        (True, {"type": "integer"}, "expected a whole number, found true"),
        (1, {"const": True}, "expected true, found the number 1"),
        ("forbit", {"enum": ["forbid", "allow"]}, "expected one of \"forbid\", \"allow\", found \"forbit\" (did you mean 'forbid'?)"),
        (None, {"type": ["string", "number"]}, "expected text or a number, found nothing"),
        ([1, 1], {"type": "array", "uniqueItems": True}, "expected different entries, found one that stands twice"),
        ([], {"minItems": 1}, "expected at least 1 entries, found 0"),
        ("x" * 200, {"type": "null"}, f'expected nothing, found "{"x" * 76}…'),
        ({1: 2}, {"type": "object"}, "[1]: expected a text key, found the number 1; quote it"),
        ("unit\n", {"type": "string", "pattern": "^[a-z]+$", "title": "a name"}, 'expected a name, found "unit\\n"'),
    ],
)  # fmt: skip
def test_a_message_says_what_was_expected_and_found(data: object, rule: dict[str, Any], message: str) -> None:
    assert messages(data, rule) == [message]


def test_of_several_choices_the_one_that_was_meant_complains() -> None:
    rule = {"anyOf": [{"const": "all"}, {"type": "array", "items": {"type": "string"}}]}
    assert messages("al", rule) == ['expected "all" or a list, found "al"']
    assert messages(["a", 2], rule) == ["[1]: expected text, found the number 2"]
    assert messages("all", rule) == []


def test_references_are_followed_and_can_be_refined() -> None:
    rule = {"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n", "minimum": 2}}
    assert messages([2, 1], rule) == ["[1]: expected a whole number at least 2, found the number 1"]


def test_check_raises_the_first_problem() -> None:
    with pytest.raises(ValueError, match="report x: a: expected text, found nothing"):
        schema.check({"a": None, "b": 1}, {"properties": {"a": {"type": "string"}, "b": {"const": 2}}}, what="report x")


@pytest.mark.parametrize(
    ("found", "known", "text"),
    [("plam", ["plan", "gate"], " (did you mean 'plan'?)"), ("zzz", ["plan"], ""), (None, [], "")],
)
def test_suggestions_are_made_only_when_something_is_near(found: object, known: list[str], text: str) -> None:
    assert schema.suggestion(found, known) == text


def test_places_are_written_as_in_the_file() -> None:
    assert schema.dotted(("tiers", 0, "services", "redis")) == "tiers[0].services.redis"

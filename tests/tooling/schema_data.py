"""Data for a JSON Schema: right, or right but for one place."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]
SCALARS: Strategy = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 400),
    st.floats(-2, 120),
    st.text(max_size=6),
    st.sampled_from(["auto", "all", "newest", "", "a", "a\n", "3.12", "5m", "7%", 0, 1, 1.0, 100, 256, 257]),
)
ANYTHING: Strategy = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=4), SCALARS, max_size=2)
)
Place = tuple[Any, ...]


@st.composite
def near(draw: st.DrawFn, valid: Strategy) -> Any:  # noqa: ANN401 - any JSON value
    """A valid value; or one with a place replaced, a key removed, or a key or an entry added."""
    value = copy.deepcopy(draw(valid))
    change = draw(st.sampled_from(["none", "replace", "replace", "remove", "add"]))
    place = draw(st.sampled_from(list(_places(value))))
    if change == "none":
        return value
    if not place:
        return draw(ANYTHING) if change == "replace" else value
    *way, last = place
    owner = value
    for part in way:
        owner = owner[part]
    if change == "replace":
        owner[last] = draw(ANYTHING)
    elif change == "remove":
        del owner[last]
    elif isinstance(owner, list):
        owner.append(copy.deepcopy(owner[last]))
    else:
        owner[draw(st.sampled_from(["a", "b-c", "D", "e f"]))] = draw(ANYTHING)
    return value


def _places(value: object, place: Place = ()) -> Iterator[Place]:
    yield place
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _places(part, (*place, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _places(part, (*place, index))


def small_schemas() -> Strategy:
    """Schemas of a keyword or two, from the part of JSON Schema that the kit understands."""
    numbers = st.sampled_from([0, 1, 2, 1.5])
    keywords: dict[str, Strategy] = {
        "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"]),
        "enum": st.lists(SCALARS, min_size=1, max_size=3),
        "const": ANYTHING,
        "required": st.just(["a"]),
        "propertyNames": st.just({"maxLength": 1}),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 2),
        "uniqueItems": st.booleans(),
        "minimum": numbers,
        "maximum": numbers,
        "exclusiveMinimum": numbers,
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(0, 2),
        "pattern": st.sampled_from(["^a?$", "b", "^[0-9]+$"]),
    }
    plain = st.fixed_dictionaries({}, optional=keywords)
    return st.fixed_dictionaries(
        {},
        optional=keywords
        | {
            "items": plain,
            "additionalProperties": st.booleans() | plain,
            "properties": st.dictionaries(st.sampled_from("ab"), plain, max_size=2),
            "anyOf": st.lists(plain, min_size=1, max_size=2),
        },
    )


class SchemaData:
    """Valid values of one schema. Each strategy is made once, because Hypothesis is slow with new ones every time."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._made: dict[str, Strategy] = {}

    def valid(self, rule: Mapping[str, Any]) -> Strategy:
        """Values that `rule` accepts."""
        key = json.dumps(rule, sort_keys=True)
        if key not in self._made:
            self._made[key] = self._make(rule)
        return self._made[key]

    def _make(self, rule: Mapping[str, Any]) -> Strategy:
        if "$ref" in rule:
            target = self._root["$defs"][rule["$ref"].rpartition("/")[2]]
            return self._make({**target, **{key: value for key, value in rule.items() if key != "$ref"}})
        if "anyOf" in rule:
            return st.one_of([self.valid(choice) for choice in rule["anyOf"]])
        if "const" in rule:
            return st.just(rule["const"])
        if "enum" in rule:
            return st.sampled_from(rule["enum"])
        kinds = rule.get("type", "null")
        return st.one_of([self._of_kind(kind, rule) for kind in ([kinds] if isinstance(kinds, str) else kinds)])

    def _of_kind(self, kind: str, rule: Mapping[str, Any]) -> Strategy:
        least, most = rule.get("minimum", -3), rule.get("maximum", 300)
        match kind:
            case "object":
                return self._mapping(rule)
            case "array":
                few = rule.get("minItems", 0)
                unique = json.dumps if rule.get("uniqueItems") else None
                return st.lists(self.valid(rule.get("items", {})), min_size=few, max_size=few + 2, unique_by=unique)
            case "string":
                return self._text(rule)
            case "integer":
                return st.integers(int(least), int(most))
            case "number":
                return st.floats(least, most) | st.integers(int(least), int(most))
            case "boolean":
                return st.booleans()
            case _:
                return st.none()

    def _text(self, rule: Mapping[str, Any]) -> Strategy:
        few, many = rule.get("minLength", 0), rule.get("maxLength", 10**6)
        if "pattern" in rule:
            return st.from_regex(rule["pattern"]).filter(lambda text: few <= len(text) <= many)
        return st.text(min_size=few, max_size=min(few + 6, many))

    def _mapping(self, rule: Mapping[str, Any]) -> Strategy:
        known = {key: self.valid(part) for key, part in rule.get("properties", {}).items()}
        required = {key: known[key] for key in rule.get("required", ()) if key in known}
        optional = {key: value for key, value in known.items() if key not in required}
        base = st.fixed_dictionaries(required, optional=optional)
        others = rule.get("additionalProperties", True)
        if not isinstance(others, dict):
            return base
        names = (
            self.valid(rule["propertyNames"]) if "propertyNames" in rule else st.sampled_from(["a", "b-c", "D", "e f"])
        )
        more = st.dictionaries(names, self.valid(others), max_size=2)
        return st.builds(lambda mine, extra: extra | mine, base, more)

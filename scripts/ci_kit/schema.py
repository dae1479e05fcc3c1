"""Hold data against the JSON Schemas in `schemas/`, with messages a person can act on.

Only the part of JSON Schema 2020-12 that these files use is understood; any other keyword raises, so that no rule is
written that nobody enforces. A contract test compares this reading with the `jsonschema` package. It is not that
package at run time, because planning may need nothing beyond the standard library and PyYAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "schemas"
Place = tuple[str | int, ...]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_NAMES = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number", "number": "a number",
          "boolean": "true or false", "null": "nothing"}  # fmt: skip
_KNOWN = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "default", "examples", "type", "enum", "const", "anyOf",
    "properties", "required", "additionalProperties", "propertyNames", "items", "minItems", "maxItems", "uniqueItems",
    "minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "pattern",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One disagreement. `place` is the way from the root to the value (for an unknown key: to that key)."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.place)}: {self.message}" if self.place else self.message


def dotted(place: Place) -> str:
    """`("tiers", 0, "name")` as `tiers[0].name`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


@cache
def load(name: str) -> Mapping[str, Any]:
    """The schema `schemas/<name>.json`."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def check(data: object, schema: Mapping[str, Any], *, what: str) -> None:
    """Raise `ValueError` naming the first problem of `data`, if it has one."""
    for problem in problems(data, schema):
        raise ValueError(f"{what}: {problem}")


def problems(data: object, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """Every disagreement of `data` with `schema`, in the order of the data."""
    yield from _Checker(schema).walk(data, schema, ())


class _Checker:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def walk(self, data: object, rule: Mapping[str, Any], place: Place) -> Iterator[Problem]:
        rule = self._resolve(rule)
        if unknown := set(rule) - _KNOWN:
            raise NotImplementedError(f"schema keyword {sorted(unknown)[0]} at {dotted(place)}")
        wrong = self._wrong_value(data, rule)
        if wrong is not None:
            yield Problem(place, wrong)
            return
        if "anyOf" in rule:
            yield from self._any_of(data, rule, place)
        if isinstance(data, dict):
            yield from self._mapping(data, rule, place)
        elif isinstance(data, list):
            for index, item in enumerate(data):
                yield from self.walk(item, rule.get("items", {}), (*place, index))

    def _resolve(self, rule: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in rule:
            rule = {
                **self._root["$defs"][rule["$ref"].removeprefix("#/$defs/")],
                **{k: v for k, v in rule.items() if k != "$ref"},
            }
        return rule

    def _any_of(self, data: object, rule: Mapping[str, Any], place: Place) -> Iterator[Problem]:
        choices = [self._resolve(choice) for choice in rule["anyOf"]]
        found = [list(self.walk(data, choice, place)) for choice in choices]
        if not all(found):
            return
        # A choice of the right type was meant: its own, deeper complaint helps more than the list of choices.
        deeper = [problems for problems in found if problems[0].place != place]
        if deeper:
            yield from deeper[0]
        else:
            yield Problem(place, f"expected {' or '.join(map(expected, choices))}, found {shown(data)}")

    def _wrong_value(self, data: object, rule: Mapping[str, Any]) -> str | None:
        if _misses(data, rule):
            near = suggestion(data, rule["enum"]) if "enum" in rule else ""
            return f"expected {expected(rule)}, found {shown(data)}{near}"
        return _wrong_list(data, rule) if isinstance(data, list) else None

    def _mapping(self, data: dict[Any, Any], rule: Mapping[str, Any], place: Place) -> Iterator[Problem]:
        known = rule.get("properties", {})
        others = rule.get("additionalProperties", True)
        for name in rule.get("required", ()):
            if name not in data:
                yield Problem(place, f"the key {name!r} is missing")
        for key, value in data.items():
            here = (*place, key)
            if not isinstance(key, str):
                yield Problem(here, f"expected a text key, found {shown(key)}; quote it")
            elif key in known:
                yield from self.walk(value, known[key], here)
            elif others is False:
                yield Problem(here, f"unknown key {key!r}{suggestion(key, known)}")
            else:
                yield from (
                    Problem(here, f"key: {p.message}") for p in self.walk(key, rule.get("propertyNames", {}), here)
                )
                yield from self.walk(value, {} if others is True else others, here)


def _misses(data: object, rule: Mapping[str, Any]) -> bool:
    """Whether the value itself, whatever is in it, is not what the rule wants."""
    kinds = rule.get("type")
    if kinds is not None and not any(_is(data, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return True
    if "const" in rule and not _same(data, rule["const"]):
        return True
    if "enum" in rule and not any(_same(data, value) for value in rule["enum"]):
        return True
    if isinstance(data, str):
        long_enough = rule.get("minLength", 0) <= len(data) <= rule.get("maxLength", len(data))
        return not long_enough or ("pattern" in rule and re.search(_pattern(rule["pattern"]), data) is None)
    return isinstance(data, int | float) and not isinstance(data, bool) and _out_of_range(data, rule)


def _is(data: object, kind: str) -> bool:
    if isinstance(data, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(data, float):
        return data.is_integer()
    return isinstance(data, _TYPES[kind])


def _same(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1, though Python says so."""
    return _distinct(one) == _distinct(other)


def _distinct(data: object) -> object:
    if isinstance(data, dict):
        return frozenset((key, _distinct(value)) for key, value in data.items())
    if isinstance(data, list):
        return tuple(map(_distinct, data))
    return (type(data) is bool, data)


def _pattern(text: str) -> str:
    """JSON Schema's `$` is the very end, Python's also stands before a last newline."""
    return text[:-1] + r"\Z" if text.endswith("$") and not text.endswith(r"\$") else text


def _wrong_list(data: list[Any], rule: Mapping[str, Any]) -> str | None:
    if len(data) < rule.get("minItems", 0):
        return f"expected at least {rule['minItems']} entries, found {len(data)}"
    if len(data) > rule.get("maxItems", len(data)):
        return f"expected at most {rule['maxItems']} entries, found {len(data)}"
    twice = rule.get("uniqueItems") and len({_distinct(item) for item in data}) < len(data)
    return "expected different entries, found one that stands twice" if twice else None


def _out_of_range(data: float, rule: Mapping[str, Any]) -> bool:
    return bool(
        data < rule.get("minimum", data)
        or data > rule.get("maximum", data)
        or ("exclusiveMinimum" in rule and data <= rule["exclusiveMinimum"])
    )


def expected(rule: Mapping[str, Any]) -> str:
    """What a rule wants, in words: its title where it has one."""
    if "title" in rule:
        return str(rule["title"])
    if "const" in rule:
        return json.dumps(rule["const"])
    if "enum" in rule:
        return "one of " + ", ".join(json.dumps(value) for value in rule["enum"])
    kinds = rule.get("type", [])
    words = " or ".join(_NAMES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))
    limits = [f"{word} {rule[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most")) if key in rule]
    return " ".join([words or "another value", *limits])


def shown(data: object) -> str:
    """A value in a message: short, and with its type where that is the point."""
    if isinstance(data, dict | list):
        return f"{_NAMES['object' if isinstance(data, dict) else 'array']} of {len(data)}"
    if data is None:
        return "nothing"
    text = json.dumps(data, ensure_ascii=False, default=str)
    text = text if len(text) <= 80 else text[:77] + "…"
    return f"the number {text}" if isinstance(data, int | float) and not isinstance(data, bool) else text


def suggestion(found: object, known: object) -> str:
    """` (did you mean 'x'?)`, or nothing when no known word is near."""
    import difflib  # noqa: PLC0415 - only for a mistake; every start would pay for it

    words = [str(word) for word in known] if isinstance(known, list | tuple | Mapping | set | frozenset) else []
    near = difflib.get_close_matches(str(found), words, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""

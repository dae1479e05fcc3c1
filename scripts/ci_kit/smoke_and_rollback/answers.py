"""What an answer says: strict JSON, and RFC 9535 JSONPath that must lead to exactly one value."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import jsonpath

from ci_kit.smoke_and_rollback.redact import SHOWN_CHARACTERS, redact, sounds_secret


class NotFound(Exception):
    """There is no such value; the message says why, and shows nothing of the body."""


def wrong_path(path: str) -> str | None:
    """What is wrong with a JSONPath, or None."""
    try:
        jsonpath.compile(path, strict=True)
    except (jsonpath.JSONPathError, RecursionError, ValueError) as error:
        return str(error).splitlines()[0]
    return None


def read_json(body: bytes) -> Any:  # noqa: ANN401 - JSON holds anything
    """The body as JSON (RFC 8259, so no NaN). Raises `NotFound`, whatever the body is."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotFound("the answer is not JSON") from error


def value_at(data: object, path: str) -> Any:  # noqa: ANN401 - JSON holds anything
    """The one value at `path`. Raises `NotFound` when there is none, or more than one."""
    if isinstance(data, str) and path != "$":  # jsonpath would read JSON inside a text
        raise NotFound(f"{path} leads to no value in the answer, which is a text")
    try:
        found = [data] if path == "$" else jsonpath.findall(path, data, strict=True)  # type: ignore[arg-type]  # any JSON
    except (jsonpath.JSONPathError, RecursionError, TypeError) as error:
        raise NotFound(f"{path} cannot be looked up in the answer") from error
    if len(found) != 1:
        raise NotFound(f"{path} leads to {f'{len(found)} values' if found else 'no value'} in the answer, not to one")
    return found[0]


def same(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1, though Python says so; 1 and 1.0 are one number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def shown(value: object, path: str, secrets: tuple[str, ...]) -> str:
    """A value in a message: short, and not at all where the path sounds as if it led to a secret."""
    if isinstance(value, dict | list):
        return f"{'a mapping' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, str) and sounds_secret(path):
        return f"a text of {len(value)} characters that is not shown"
    text = redact(json.dumps(value, ensure_ascii=False), secrets)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)

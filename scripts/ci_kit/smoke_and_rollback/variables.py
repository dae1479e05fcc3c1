"""`${VAR}` in the values of the specification. `$${` stands for `${` itself.

A variable that is not set, or empty (what GitHub passes for a secret that does not exist), is missing. Replaced values
are never read as YAML, so that no value can add a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_kit.schema import Place
from ci_kit.smoke_and_rollback.redact import sounds_secret

_VARIABLE = re.compile(r"\$(\$?)\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What could end a string or a selector of PromQL.
_QUOTES = re.compile(r"[\"'`\\\n\r{}]")


@dataclass
class Replaced:
    """`data` with the values in place; `missing` and `wrong` are problems by place; `secrets` are values to hide."""

    data: Any
    missing: list[tuple[Place, str]] = field(default_factory=list)
    wrong: list[tuple[Place, str]] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)


def replace_variables(data: object, environment: Mapping[str, str], place: Place = ()) -> Replaced:
    """Replace in all texts of `data`, which stands at `place` of its file. Keys of mappings stay as they are."""
    found = Replaced(None)
    found.data = _walk(data, environment, place, found)
    return found


def unsafe_in_promql(data: object, environment: Mapping[str, str]) -> str | None:
    """The first variable of a query whose value could change the query itself."""
    names = [match[2] for match in _VARIABLE.finditer(str(data)) if not match[1]]
    return next((name for name in names if _QUOTES.search(environment.get(name, ""))), None)


def _walk(data: object, environment: Mapping[str, str], place: Place, found: Replaced) -> Any:  # noqa: ANN401 - any YAML
    if isinstance(data, dict):
        return {key: _walk(value, environment, (*place, key), found) for key, value in data.items()}
    if isinstance(data, list):
        return [_walk(value, environment, (*place, index), found) for index, value in enumerate(data)]
    return _text(data, environment, place, found) if isinstance(data, str) else data


def _text(text: str, environment: Mapping[str, str], place: Place, found: Replaced) -> str:
    def value(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return match[0][1:]
        if not _NAME.fullmatch(name):
            found.wrong.append((place, f"{match[0]!r} names no variable; write $${{ for the characters themselves"))
            return ""
        given = environment.get(name, "").strip()
        if not given:
            found.missing.append((place, name))
        elif sounds_secret(name) or any(sounds_secret(part) for part in place[-1:] if isinstance(part, str)):
            found.secrets.add(given)
        return given

    return _VARIABLE.sub(value, text)

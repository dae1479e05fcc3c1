"""Hide secrets in whatever a run keeps or shows, however they are spelled there."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import quote

ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*=(.*)")
SAID_BY_ADD_MASK = ("raw", "arg", "msg", "kvPairs")


class Masks:
    """Values that must not be shown: the secrets, each of their lines, and whatever `::add-mask::` named.

    As on GitHub, what was shown before `::add-mask::` named it stays shown.
    """

    def __init__(self, values: Sequence[str]) -> None:
        self._spellings: set[str] = set()
        # act repeats a step's whole script with every line of its output.
        self._hidden = lru_cache(maxsize=4096)(self._hide)
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Hide a value, each of its lines, and what a line `NAME=value` (as in `CI_KIT_ENV`) assigns."""
        lines = value.splitlines()
        assigned = [match[1] for match in map(ASSIGNMENT.fullmatch, map(str.strip, lines)) if match]
        # `=` alone is no value but the end of a base64 text.
        parts = {part.strip() for part in [value, *lines, *(each for each in assigned if each.strip("= "))]}
        self._spellings.update(spelling for part in parts if part for spelling in _spellings(part))
        self._hidden.cache_clear()

    def hide(self, text: str) -> str:
        """The text with every value as `***`; values that overlap or touch become one."""
        return self._hidden(text)

    def _hide(self, text: str) -> str:
        spans = sorted(span for spelling in self._spellings for span in _places(text, spelling))
        shown, at = [], 0
        for number, (start, end) in enumerate(spans):
            if start > at or number == 0:
                shown += [text[at:start], "***"]
            at = max(at, end)
        return "".join([*shown, text[at:]])

    def clean(self, data: object) -> object:
        """Decoded JSON with every text in it hidden, keys too."""
        if isinstance(data, str):
            return self.hide(data)
        if isinstance(data, list):
            return [self.clean(each) for each in data]
        if isinstance(data, dict):
            return {self.hide(name): self.clean(value) for name, value in data.items()}
        return data

    def line(self, line: str) -> str:
        """One line of act's output as it may be kept: a record is decoded first, or its escapes would hide the values."""
        try:
            record = json.loads(line)
        except ValueError:
            return self.hide(line)
        if not isinstance(record, dict):
            return self.hide(line)
        if command_of(record) == "add-mask":
            record = {name: value for name, value in record.items() if name not in SAID_BY_ADD_MASK}
            record["command"] = "add-mask"
        text = json.dumps(self.clean(record), ensure_ascii=False)
        return text.encode(errors="backslashreplace").decode()


def command_of(record: Mapping[str, Any]) -> str | None:
    """The workflow command that a record of act tells; act takes `error::a.py` for the name in `::error::a.py::b c`."""
    command = record.get("command")
    return None if command is None else str(command).partition("::")[0]


def _places(text: str, value: str) -> Iterator[tuple[int, int]]:
    at = text.find(value)
    while at >= 0:
        yield at, at + len(value)
        at = text.find(value, at + 1)


def _spellings(value: str) -> set[str]:
    """A value as it is, and as workflow commands, JSON (Go's too), addresses, markup and base64 spell it."""
    data = value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    html_safe = plain.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    raw = value.encode(errors="surrogatepass")
    return {
        value,
        data,
        data.replace(":", "%3A").replace(",", "%2C"),
        plain,
        html_safe,
        json.dumps(value)[1:-1],
        quote(raw, safe=""),
        escape(value),
        escape(value, quote=False),
        base64.b64encode(raw).decode(),
    }

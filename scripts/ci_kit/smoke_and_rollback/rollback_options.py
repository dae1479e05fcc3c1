"""The keys of `rollback:` that belong to the strategy, read with messages that name the key and its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_kit.errors import CallerMistake


@dataclass(frozen=True)
class Options:
    """The block as the file has it; `file` and `lines` place the messages. Every method raises `CallerMistake`."""

    values: Mapping[str, Any]
    lines: Mapping[str, int] = field(default_factory=dict)
    file: str | None = None

    def only(self, *keys: str) -> None:
        """Refuse any key that the strategy does not know."""
        for key in self.values:
            if key not in keys:
                raise self.mistake(key, "is not known to this strategy", f"Known are {', '.join(sorted(keys))}.")

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty; needed when there is no default."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.mistake(key, "must be a text", f"Write {key}: and its value.")
        return value

    def optional(self, key: str) -> str | None:
        """A text, or None when the key is not there."""
        return self.text(key) if key in self.values else None

    def texts(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        """A list of texts (the arguments of a program, names); empty when it is not there and not `needed`."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str | int) for item in value):
            raise self.mistake(key, "must be a list of texts", "Write it as [first, second].")
        if not value and needed:
            raise self.mistake(key, "is needed", "Write it as [first, second].")
        return tuple(str(item) for item in value)

    def mistake(self, key: str, problem: str, next_step: str) -> CallerMistake:
        """The error about `key`."""
        return CallerMistake(
            f"rollback.{key} {problem}.", next_step=next_step, file=self.file, line=self.lines.get(key)
        )

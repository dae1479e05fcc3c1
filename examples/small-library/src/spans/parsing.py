"""Reading spans of whole numbers from text."""

from __future__ import annotations

import re

from spans.span import Span

_SPAN = re.compile(r"\s*(-?\d+)\s*(?:\.\.\s*(-?\d+)\s*)?")


class ParseError(ValueError):
    """The text is not a list of spans. `position` is where the bad item starts."""

    def __init__(self, item: str, position: int) -> None:
        super().__init__(
            f"at position {position}: {item.strip()!r} is not a span; "
            "expected a number or start..end, with start before end"
        )
        self.position = position


def parse_spans(text: str) -> list[Span[int]]:
    """Reads `1..5, 7, 9..12`; one number stands for itself alone. Empty text is no spans."""
    if not text.strip():
        return []
    spans = []
    position = 0
    for item in text.split(","):
        spans.append(_parse_one(item, position))
        position += len(item) + 1
    return spans


def _parse_one(item: str, position: int) -> Span[int]:
    match = _SPAN.fullmatch(item)
    if match is None:
        raise ParseError(item, position)
    start = int(match[1])
    end = start + 1 if match[2] is None else int(match[2])
    if end <= start:
        raise ParseError(item, position)
    return Span(start, end)

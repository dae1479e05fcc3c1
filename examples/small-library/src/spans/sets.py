"""A set of points, kept as the fewest spans that describe it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Generic

from spans.parsing import parse_spans
from spans.span import Span, T


class SpanSet(Generic[T]):
    """Immutable. Its spans are sorted, and no two of them overlap or touch.

    Every operation on two sets takes time in proportion to the number of spans in both.
    """

    __slots__ = ("_spans",)

    def __init__(self, spans: Iterable[Span[T]] = ()) -> None:
        merged: list[Span[T]] = []
        for span in sorted(spans, key=lambda span: span.start):
            if merged and span.touches(merged[-1]):
                if merged[-1].end < span.end:
                    merged[-1] = Span(merged[-1].start, span.end)
            else:
                merged.append(span)
        self._spans = tuple(merged)

    @staticmethod
    def parse(text: str) -> SpanSet[int]:
        """Reads what `str` writes, for whole numbers. Raises ParseError."""
        return SpanSet(parse_spans(text))

    def __iter__(self) -> Iterator[Span[T]]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def __str__(self) -> str:
        return ", ".join(map(str, self._spans))

    def __repr__(self) -> str:
        return f"SpanSet({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpanSet) and self._spans == other._spans

    def __hash__(self) -> int:
        return hash(self._spans)

    def __contains__(self, point: T) -> bool:
        index = bisect_right(self._spans, point, key=lambda span: span.start)
        return index > 0 and point in self._spans[index - 1]

    def __or__(self, other: SpanSet[T]) -> SpanSet[T]:
        return SpanSet((*self, *other))

    def __and__(self, other: SpanSet[T]) -> SpanSet[T]:
        common: list[Span[T]] = []
        left, right = 0, 0
        while left < len(self._spans) and right < len(other._spans):
            one, two = self._spans[left], other._spans[right]
            if one.overlaps(two):
                start = max(one.start, two.start)
                end = min(one.end, two.end)
                common.append(Span(start, end))
            if one.end < two.end:
                left += 1
            else:
                right += 1
        return SpanSet(common)

    def __sub__(self, other: SpanSet[T]) -> SpanSet[T]:
        kept: list[Span[T]] = []
        cut = 0
        for span in self._spans:
            start = span.start
            # A cut may reach over several spans, so the last one that was used is looked at again.
            while cut < len(other._spans) and not span.start < other._spans[cut].end:
                cut += 1
            ahead = cut
            while ahead < len(other._spans) and other._spans[ahead].start < span.end:
                hole = other._spans[ahead]
                if start < hole.start:
                    kept.append(Span(start, hole.start))
                start = hole.end
                ahead += 1
            if start < span.end:
                kept.append(Span(start, span.end))
        return SpanSet(kept)

    def __xor__(self, other: SpanSet[T]) -> SpanSet[T]:
        return (self - other) | (other - self)

    def __le__(self, other: SpanSet[T]) -> bool:
        return not len(self - other)

    def gaps(self) -> SpanSet[T]:
        """What lies between the first and the last point and is not in the set."""
        pairs = zip(self._spans, self._spans[1:], strict=False)
        return SpanSet(Span(before.end, after.start) for before, after in pairs)

    def total(self) -> Any:
        """The summed lengths, for points that can be subtracted; 0 for an empty set."""
        lengths: list[Any] = [_length(span) for span in self._spans]
        return sum(lengths[1:], start=lengths[0]) if lengths else 0


def _length(span: Span[Any]) -> Any:
    return span.end - span.start

"""One half-open interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar


class Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


T = TypeVar("T", bound=Ordered)


@dataclass(frozen=True, order=True)
class Span(Generic[T]):
    """Everything from `start` up to, but without, `end`. Raises ValueError when it is empty."""

    start: T
    end: T

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError(f"A span must end after its start: {self.start}..{self.end}")

    def __contains__(self, point: T) -> bool:
        return not point < self.start and point < self.end

    def __str__(self) -> str:
        return f"{self.start}..{self.end}"

    def overlaps(self, other: Span[T]) -> bool:
        """Whether the two have a point in common. Spans that only touch have none."""
        return self.start < other.end and other.start < self.end

    def touches(self, other: Span[T]) -> bool:
        """Whether the two together are one span without a gap."""
        return not other.end < self.start and not self.end < other.start

    def covers(self, other: Span[T]) -> bool:
        return not other.start < self.start and not self.end < other.end

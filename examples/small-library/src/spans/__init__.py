"""Sets of half-open intervals."""

from spans.parsing import ParseError
from spans.sets import SpanSet
from spans.span import Span

__all__ = ["ParseError", "Span", "SpanSet"]

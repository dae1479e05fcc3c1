"""A badge as SVG, made here: no service learns of it, and it shows what the gates judged.

The layout is the usual one of two boxes. Every text has a `textLength`, so that it fills its box in whatever font the
reader has; the widths below are those of Verdana at 11 px, for which that hardly stretches anything.
"""

from __future__ import annotations

from html import escape

from ci_kit.coverage_combine.numbers import Counts

LABEL = "coverage"
# White text on each of these has a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3).
GREEN, AMBER, RED, GREY = "#1a7f37", "#9a6700", "#cf222e", "#57606a"
NEAR = 5
"""Points below the threshold that are still amber."""
_PADDING = 6
_WIDE = 7.0  # a letter, rounded from Verdana's advance widths (units of 2048 an em)
_WIDTHS = {"0123456789": 7.0, ".": 4.0, "%": 11.84, " ": 3.87, "a": 6.61, "c": 5.73, "e": 6.55, "g": 6.85, "o": 6.68,
           "r": 4.69, "v": 6.51, "n": 6.96, "i": 3.02, "t": 4.33}  # fmt: skip


def badge(counts: Counts, threshold: float, *, passed: bool) -> str:
    """The badge of a total, rounded down: green when all gates `passed`, else amber near the `threshold` or red."""
    value = "nothing to cover" if counts.hundredths is None else f"{_short(counts.hundredths)} %"
    return svg(LABEL, value, colour(counts, threshold, passed=passed))


def _short(hundredths: int) -> str:
    return f"{hundredths // 100}" if hundredths % 100 < 10 else f"{hundredths // 100}.{hundredths % 100 // 10}"


def colour(counts: Counts, threshold: float, *, passed: bool) -> str:
    """By verdict and distance; exact, as the gates are."""
    if not counts.counted:
        return GREY
    if passed:
        return GREEN
    return AMBER if counts.reaches(max(0.0, threshold - NEAR)) else RED


def svg(label: str, value: str, fill: str) -> str:
    """Two boxes with a text each."""
    left, right = _width(label), _width(value)
    first, second = round(left + 2 * _PADDING), round(right + 2 * _PADDING)
    total, said = first + second, escape(f"{label}: {value}")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{said}">',
            f"<title>{said}</title>",
            f'<clipPath id="r"><rect width="{total}" height="20" rx="3"/></clipPath>',
            '<g clip-path="url(#r)">',
            f'<rect width="{first}" height="20" fill="#24292f"/>',
            f'<rect x="{first}" width="{second}" height="20" fill="{fill}"/>',
            "</g>",
            '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">',
            f'<text x="{first / 2:g}" y="14" textLength="{left:.1f}">{escape(label)}</text>',
            f'<text x="{first + second / 2:g}" y="14" textLength="{right:.1f}">{escape(value)}</text>',
            "</g>",
            "</svg>",
            "",
        ]
    )


def _width(text: str) -> float:
    """Pixels of `text` at 11 px."""
    return sum(next((width for letters, width in _WIDTHS.items() if each in letters), _WIDE) for each in text)

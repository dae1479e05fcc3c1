"""The badge and the trend: small pictures that must not mislead."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from ci_kit.coverage_combine.badge import AMBER, GREEN, GREY, RED, badge, svg
from ci_kit.coverage_combine.numbers import Counts
from ci_kit.trend import Point, chart, sparkline

SVG = "{http://www.w3.org/2000/svg}"


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - written by the function under test


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in parsed(picture).iter(f"{SVG}text")]


def fill(picture: str) -> str:
    return [element.attrib["fill"] for element in parsed(picture).iter(f"{SVG}rect") if "fill" in element.attrib][-1]


@pytest.mark.parametrize(
    ("counts", "passed", "value", "colour"),
    [
        (Counts(9135, 10_000), True, "91.3 %", GREEN),
        (Counts(8499, 10_000), False, "84.9 %", AMBER),  # never rounded up to the gate
        (Counts(80, 100), False, "80 %", AMBER),
        (Counts(7999, 10_000), False, "79.9 %", RED),
        (Counts(95, 100), False, "95 %", AMBER),  # another gate says no
        (Counts(100, 100), True, "100 %", GREEN),
        (Counts(0, 100), False, "0 %", RED),
        (Counts(0, 0), True, "nothing to cover", GREY),
    ],
)
def test_the_badge_rounds_down_and_shows_the_verdict(counts: Counts, value: str, colour: str, *, passed: bool) -> None:
    picture = badge(counts, 85, passed=passed)
    assert texts(picture) == ["coverage", value]
    assert fill(picture) == colour
    assert f"<title>coverage: {value}</title>" in picture


def test_every_text_is_held_to_its_box() -> None:
    root = parsed(badge(Counts(9135, 10_000), 85, passed=True))
    label, value = root.iter(f"{SVG}text")
    first, second = (rect for rect in root.iter(f"{SVG}rect") if "fill" in rect.attrib)
    assert float(first.attrib["width"]) + float(second.attrib["width"]) == float(root.attrib["width"])
    for text, box in ((label, first), (value, second)):
        room = float(box.attrib["width"]) - float(text.attrib["textLength"])
        assert 11 <= room <= 13
        middle = float(box.attrib.get("x", "0")) + float(box.attrib["width"]) / 2
        assert float(text.attrib["x"]) == middle


def test_no_text_becomes_markup() -> None:
    hostile = '"><script>alert(1)</script>&'
    picture = svg(hostile, hostile, RED)
    assert "<script" not in picture
    assert texts(picture) == [hostile, hostile]
    assert parsed(picture).attrib["aria-label"] == f"{hostile}: {hostile}"


def points(*hundredths: int) -> list[Point]:
    return [Point(f"{index:040x}", value) for index, value in enumerate(hundredths)]


def test_a_trend_needs_three_points() -> None:
    assert sparkline(points(9000, 9100)) == ""
    assert chart(points(9000, 9100), "Coverage", 85) == []


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ((8000, 9000, 10_000), "▁▄█"),
        ((9000, 9000, 9000), "▄▄▄"),
        ((9000, 9010, 9005), "▄▄▄"),  # a tenth of a percent is no mountain
        ((10_000, 10_000, 10_000), "███"),
        ((0, 0, 0), "▁▁▁"),
        ((9990, 10_000, 9995), "▇█▇"),
        ((9000, 8000, 8500), "█▁▄"),
    ],
)
def test_the_sparkline(values: tuple[int, ...], line: str) -> None:
    assert sparkline(points(*values)) == line


def test_the_chart_has_the_gate_in_it() -> None:
    lines = chart(points(8012, 9000, 9135), "Coverage", 85)
    assert lines[0] == "```mermaid"
    assert lines[2] == "xychart-beta"
    assert "plotColorPalette" in lines[1], "Mermaid's own first colour can hardly be seen on white"
    assert '    x-axis ["-2", "-1", "0"]' in lines
    assert '    y-axis "percent" 79 --> 93' in lines
    assert "    line [80.12, 90, 91.35]" in lines
    assert "    line [85, 85, 85]" in lines
    assert '    y-axis "percent" 0 --> 100' in chart(points(0, 5000, 10_000), "Coverage", 85)

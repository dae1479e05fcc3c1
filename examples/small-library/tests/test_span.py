from datetime import date

import pytest

from spans import Span


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), ("b", "a")])
def test_a_span_that_is_empty_is_refused(start, end):
    with pytest.raises(ValueError, match="must end after its start"):
        Span(start, end)


def test_a_span_has_its_start_but_not_its_end():
    span = Span(2, 5)

    assert [point for point in range(8) if point in span] == [2, 3, 4]


@pytest.mark.parametrize(
    ("other", "overlaps", "touches", "covers"),
    [
        (Span(0, 1), False, False, False),
        (Span(0, 2), False, True, False),
        (Span(0, 3), True, True, False),
        (Span(2, 5), True, True, True),
        (Span(3, 4), True, True, True),
        (Span(4, 9), True, True, False),
        (Span(5, 9), False, True, False),
        (Span(6, 9), False, False, False),
    ],
    ids=str,
)
def test_how_two_spans_lie(other, overlaps, touches, covers):
    span = Span(2, 5)

    assert span.overlaps(other) is other.overlaps(span) is overlaps
    assert span.touches(other) is other.touches(span) is touches
    assert span.covers(other) is covers


def test_a_span_may_be_of_dates():
    week = Span(date(2024, 2, 26), date(2024, 3, 4))

    assert date(2024, 2, 29) in week
    assert str(week) == "2024-02-26..2024-03-04"


def test_spans_are_ordered_by_start_then_end():
    assert sorted([Span(2, 3), Span(1, 9), Span(1, 2)]) == [Span(1, 2), Span(1, 9), Span(2, 3)]

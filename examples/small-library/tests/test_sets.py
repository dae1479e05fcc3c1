import random
from datetime import date, timedelta

import pytest

from spans import Span, SpanSet

parse = SpanSet.parse


@pytest.mark.parametrize(
    ("one", "two", "union", "common", "only_one", "either"),
    [
        ("", "", "", "", "", ""),
        ("1..5", "", "1..5", "", "1..5", "1..5"),
        ("", "1..5", "1..5", "", "", "1..5"),
        ("1..5", "1..5", "1..5", "1..5", "", ""),
        ("1..5", "3..8", "1..8", "3..5", "1..3", "1..3, 5..8"),
        ("1..9", "3..5", "1..9", "3..5", "1..3, 5..9", "1..3, 5..9"),
        ("1..3, 5..7", "3..5", "1..7", "", "1..3, 5..7", "1..7"),
        ("1..3, 5..7, 9..11", "2..10", "1..11", "2..3, 5..7, 9..10", "1..2, 10..11", "1..2, 3..5, 7..9, 10..11"),
    ],
)
def test_the_operations(one, two, union, common, only_one, either):
    left, right = parse(one), parse(two)

    assert str(left | right) == union
    assert str(left & right) == common
    assert str(left - right) == only_one
    assert str(left ^ right) == either


@pytest.mark.parametrize("seed", range(8))
def test_the_operations_agree_with_sets_of_points(seed):
    chance = random.Random(seed)
    for _ in range(40):
        left, right = (
            SpanSet(
                Span(start, start + chance.randint(1, 6)) for start in chance.sample(range(40), chance.randint(0, 8))
            )
            for _ in range(2)
        )
        one, two = ({point for point in range(50) if point in spans} for spans in (left, right))
        results = {
            "or": (left | right, one | two),
            "and": (left & right, one & two),
            "sub": (left - right, one - two),
            "xor": (left ^ right, one ^ two),
        }
        for name, (spans, points) in results.items():
            assert {point for point in range(50) if point in spans} == points, name
            assert spans == SpanSet(Span(point, point + 1) for point in points), name
            assert spans.total() == len(points), name
        assert (left <= right) is (one <= two)


def test_spans_that_overlap_or_touch_become_one():
    spans = SpanSet([Span(5, 7), Span(1, 3), Span(3, 5), Span(2, 3), Span(9, 10)])

    assert list(spans) == [Span(1, 7), Span(9, 10)]
    assert len(spans) == 2


def test_a_span_inside_another_does_not_shorten_it():
    assert str(SpanSet([Span(1, 9), Span(2, 3)])) == "1..9"


def test_gaps_lie_between_the_spans():
    assert str(parse("1..3, 5..6, 9..12").gaps()) == "3..5, 6..9"
    assert not len(parse("1..3").gaps())
    assert not len(parse("").gaps())


def test_the_total_of_dates_is_a_duration():
    spans = SpanSet(
        [
            Span(date(2024, 2, 28), date(2024, 3, 1)),
            Span(date(2024, 12, 31), date(2025, 1, 1)),
        ]
    )

    assert spans.total() == timedelta(days=3)
    assert SpanSet().total() == 0


def test_equal_sets_have_equal_hashes():
    one, two = parse("1..3, 3..5"), parse("1..5")

    assert one == two
    assert len({one, two}) == 1
    assert one != "1..5"


def test_the_representation_can_be_read():
    assert repr(parse("1..3, 5")) == "SpanSet('1..3, 5..6')"

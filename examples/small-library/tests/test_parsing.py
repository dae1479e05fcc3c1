import pytest

from spans import ParseError, SpanSet


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("  ", ""),
        ("1..5", "1..5"),
        ("7", "7..8"),
        (" 1 .. 5 ,7 ", "1..5, 7..8"),
        ("-5..-2, 0", "-5..-2, 0..1"),
        ("9..12, 1..3, 3..4", "1..4, 9..12"),
    ],
)
def test_text_becomes_spans_and_text_again(text, written):
    spans = SpanSet.parse(text)

    assert str(spans) == written
    assert SpanSet.parse(written) == spans


@pytest.mark.parametrize(
    ("text", "position"),
    [("x", 0), ("1..", 0), ("5..1", 0), ("3..3", 0), ("1, ,2", 2), ("1..2,1.5", 5), ("1..2..3", 0)],
)
def test_bad_text_is_refused_with_its_position(text, position):
    with pytest.raises(ParseError, match=f"at position {position}: .*expected a number") as caught:
        SpanSet.parse(text)

    assert caught.value.position == position

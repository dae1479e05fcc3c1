"""A change of a file's text before it is a mutant, cut down to what differs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """Replace the text from `start` to `end` (offsets in characters) by `after`."""

    start: int
    end: int
    after: str
    operator: str


class CannotMutate(Exception):
    """mutmut cannot read a file: why."""


class InternalsChanged(Exception):
    """mutmut is not what its adapter knows."""


def narrowed(text: str, change: Change) -> Change:
    """The same change without what both sides share at their ends, but with whole words and operators.

    `foo(a, b)` → `foo(b)` becomes `a, ` → nothing; `x += 1` → `x = 1` becomes `+=` → `=`. What is only added takes the
    word before it along: a change is always somewhere.
    """
    before, after = text[change.start : change.end], change.after
    shorter = min(len(before), len(after))
    head = _shared(before, after, shorter)
    tail = _shared(before[::-1], after[::-1], shorter - head)
    while head and _glued(before, after, head - 1, head):
        head -= 1
    while tail and _glued_at_end(before, after, tail):
        tail -= 1
    if len(before) == head + tail:
        word = _word_before(before, head)
        head, tail = (word, tail) if word < head else (0, 0)
    start, end = change.start + head, change.end - tail
    return Change(start, end, after[head : len(after) - tail], change.operator)


def _word_before(text: str, end: int) -> int:
    start = len(text[:end].rstrip())
    kind = _kind(text[start - 1]) if start else 0
    while start and _kind(text[start - 1]) == kind:
        start -= 1
    return start


def _shared(one: str, other: str, most: int) -> int:
    for at in range(most):
        if one[at] != other[at]:
            return at
    return most


def _glued(before: str, after: str, left: int, right: int) -> bool:
    """The cut between the places `left` and `right` would split a word or an operator on one of the sides."""
    kind = _kind(before[left])
    return kind > 0 and any(right < len(side) and _kind(side[right]) == kind for side in (before, after))


def _glued_at_end(before: str, after: str, tail: int) -> bool:
    kind = _kind(before[len(before) - tail])
    return kind > 0 and any(tail < len(side) and _kind(side[-tail - 1]) == kind for side in (before, after))


def _kind(character: str) -> int:
    if character.isalnum() or character in "_.":
        return 1
    return 2 if character in "=!<>+-*/%&|^~@:" else 0

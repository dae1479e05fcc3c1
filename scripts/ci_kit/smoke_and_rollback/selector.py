"""A PromQL selector, `name{label="value", …}`, taken apart as far as its check before a deployment needs it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"\s*([A-Za-z_:][\w:]*)?\s*(\{(.*)\}\s*)?", re.DOTALL)
_STRING = r'"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'" + r"|`[^`]*`"
_MATCHER = re.compile(
    rf"\s*(?:(?P<label>[A-Za-z_]\w*|{_STRING})\s*(?P<how>=~|!~|!=|=)\s*)?(?P<value>{_STRING})\s*(?:,|\Z)", re.DOTALL
)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Matcher:
    """One condition, as it is written. Without a label it is the quoted name of the metric (Prometheus 3)."""

    label: str
    how: str
    value: str

    @property
    def plain(self) -> str:
        """The value without quotes and simple escapes."""
        inner = self.value[1:-1]
        return inner if self.value.startswith("`") else _ESCAPE.sub(r"\1", inner)

    def __str__(self) -> str:
        return f"{self.label}{self.how}{self.value}"


@dataclass(frozen=True)
class Selector:
    """A metric and its conditions."""

    name: str
    matchers: tuple[Matcher, ...]

    def __str__(self) -> str:
        return f"{self.name}{{{','.join(map(str, self.matchers))}}}"

    def labels(self) -> dict[str, set[str]]:
        """Each label with its conditions as text."""
        found: dict[str, set[str]] = {}
        for matcher in self.matchers:
            found.setdefault(matcher.label, set()).add(str(matcher))
        return found


def parse_selector(text: str) -> Selector | None:
    """None for anything but a plain selector: functions, sums, ranges and offsets do not count single requests."""
    found = _NAME.fullmatch(text)
    if found is None or not (found[1] or found[2]):
        return None
    rest, matchers = found[3] or "", []
    while rest.strip():
        matcher = _MATCHER.match(rest)
        if matcher is None:
            return None
        matchers.append(Matcher(matcher["label"] or "", matcher["how"] or "", matcher["value"]))
        rest = rest[matcher.end() :]
    return Selector(found[1] or "", tuple(matchers))


def before_deployment(
    selector: Selector, version: str, baseline: Selector | None, of_all: Selector | None = None
) -> Selector:
    """What must have a series already, although the new version has none and nothing has failed yet.

    A condition on `version`, or one that the baseline's selector has otherwise, only asks for the label; and so does one
    that `of_all` (the selector of all requests, where this is the one of the errors) does not have.
    """

    def is_relaxed(matcher: Matcher) -> bool:
        names_version = bool(version) and version in matcher.plain
        if not matcher.label:
            return False
        return names_version or any(
            other is not None and str(matcher) not in other.labels().get(matcher.label, ())
            for other in (baseline, of_all)
        )

    relaxed = [Matcher(each.label, "!=", '""') if is_relaxed(each) else each for each in selector.matchers]
    return Selector(selector.name, tuple(dict.fromkeys(relaxed)))

"""Whether what a cache file holds can be worked with: it may be old, cut off or hostile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

_HEX = frozenset("0123456789abcdef")
Check = Callable[[object], bool]


def is_entry(entry: object) -> bool:
    """A mutant's last verdict, with what it depended on."""
    if not isinstance(entry, dict):
        return False
    if entry.get("status") in {"killed", "timeout"}:
        return _is_text(entry.get("killer"))
    return (
        entry.get("status") == "survived"
        and _is_text(entry.get("around"))
        and _is_text(entry.get("of-tests"))
        and _all(_is_text)(entry.get("tests"))
    )


def is_covering(covering: object) -> bool:
    """Which tests ran which lines, and what that run was made of. Every number of a test or scope is one that exists."""
    if not isinstance(covering, dict) or not isinstance(answer := covering.get("answer"), dict):
        return False
    tests, scopes = answer.get("tests"), answer.get("scopes")
    return (
        all(_is_text(covering.get(key)) for key in ("of", "environment"))
        and all(_mapped(_is_text)(covering.get(key)) for key in ("files", "sources"))
        and _all(_is_trusted)(covering.get("trusted", []))
        and _all(_is_test)(tests)
        and all(_all(_is_text)(answer.get(key)) for key in ("scopes", "modules", "others"))
        and _is_text(answer.get("unforkable"))
        and _is_seconds(answer.get("start-seconds"))
        and isinstance(lines := answer.get("lines"), dict)
        and isinstance(tests, list)
        and isinstance(scopes, list)
        and all(_are_lines(found, len(tests), len(scopes)) for found in lines.values())
    )


def _are_lines(found: object, tests: int, scopes: int) -> bool:
    if not isinstance(found, dict):
        return False
    return all(
        _is_context(name, tests, scopes) and isinstance(bits, str) and bool(bits) and _HEX.issuperset(bits)
        for name, bits in found.items()
    )


def _is_context(name: str, tests: int, scopes: int) -> bool:
    if not name:
        return True
    number = name[1:]
    most = {"t": tests, "s": scopes}.get(name[0], 0)
    return number.isascii() and number.isdigit() and len(number) < 10 and int(number) < most


def _is_test(found: object) -> bool:
    return (
        isinstance(found, dict)
        and _is_text(found.get("id"))
        and _is_text(found.get("file"))
        and _is_seconds(found.get("seconds"))
    )


def _is_trusted(found: object) -> bool:
    return isinstance(found, list) and len(found) == 2 and _is_text(found[0]) and type(found[1]) is int


def _is_seconds(found: object) -> bool:
    return type(found) in {int, float} and 0 <= found <= 1e6  # type: ignore[operator]


def _is_text(found: object) -> bool:
    return isinstance(found, str)


def _all(check: Check) -> Check:
    return lambda found: isinstance(found, list) and all(map(check, found))


def _mapped(check: Check) -> Check:
    return lambda found: isinstance(found, Mapping) and all(map(check, found.values()))

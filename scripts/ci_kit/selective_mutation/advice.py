"""What a test would have to check to notice a mutant: one sentence, by the operator and what it changed.

Code in a sentence stands between backticks and has none itself: the sentence may go into Markdown as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from ci_kit.selective_mutation.mutants import Mutant

OTHER = "A test must tell the two versions apart."
_LIMITS = frozenset({"<", "<=", ">", ">="})
_EQUAL = frozenset({"==", "!="})
_JOINED = frozenset({"and", "or"})


def advice(mutant: Mutant) -> str:
    """One sentence. An operator that is not known here gets a general one."""
    found = _ADVICE.get(mutant.operator, OTHER)
    return found if isinstance(found, str) else found(_short(mutant.before), _short(mutant.after))


def _short(text: str) -> str:
    """What was changed, for a sentence: without white space around it."""
    return text.strip()


def _compared(before: str, after: str) -> str:
    if before in _LIMITS:
        return "A test must use the very value at which both sides are equal."
    if before in _EQUAL:
        return "A test must come here once with equal and once with different values, and check what follows."
    if before in _JOINED:
        return f"A test must make one side of this `{before}` true and the other false, and check what follows."
    return f"A test must check the result of this calculation, with values on which `{before}` and `{after}` differ."


def _text(before: str, after: str) -> str:
    if before.lower() == after.lower():
        return "A test must compare this text exactly, with its capital and small letters."
    return "A test must compare this text exactly."


def _word(before: str, _after: str) -> str:
    if before in {"True", "False"}:
        return f"A test must check what this `{before}` decides."
    return "A test must change something deep inside the copy, and check that the original stays as it was."


def _kept_away(before: str, _after: str) -> str:
    if before.startswith("~"):
        return "A test must check the bits of this result."
    return "A test must take both ways at this `not`, and check what follows."


def _flow(before: str, _after: str) -> str:
    if before == "break":
        return "A test must check what happens after the loop."
    if before == "continue":
        return "A test must bring another round of the loop after this `continue`, and check what it does."
    return "A test must take both ways at this comparison, and check what follows."


def _argument(before: str, after: str) -> str:
    if after == "None":
        return "A test must check an effect of the value that is passed here."
    return f"A test must check what the argument `{before.strip(', ')}` changes." if _plain(before) else _ARGUMENT


def _plain(before: str) -> bool:
    """Short enough for a sentence."""
    return 0 < len(before.strip(", ")) <= 30 and before.isprintable() and "`" not in before


def _opposite(before: str, after: str) -> str:
    one, other = before.rpartition(".")[2], after.rpartition(".")[2]
    return f"A test must use a text on which `{one}` and `{other}` give different results."


_ARGUMENT = "A test must check what this argument changes."
_ADVICE: dict[str, str | Callable[[str, str], str]] = {
    "ci-kit:drop-raise": "A test must bring the code to this `raise`, and expect the exception.",
    "ci-kit:condition-true": "A test must take the way on which this condition is false, and check what follows.",
    "ci-kit:condition-false": "A test must take the way on which this condition is true, and check what follows.",
    "ci-kit:drop-decorator": "A test must check what this decorator does, such as refusing somebody who is not logged in.",
    "ci-kit:drop-call": "A test must check the effect of this call.",
    "ci-kit:return-true": "A test must expect something other than True from this function.",
    "ci-kit:return-none": "A test must check what this function returns.",
    "ci-kit:return-argument": "A test must check that the function does not just hand its argument back.",
    "number": "A test must depend on this exact number, such as the last value inside a limit and the first one outside.",
    "string": _text,
    "name": _word,
    "assignment": "A test must check something that depends on the value that is assigned here.",
    "augmented-assignment": "A test must come here with an earlier value that matters, and check the new one.",
    "remove-unary-ops": _kept_away,
    "dict-arguments": "A test must look up this key.",
    "arg-removal": _argument,
    "symmetric-string-methods-swap": _opposite,
    "unsymmetrical-string-methods-swap": "A test must use a text with more separators than are split at.",
    "lambda": "A test must check what this lambda returns.",
    "keywords": _flow,
    "swap-op": _compared,
    "match": "A test must bring a value to this `case`, and check what follows.",
    "if-exp": "A test must take both sides of this `if … else`, and check the result.",
}
KNOWN = frozenset(_ADVICE)

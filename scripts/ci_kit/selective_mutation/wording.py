"""A mutant in words: what was changed, and what a test would have to check."""

from __future__ import annotations

from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.mutants import Mutant

SHOWN_TESTS = 5
_ADVICE = {
    "ci-kit:drop-raise": "A test must expect this exception.",
    "ci-kit:condition-true": "A test must take the way on which this condition is false, and check what follows.",
    "ci-kit:condition-false": "A test must take the way on which this condition is true, and check what follows.",
    "ci-kit:drop-decorator": "A test must check what this decorator does, such as refusing who is not logged in.",
    "ci-kit:drop-call": "A test must check the effect of this call.",
    "ci-kit:return-true": "A test must expect another answer than True.",
    "ci-kit:return-none": "A test must check what is returned.",
    "ci-kit:return-argument": "A test must check that what is returned differs from the argument.",
    "swap-op": "A test must check the values on both sides of this operator's boundary.",
    "number": "A test must check the value just at this limit, and the one beside it.",
    "string": "A test must check this text.",
    "arg-removal": "A test must depend on this argument.",
    "assignment": "A test must depend on the value that is assigned here.",
    "augmented-assignment": "A test must depend on the value that is assigned here.",
    "remove-unary-ops": "A test must depend on this sign or `not`.",
    "keywords": "A test must depend on this word.",
}
_OTHER = "A test must tell the two apart."


def diff(mutant: Mutant) -> str:
    """The changed lines, before with `-` and after with `+`."""
    before = mutant.original.split("\n")[mutant.first_line - 1 : mutant.last_line]
    count = len(before) - mutant.before.count("\n") + mutant.after.count("\n")
    after = mutant.source.split("\n")[mutant.first_line - 1 : mutant.first_line - 1 + max(count, 0)]
    return "\n".join([*(f"- {line.rstrip()}" for line in before), *(f"+ {line.rstrip()}" for line in after)])


def advice(mutant: Mutant) -> str:
    """One sentence."""
    return _ADVICE.get(mutant.operator, _OTHER)


def noticed(judged: Judged) -> str:
    """Who looked and did not notice."""
    tests = judged.verdict.tests
    if judged.verdict.status == "no-coverage":
        return "No test runs this line."
    if not tests:
        return "The tests that run this line do not notice."
    more = f" and {len(tests) - SHOWN_TESTS} more" if len(tests) > SHOWN_TESTS else ""
    which = "This test ran and did" if len(tests) == 1 else f"{len(tests)} tests ran and did"
    return f"{which} not notice: {', '.join(tests[:SHOWN_TESTS])}{more}."


def message(judged: Judged) -> str:
    """Everything about one mutant that no test noticed."""
    weakened = ["The tests before this change noticed it."] if judged.weakened else []
    inside = f" in {judged.mutant.function}" if judged.mutant.function else ""
    head = f"Nobody notices this change{inside} ({judged.mutant.operator}):"
    return "\n".join([head, diff(judged.mutant), noticed(judged), *weakened, advice(judged.mutant)])

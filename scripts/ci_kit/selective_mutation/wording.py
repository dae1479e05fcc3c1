"""A mutant in words: what was changed, who looked and did not notice, and what a test would have to check."""

from __future__ import annotations

from ci_kit.markdown import visible
from ci_kit.selective_mutation.advice import advice
from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.mutants import Mutant

SHOWN_TESTS = 3
SHOWN_LINES = 10
SHOWN_COLUMNS = 160


def diff(mutant: Mutant) -> str:
    """The changed lines, before with `-` and after with `+`; of long lines and many lines the part around the change."""
    source = mutant.source
    start = mutant.original.rfind("\n", 0, mutant.start) + 1
    end, ended = mutant.start + len(mutant.before), mutant.start + len(mutant.after)
    before = mutant.original[start : _line_end(mutant.original, end)]
    after = source[start : _line_end(source, ended)]
    column = mutant.start - start
    return "\n".join([*_marked("-", before, column), *_marked("+", after, column)])


def _line_end(text: str, offset: int) -> int:
    found = text.find("\n", offset)
    return len(text) if found < 0 else found


def _marked(mark: str, text: str, column: int) -> list[str]:
    """Every line with its mark. What is taken out whole leaves no empty line behind."""
    lines = text.split("\n")
    shown = [_around(line.rstrip(), column if number == 0 else 0) for number, line in enumerate(lines[:SHOWN_LINES])]
    more = len(lines) - SHOWN_LINES
    shown = [f"{mark} {line}" for line in shown if line]
    return [*shown, f"{mark} … {more} more line{'s' if more > 1 else ''}"] if more > 0 else shown


def _around(line: str, column: int) -> str:
    """The part of a line near a column, with every character visible."""
    if len(line) <= SHOWN_COLUMNS:
        return visible(line.expandtabs(4))
    start = max(0, min(column - SHOWN_COLUMNS // 4, len(line) - SHOWN_COLUMNS))
    part = visible(line[start : start + SHOWN_COLUMNS].replace("\t", " "))
    return ("… " if start else "") + part + (" …" if start + SHOWN_COLUMNS < len(line) else "")


def noticed(judged: Judged) -> str:
    """Who looked and did not notice."""
    tests = judged.verdict.tests
    if judged.verdict.status == "no-coverage":
        return "No test runs this code."
    if not tests:
        return "The tests that run this code do not notice."
    if len(tests) == 1:
        return f"One test runs this code and does not notice: {visible(tests[0])}."
    named = ", ".join(visible(test) for test in tests[:SHOWN_TESTS])
    if len(tests) <= SHOWN_TESTS:
        return f"{len(tests)} tests run this code and do not notice: {named}."
    files = len({test.partition("::")[0] for test in tests})
    return f"{len(tests)} tests of {files} file{'s' if files > 1 else ''} run this code and do not notice, such as {named}."


def message(judged: Judged) -> str:
    """Everything about one mutant that no test noticed."""
    mutant = judged.mutant
    inside = f" in {mutant.function}" if mutant.function else ""
    lines = [f"No test notices this change{inside} ({mutant.operator}):", diff(mutant), noticed(judged)]
    if judged.weakened:
        lines.append("The tests before this change noticed it.")
    return "\n".join([*lines, advice(mutant)])

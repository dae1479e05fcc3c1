"""The mutants of a set of files: mutmut's and the kit's own, without those that no test could tell apart."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ci_kit.selective_mutation.bytecode import Key, code_of, compiles, is_value
from ci_kit.selective_mutation.change import CannotMutate, Change
from ci_kit.selective_mutation.engine import Engine
from ci_kit.selective_mutation.ignoring import Ignore, ignores
from ci_kit.selective_mutation.made import Made, MadeBefore, key_of
from ci_kit.selective_mutation.mutants import Generated, Ignored, Mutant, mutant_id
from ci_kit.selective_mutation.no_mutant import without_mutant
from ci_kit.selective_mutation.operators import PREFIX, security_changes
from ci_kit.selective_mutation.ranking import best_of_each_line
from ci_kit.selective_mutation.scopes import Scopes, Statement
from ci_kit.selective_mutation.text import BOM

BROKEN, SAME, DUPLICATE = "does not compile", "same bytecode", "duplicate"
LONG, CAPPED = "statement too long", "over the cap"
MOST_COMPILED = 4_000_000  # characters, for all mutants of one statement: some two seconds
MOST_LINES = 50_000  # of one file: reading it takes time and memory for each


def generate(
    sources: Mapping[str, str],
    wanted: Mapping[str, frozenset[int]] | None,
    *,
    per_line: int | None,
    engine: Engine | None = None,
    kept: Path | None = None,
) -> Generated:
    """The mutants of `sources` (path → text), only those that change `wanted` lines (path → lines; None: all of them).

    `per_line` is how many mutants may begin on one line (None: any number); `ranking` says which are kept. Files that
    cannot be mutated are in `refused`. The file `kept` holds what was asked for the last time, so that it need not be made
    again. Raises `InfrastructureFailure` where there is no usable mutmut.
    """
    engine = engine or Engine()
    before = MadeBefore.read(kept)
    files = []
    refused = {}
    # The compiler warns of changed code ("is" with a literal), which says nothing about the consumer's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path, text in sorted(sources.items()):
            lines = None if wanted is None else wanted.get(path, frozenset())
            if lines is None or lines:
                try:
                    files.append(_known(path, text, lines, per_line, engine, before))
                except _Refused as error:
                    refused[path] = str(error)
    if kept is not None:
        before.write(kept)
    return Generated(
        mutants=tuple(mutant for file in files for mutant in file.mutants),
        dropped=dict(sorted(sum((file.dropped for file in files), Counter[str]()).items())),
        unmutated=tuple((file.path, *place) for file in files for place in file.unmutated),
        ignored=tuple(comment for file in files for comment in file.ignored),
        refused=refused,
        fell_back=engine.fell_back,
    )


class _Refused(Exception):
    """Why a file has no mutants at all."""


def _known(
    path: str, text: str, wanted: frozenset[int] | None, per_line: int | None, engine: Engine, before: MadeBefore
) -> Made:
    key = key_of(path, text, wanted, per_line)
    found = before.find(key, text)
    if found is None:
        found = _file(path, text, wanted, per_line, engine)
        if not engine.fell_back:
            before.keep(key, found)
    return found


def _file(path: str, text: str, wanted: frozenset[int] | None, per_line: int | None, engine: Engine) -> Made:
    scopes, comments, changes, too_long = _read(path, text, engine)
    dropped: Counter[str] = Counter()
    if too_long:
        dropped[LONG] = too_long
    every = list(_mutants(path, text, scopes, changes))
    judge = _Judge(scopes)
    good = []
    for mutant, statement, change in every:
        if wanted is None or any(line in wanted for line in range(mutant.first_line, mutant.last_line + 1)):
            reason = judge.why_not(change, statement)
            if reason:
                dropped[reason] += 1
            else:
                good.append(mutant)
    allowed, ignored = _without_ignored(path, good, comments)
    mutants = allowed if per_line is None else best_of_each_line(allowed, per_line)
    if len(mutants) < len(allowed):
        dropped[CAPPED] = len(allowed) - len(mutants)
    return Made(path, mutants, dropped, without_mutant(scopes, good, wanted), ignored)


def _read(path: str, text: str, engine: Engine) -> tuple[Scopes, list[Ignore], list[Change], int]:
    if text.count("\n") > MOST_LINES:
        raise _Refused(f"it has more than {MOST_LINES} lines; leave it out of the targets, or split it")
    try:
        scopes = Scopes(text.removeprefix(BOM))
        changes, too_long = engine.changes(path, scopes.lines)
        # Of changes at one place those with the kit's own name are kept, because they say more.
        ordered = sorted([*security_changes(scopes), *changes], key=lambda change: (change.start, change.end))
        return scopes, ignores(scopes), ordered, too_long
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _Refused(f"the kit's own Python cannot read it: {str(error) or type(error).__name__}") from error
    except CannotMutate as error:
        raise _Refused(f"mutmut cannot read it: {error}") from error


def _mutants(
    path: str, text: str, scopes: Scopes, changes: Iterable[Change]
) -> Iterator[tuple[Mutant, Statement, Change]]:
    """Every change as a mutant; what lies between statements, and so changes nothing, is left out."""
    met: Counter[tuple[str, ...]] = Counter()
    lines = scopes.lines
    shift = len(text) - len(lines.text)
    for change in changes:
        before = lines.text[change.start : change.end]
        start = change.start + len(before) - len(before.lstrip()) if before.strip() else change.start
        end = max(start, change.start + len(before.rstrip()))
        statement = scopes.statement_at(start, end)
        if statement is None:
            continue
        function, first_line = statement.scope.name, statement.scope.first_line
        about = (path, function, change.operator, before, change.after)
        mutant = Mutant(
            id=mutant_id(*about, met[about]),
            path=path,
            function=function,
            function_line=first_line,
            first_line=lines.of(start),
            last_line=lines.of(max(start, end - 1)),
            operator=change.operator,
            before=before,
            after=change.after,
            security=change.operator.startswith(PREFIX),
            start=change.start + shift,
            original=text,
        )
        met[about] += 1
        yield mutant, statement, change


class _Judge:
    """Which changes of a file are worth a run. It remembers those that it let through."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        self._codes: dict[int, tuple[Key | None, set[Key]]] = {}
        self._texts: set[tuple[int, int, str]] = set()
        self._compiled: Counter[int] = Counter()

    def why_not(self, change: Change, statement: Statement) -> str:
        """A reason, or nothing."""
        if (change.start, change.end, change.after) in self._texts:
            return DUPLICATE
        self._texts.add((change.start, change.end, change.after))
        self._compiled[statement.start] += statement.end - statement.start
        if self._compiled[statement.start] > MOST_COMPILED:
            # Not compiled any more: of these only a value that becomes another value is sure to compile.
            before = self._scopes.lines.text[change.start : change.end]
            return "" if is_value(before) and is_value(change.after) else LONG
        lines = self._scopes.lines
        before = lines.text[statement.start : change.start]
        after = lines.text[change.end : statement.end]
        original, known = self._known(statement)
        if original is None:  # it only compiles where it stands, for example with the `nonlocal` of its function
            whole = lines.text[: change.start] + change.after + lines.text[change.end :]
            return "" if compiles(whole) else BROKEN
        code = code_of(before + change.after + after, statement, lines)
        if code is None:
            return BROKEN
        if code == original:
            return SAME
        if code in known:
            return DUPLICATE
        known.add(code)
        return ""

    def _known(self, statement: Statement) -> tuple[Key | None, set[Key]]:
        """The code of the statement as it is, and of its mutants so far."""
        if statement.start not in self._codes:
            lines = self._scopes.lines
            text = lines.text[statement.start : statement.end]
            self._codes[statement.start] = (code_of(text, statement, lines), set())
        return self._codes[statement.start]


def _without_ignored(
    path: str, mutants: Sequence[Mutant], comments: Sequence[Ignore]
) -> tuple[list[Mutant], list[Ignored]]:
    gone: Counter[int] = Counter()
    allowed = []
    for mutant in mutants:
        by = [each for each in comments if each.first <= mutant.last_line and mutant.first_line <= each.last]
        if by:
            gone[by[0].line] += 1
        if not any(each.reason for each in by):
            allowed.append(mutant)
    return allowed, [Ignored(path, each.line, each.reason, gone[each.line]) for each in comments]

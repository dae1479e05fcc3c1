"""What a mutant is: one changed stretch of one file's text, and where its code runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mutant:
    """One change of one source file.

    `id` is stable: it depends on the path, the function, the operator and the changed text, not on line numbers.
    `path` is POSIX, from the project folder. `function` is the qualified name of the innermost function whose body
    runs the changed code, as in `co_qualname` (`Class.method`, `outer.<locals>.inner`); code in a lambda, a
    comprehension or a class body inside a function belongs to that function. It is empty where the changed code runs
    with the module: module level, class bodies, decorators, default values. `function_line` is that function's
    `co_firstlineno` in the unchanged file (the first decorator's line where there are decorators), 0 without function.
    `first_line` and `last_line` (1-based) hold the changed text in the unchanged file. `operator` is mutmut's name of
    the change, or `ci-kit:<name>`. `before` and `after` are the changed text. `start` is the offset of `before` in
    `original`, in characters. `original` is the unchanged file's text, one object for all mutants of the file, with
    newlines as they are in the file.
    """

    id: str
    path: str
    function: str
    function_line: int
    first_line: int
    last_line: int
    operator: str
    before: str
    after: str
    security: bool
    start: int
    original: str = field(repr=False)

    @property
    def source(self) -> str:
        """The whole mutated file. Built at each call: ten thousand mutants do not keep ten thousand files."""
        return self.original[: self.start] + self.after + self.original[self.start + len(self.before) :]


@dataclass(frozen=True)
class Ignored:
    """A comment that keeps its line (or its whole `def` or `class`) free of mutants, and how many it kept away.

    Without a `reason` the comment is not honoured, and is told of: the mutants stay.
    """

    path: str
    line: int
    reason: str
    mutants: int


@dataclass(frozen=True)
class Generated:
    """The mutants of a set of files, by path and place, and everything that was left out.

    `dropped` counts by reason (`does not compile`, `same bytecode`, `duplicate`, `over the cap`, `statement too long`).
    `unmutated` are (path, first line, last line) of wanted code lines for which no mutant exists. `ignored` are the
    comments met, those without a reason too. `refused` names the files that could not be mutated (path → why).
    `fell_back` says why mutmut's command line was asked instead of its operators; empty: it was not.
    """

    mutants: tuple[Mutant, ...]
    dropped: Mapping[str, int]
    unmutated: tuple[tuple[str, int, int], ...]
    ignored: tuple[Ignored, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    fell_back: str = ""


def mutant_id(path: str, function: str, operator: str, before: str, after: str, occurrence: int) -> str:
    """A short digest. `occurrence` counts from 0 the equal changes of one function, from its top."""
    parts = (path, function, operator, before, after, str(occurrence))
    return hashlib.sha256(b"\0".join(part.encode("utf-8", "surrogatepass") for part in parts)).hexdigest()[:16]

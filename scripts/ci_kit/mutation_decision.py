"""Whether mutants are tried at all, and where: decided from the event, the labels and what a change touches."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from ci_kit.config import Mutation
from ci_kit.patterns import matches

Scope = Literal["diff", "critical", "all"]
PROPOSED = ("**/jwt.py", "**/security.py", "**/auth*.py", "**/crypto*.py")
"""What counts as security-critical where `mutation.critical` says nothing."""
_SETTINGS = (
    "pyproject.toml",
    "*.lock",
    "requirements*.txt",
    "setup.cfg",
    "setup.py",
    "tox.ini",
    "pytest.ini",
    "conftest.py",
)
SHOWN = 3


@dataclass(frozen=True)
class Decision:
    """`targets` are the patterns of security-critical files, those that are let go with a `!` in front; `proposed`: nothing is
    configured, these are the kit's own.

    `tests` are the changed tests that speak of such files. `reason` is a sentence.
    """

    run: bool
    scope: Scope
    targets: tuple[str, ...]
    proposed: bool
    reason: str
    tests: tuple[str, ...] = ()


def decide(
    kind: str,
    labels: Collection[str],
    changed: Collection[str] | None,
    settings: Mutation,
    *,
    tests: Collection[str] = (),
    files: Collection[str] | None = None,
    kept: Collection[str] = (),
) -> Decision:
    """`kind` is one of the three depths, `changed` the paths that the change touches, deleted ones too (None: unknown).

    `tests` are those of them that use security-critical code (`critical_tests`). A pull request runs the changed lines when it
    touches that code or its tests, and all of that code when it has the label. The default branch runs all of it, unless
    the push is known to touch none of that code, no test that uses it, no conftest.py and nothing that is installed.
    `files` are all of the repository (None: unknown): where none is critical, nothing runs. `kept` are patterns of files
    that were security-critical before: only `settings.released` lets go of them.
    """
    targets = targets_of(settings, kept)
    touched = tuple(sorted(path for path in changed or () if is_critical(path, targets)))
    found = tuple(sorted(tests))

    def answer(run: bool, scope: Scope, reason: str) -> Decision:
        return Decision(run, scope, targets, not settings.critical, reason, found)

    if files is not None and not any(is_critical(path, targets) for path in files):
        where = "mutation.critical" if settings.critical else "the proposed patterns"
        return answer(
            False, "diff" if kind == "pull-request" else "critical", f"No file of the repository matches {where}."
        )
    if kind == "default-branch":
        if changed is None or touched or found or any(_is_setting(path) for path in changed):
            return answer(True, "critical", "This is the default branch.")
        return answer(
            False,
            "critical",
            "The push touches no security-critical file, no test of one and nothing that is installed.",
        )
    if kind != "pull-request":
        return answer(
            False, "diff", "Mutants are tried on pull requests and on the default branch, and this is neither."
        )
    if settings.label in labels:
        return answer(True, "critical", f"The pull request has the label {settings.label}.")
    if changed is None:
        return answer(True, "diff", "What the pull request touches is not known here.")
    if touched or found:
        what = "the tests of security-critical code" if not touched else "security-critical code"
        return answer(True, "diff", f"The pull request touches {what}: {_shown(touched or found)}.")
    return answer(
        False, "diff", f"The pull request touches no security-critical file and has no label {settings.label}."
    )


def targets_of(settings: Mutation, kept: Collection[str] = ()) -> tuple[str, ...]:
    """The patterns of security-critical files; those behind a `!` are let go, whatever else means them."""
    listed = settings.critical or PROPOSED
    more = (pattern for pattern in kept if pattern not in listed)
    return (*listed, *more, *(f"!{pattern}" for pattern in settings.released))


def is_critical(path: str, targets: Collection[str]) -> bool:
    """Whether a path is security-critical: a Python file, no test, that a pattern means and none lets go."""
    if not path.endswith(".py") or is_test(path):
        return False
    released = (pattern[1:] for pattern in targets if pattern.startswith("!"))
    listed = (pattern for pattern in targets if not pattern.startswith("!"))
    return any(matches(pattern, path) for pattern in listed) and not any(matches(each, path) for each in released)


def is_test(path: str) -> bool:
    """Whether a path is of a test, by the names that pytest and its users give them."""
    parts = PurePosixPath(path).parts
    name = parts[-1] if parts else ""
    inside = any(part in {"tests", "test", "testing"} for part in parts[:-1])
    return inside or name.startswith("test_") or name.endswith("_test.py") or name in {"conftest.py", "tests.py"}


def _is_setting(path: str) -> bool:
    """Whether all tests may depend on it."""
    return any(PurePosixPath(path).match(each) for each in _SETTINGS)


def _shown(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more


def critical_tests(texts: Mapping[str, str], targets: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The changed tests that use security-critical code, each with the paths that it uses, as far as its text tells.

    `texts` are the changed files. A test uses what it imports, and a module that its own name ends or begins with
    (`test_jwt.py`, `jwt_test.py`); that path is a pattern. What a test reaches through other modules is not seen here.
    """
    found = {}
    for path, text in texts.items():
        if path.endswith(".py") and is_test(path):
            used = tuple(dict.fromkeys([*_imported(text, targets), *_namesake(path, targets)]))
            if used:
                found[path] = used
    return found


def _imported(text: str, targets: Collection[str]) -> Iterator[str]:
    for module in _modules(text):
        file = module.replace(".", "/") + ".py"
        for candidate in (file, f"src/{file}"):
            if is_critical(candidate, targets):
                yield candidate


def _modules(text: str) -> Iterator[str]:
    """The absolute names that a file imports, modules or not."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _namesake(path: str, targets: Collection[str]) -> Iterator[str]:
    stem = PurePosixPath(path).stem
    for target in targets:
        wanted = "" if target.startswith("!") else PurePosixPath(target).stem
        if wanted.isidentifier() and stem in {f"test_{wanted}", f"{wanted}_test"}:
            yield target

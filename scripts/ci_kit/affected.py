"""Decide which tests a change can affect, from the map of the default branch and the files as they are now.

Whatever the map cannot tell means "all", with the reason as a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath

from ci_kit.affected_blocks import MODULE, UNREADABLE, blocks_of
from ci_kit.affected_imports import reach_back
from ci_kit.affected_map import AffectedMap, TierMap
from ci_kit.affected_tree import OUTSIDE

ALL_FILES = (
    "pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml",
    "Pipfile", "Pipfile.lock", "*.lock", "pylock*.toml", "*requirements*.txt", "*requirements*.in", "requirements/*", "*/requirements/*",
    "constraints*.txt", "environment*.yml", "environment*.yaml", ".python-version", ".tool-versions", ".coveragerc",
    ".github/*", ".gitlab-ci.yml", "Dockerfile*", "docker-compose*", "Makefile", ".env*", ".gitmodules", "MANIFEST.in",
)  # fmt: skip
"""Dependencies, configuration and the build: a change of one of these reaches every test. Matched by path and by name."""
PROSE = ("*.md", "*.rst", "*.adoc", "LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "AUTHORS*", "CHANGES*", "CHANGELOG*", "HISTORY*",
    "CODEOWNERS", ".gitignore", ".gitattributes", ".editorconfig", ".pre-commit-config.yaml", "docs/*", "doc/*", "CITATION.cff")  # fmt: skip
"""Written for people: without effect when no test was seen to read it and no source names it."""


@dataclass(frozen=True)
class Affected:
    """The answer for one tier. `all`: every test counts as affected, `reason` says why.

    Else `tests` are the affected ones that the map knows, `unaffected` those that the change cannot reach; a test in
    neither is new and counts as affected. `changed` are tests whose own function changed.
    """

    all: bool
    reason: str
    tests: frozenset[str] = frozenset()
    unaffected: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Tree:
    """A checkout: digests of its files, how to read a source, and which files hold tests (of any tier)."""

    digests: Mapping[str, str]
    source_of: Callable[[str], str]
    test_files: frozenset[str] = frozenset()


class _All(Exception):
    """The change reaches every test; the argument says why."""


@dataclass(frozen=True)
class _Reached:
    """Selects tests of any tier: those that ran these blocks, use any of these files, are below these folders, …."""

    ran: frozenset[tuple[str, str]] = frozenset()
    files: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()


def decide(known: AffectedMap | None, why_not: str, tree: Tree, tiers: Collection[str]) -> dict[str, Affected]:
    """The affected tests of each tier. `why_not` is the reason when there is no map."""
    try:
        if known is None:
            raise _All(why_not)  # noqa: TRY301 - every reason for "all" takes the same way
        if known.unusable:
            raise _All(known.unusable)  # noqa: TRY301
        changed = changed_files(known.digests, tree.digests)
        reached = _reached(known, tree, changed)
        return {tier: _select(known, known.tiers.get(tier), reached, len(changed)) for tier in tiers}
    except _All as everything:
        reason = str(everything)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        reason = f"the map contradicts itself ({type(error).__name__})"
    return {tier: Affected(all=True, reason=reason) for tier in tiers}


def changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Files that are new, gone or different, sorted."""
    return tuple(sorted(file for file in before.keys() | now.keys() if before.get(file) != now.get(file)))


def _reached(known: AffectedMap, tree: Tree, changed: Iterable[str]) -> _Reached:
    ran: set[tuple[str, str]] = set()
    modules: set[str] = set()
    below: set[str] = set()
    listed: set[str] = set()
    changed = tuple(changed)
    read_by_someone = frozenset(file for tier in known.tiers.values() for file in tier.read)
    for file in changed:
        path = PurePosixPath(file)
        _refuse_everywhere(known, file)
        if (file in known.digests) != (file in tree.digests):
            listed.add(path.parent.as_posix().removeprefix("."))
        if path.name == "conftest.py":
            below.add(path.parent.as_posix())
            modules.add(file)
        elif file in known.loaded:
            functions, whole = _changed_blocks(known, tree, file)
            ran |= {(file, name) for name in functions}
            if whole:
                modules.add(file)
        elif file not in read_by_someone:
            _refuse_unknown(known, tree, file)
    return _Reached(
        ran=frozenset(ran),
        files=reach_back(known.imports, modules),
        below=frozenset(below),
        read=frozenset(changed),
        listed=frozenset(listed),
    )


def _refuse_everywhere(known: AffectedMap, file: str) -> None:
    if file == OUTSIDE:
        raise _All("the repository changed outside the project's folder, where no test is watched")
    if _matches(file, ALL_FILES):
        raise _All(f"{file} changed, which configures the tests, the build or the dependencies")
    if file == "conftest.py":
        raise _All("conftest.py changed, which holds for all tests")
    if file in known.everywhere:
        raise _All(f"{file} changed, and every test may depend on it")


def _changed_blocks(known: AffectedMap, tree: Tree, file: str) -> tuple[set[str], bool]:
    """Functions that differ, and whether code that runs at import does."""
    before = known.blocks[file]
    if file not in tree.digests:
        return set(before), True
    now = blocks_of(tree.source_of(file)).digests
    different = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    at_import = known.at_import.get(file, frozenset()) | {MODULE, UNREADABLE}
    return different, bool(different & at_import)


def _refuse_unknown(known: AffectedMap, tree: Tree, file: str) -> None:
    """A changed file that no test was seen to use: harmless only where that is sure."""
    if file in tree.test_files and file not in known.loaded:
        return  # its tests are not in the map, so they run; nothing else was seen to load it
    is_new = file not in known.digests
    if _matches(file, PROSE):
        if named := _naming(tree, known, PurePosixPath(file).name):
            raise _All(f"{file} changed, which {named} names")
        return
    if is_new:
        raise _All(f"{file} is new, and no recorded test can tell what it changes")
    raise _All(f"{file} changed, and no test was seen to use it (perhaps a subprocess or compiled code does)")


def _naming(tree: Tree, known: AffectedMap, name: str) -> str | None:
    for file in sorted(known.loaded):
        if file in tree.digests and name in tree.source_of(file):
            return file
    return None


def _matches(file: str, patterns: Iterable[str]) -> bool:
    name = PurePosixPath(file).name
    return any(fnmatch(file, pattern) or fnmatch(name, pattern) for pattern in patterns)


def _select(known: AffectedMap, tier: TierMap | None, reached: _Reached, changed: int) -> Affected:
    if tier is None:
        return Affected(all=True, reason="the map does not know this tier")
    chosen = {index for numbers in _hits(tier, reached) for index in numbers} | tier.always.keys()
    tests = frozenset(tier.tests[index] for index in chosen)
    reason = f"{changed} file{' differs' if changed == 1 else 's differ'} from commit {known.commit[:12] or 'unknown'}"
    own = frozenset(
        test for test, file in zip(tier.tests, tier.files, strict=True) if (file, _function(test)) in reached.ran
    )
    return Affected(all=False, reason=reason, tests=tests, unaffected=frozenset(tier.tests) - tests, changed=own)


def _function(test: str) -> str:
    """The block of a test's own function, by its id."""
    return test.partition("[")[0].partition("::")[2].replace("::", ".")


def _hits(tier: TierMap, reached: _Reached) -> Iterator[Iterable[int]]:
    for file, block in reached.ran:
        number = tier.ran.get(file, {}).get(block)
        if number is not None:
            yield tier.sets.members(number)
    for file in reached.files:
        yield tier.touching(file)
    for file in reached.read & tier.read.keys():
        yield tier.sets.members(tier.read[file])
    for folder, number in tier.listed.items():
        if folder.rstrip("/") in reached.listed:
            yield tier.sets.members(number)
    for index, file in enumerate(tier.files):
        if file in reached.files or any(_is_below(file, folder) for folder in reached.below):
            yield (index,)


def _is_below(file: str, folder: str) -> bool:
    return folder == "." or file.startswith(f"{folder}/")

"""One cache from those of several jobs, which judged different mutants of the same checkout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ci_kit.selective_mutation.cache import Cache


def merged(caches: Sequence[Cache]) -> Cache:
    """All entries. Which tests run which lines is kept where all jobs saw the same tests and files."""
    entries = {key: entry for cache in caches for key, entry in cache.entries.items()}
    return Cache(entries, _covering([cache.covering for cache in caches if cache.covering is not None]))


def _covering(found: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Every job knows the lines of its own files only."""
    if not found:
        return None
    first = found[0]
    if any(_made_of(each) != _made_of(first) for each in found[1:]):
        return None
    lines = {path: contexts for each in found for path, contexts in each["answer"]["lines"].items()}
    return {
        **first,
        "trusted": [],  # by a job's own numbers of its own workers
        "sources": {path: text for each in found for path, text in each["sources"].items()},
        "answer": {**first["answer"], "lines": lines},
    }


def _made_of(covering: Mapping[str, Any]) -> tuple[object, ...]:
    answer = covering["answer"]
    return covering["of"], [test["id"] for test in answer["tests"]], answer["scopes"], answer["unforkable"]

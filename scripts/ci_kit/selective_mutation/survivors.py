"""Which survivors are new: the default branch does not have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.mutants import Mutant, mutant_id
from ci_kit.selective_mutation.records import FileRecord

MOST_EQUAL = 64
"""Equal changes of one function that are told apart by their number."""


def old_ids(mutant: Mutant, old_path: str) -> tuple[str, ...]:
    """The ids that this change can have had in the file's old place, whichever of its equals it was."""
    parts = (old_path, mutant.function, mutant.operator, mutant.before, mutant.after)
    return tuple(mutant_id(*parts, number) for number in range(MOST_EQUAL))


def new_survivors(
    judged: Sequence[Judged],
    files: Mapping[str, FileRecord],
    renamed: Mapping[str, str],
    changed: Mapping[str, frozenset[int]],
) -> frozenset[str]:
    """Ids of the mutants that survive here and not in the record `files`.

    `renamed` are old names by new ones, `changed` the lines that this change touches. Equal changes of one function are
    counted: one more in front of a known one makes one new survivor, though it takes the other's number. A file that was
    never mutated as a whole may have any survivors; there, those on changed lines are new.
    """
    groups: dict[tuple[str, ...], list[Judged]] = defaultdict(list)
    for each in judged:
        if each.undetected:
            mutant = each.mutant
            groups[mutant.path, mutant.function, mutant.operator, mutant.before, mutant.after].append(each)
    found: set[str] = set()
    for group in groups.values():
        path = group[0].mutant.path
        old = renamed.get(path, path)
        file = files.get(old)
        ids = old_ids(group[0].mutant, old)
        known = sum(name in file.own.undetected for name in ids) if file else 0
        # The untouched ones are the old ones.
        group.sort(key=lambda each: _touched(each, changed))
        for each in group[known:]:
            if _touched(each, changed) or (file is not None and not file.pending):
                found.add(each.mutant.id)
    return frozenset(found)


def _touched(judged: Judged, changed: Mapping[str, frozenset[int]]) -> bool:
    mutant = judged.mutant
    return not changed.get(mutant.path, frozenset()).isdisjoint(range(mutant.first_line, mutant.last_line + 1))

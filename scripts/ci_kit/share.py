"""What one shard gets of a tier: whole files, and pieces of files that are cut over several shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Part:
    """A piece of the file `file`: the node ids that run in this shard, in collection order.

    Of the parts of one file exactly one has `rest`: it also runs every test of the file that no other part names, so a
    test that is new, renamed or has an unstable id runs exactly once.
    """

    file: str
    ids: tuple[str, ...]
    rest: bool


@dataclass(frozen=True)
class Share:
    """A shard's files, as POSIX paths from the root, its parts, and the seconds that all of it takes on one worker."""

    files: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    seconds: float = 0.0

    @property
    def every_file(self) -> tuple[str, ...]:
        """The files of which something runs here, sorted."""
        return tuple(sorted((*self.files, *(part.file for part in self.parts))))


@dataclass(frozen=True)
class PartSelection:
    """What a shard runs of a cut file: the ids in `mine`; with `mine` None whatever is not in `others`."""

    mine: frozenset[str] | None
    others: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Selection:
    """What one shard runs: `mine` and `others` are planned files; files in neither belong to the first shard.

    A file in `parts` is cut over shards and is in `mine` of each of them.
    """

    mine: frozenset[str]
    others: frozenset[str]
    owns_unplanned: bool
    parts: Mapping[str, PartSelection] = field(default_factory=lambda: MappingProxyType({}))


def select(shares: Sequence[Share], index: int) -> Selection:
    """The selection of `shares[index]`."""
    mine = frozenset(shares[index].every_file)
    others = frozenset(file for share in shares for file in share.every_file) - mine
    named: dict[str, set[str]] = {}
    for part in _parts(shares[:index], shares[index + 1 :]):
        if part.file in mine:
            named.setdefault(part.file, set()).update(part.ids)
    parts = {
        part.file: PartSelection(None, frozenset(named.get(part.file, ())) - frozenset(part.ids))
        if part.rest
        else PartSelection(frozenset(part.ids))
        for part in shares[index].parts
    }
    return Selection(mine, others, owns_unplanned=index == 0, parts=parts)


def _parts(*groups: Sequence[Share]) -> Iterable[Part]:
    return (part for group in groups for share in group for part in share.parts)

"""What a `uses:` points at, and which folder on this machine serves it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ci_kit.act.stand_ins import StandIns

KIT_NAME = "ci-kit"


class Kind(Enum):
    """What kind of thing a reference names."""

    KIT = "kit"
    SELF = "self"  # the consuming repository
    CHECKOUT = "checkout"  # act can do it itself
    ACTION = "action"
    WORKFLOW = "workflow"  # somebody else's reusable workflow
    OTHER = "other"  # docker://, ./folder, an expression


@dataclass(frozen=True)
class Reference:
    """`owner/name/path@ref`, taken apart."""

    repository: str
    path: str
    ref: str

    @property
    def spec(self) -> str:
        """How act's `--local-repository` names it."""
        return f"{self.repository}@{self.ref}"


def parse(uses: str) -> Reference | None:
    """A reference to another repository, or None for `./x`, `$/x`, `docker://x` and expressions."""
    match = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:/([^@]*))?@([^\s@]+)", uses)
    return Reference(match[1], match[2] or "", match[3]) if match and "${{" not in uses else None


def classify(uses: str, consumer: str) -> Kind:
    """What kind of thing `uses` names, seen from the repository `consumer`."""
    reference = parse(uses)
    if reference is None:
        return Kind.OTHER
    if reference.repository == consumer:
        return Kind.SELF
    if reference.repository.split("/")[1] == KIT_NAME:
        return Kind.KIT
    if reference.repository == "actions/checkout":
        return Kind.CHECKOUT
    return Kind.WORKFLOW if reference.path.startswith(".github/workflows/") else Kind.ACTION


def kit_reference(uses: Iterable[str], consumer: str) -> Reference | None:
    """The first reference to the kit, which says under which name and commit this working tree is served."""
    return next((parse(each) for each in uses if classify(each, consumer) is Kind.KIT), None)


def expand(uses: str, owner: Reference, *, own_paths: bool) -> str:
    """`$/x` as `owner/name/x@ref`; with `own_paths` also `./x`, which then is served from the translated copy."""
    prefix = "$/" if uses.startswith("$/") else "./" if own_paths and uses.startswith("./") else None
    if prefix is None:
        return uses
    path = uses.removeprefix(prefix).strip("/")
    return f"{owner.repository}/{path}@{owner.ref}" if path else f"{owner.repository}@{owner.ref}"


def local_repositories(
    uses: Iterable[str], consumer: str, kit: Path, own: Path, stand_ins: StandIns | None, *, host: bool = True
) -> dict[str, Path]:
    """Which folder serves each reference: the kit's copy, the consumer's, and a stand-in for the rest.

    Without `stand_ins` the genuine actions are used, which act fetches itself. act's own way to check out, a copy of the
    whole clone, is left to it where the local server cannot be reached (not `host`).
    """
    found: dict[str, Path] = {}
    for each in uses:
        reference, kind = parse(each), classify(each, consumer)
        if reference is None:
            continue
        if kind is Kind.KIT:
            found[reference.spec] = kit
        elif kind is Kind.SELF:
            found[reference.spec] = own
        elif stand_ins is not None and (kind is Kind.ACTION or (kind is Kind.CHECKOUT and host)):
            found[reference.spec] = stand_ins.actions.get(reference.repository.lower(), stand_ins.refuse)
    return found

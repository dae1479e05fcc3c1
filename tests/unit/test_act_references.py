"""What a `uses:` points at."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.act.references import Kind, Reference, classify, kit_reference, local_repositories, parse
from ci_kit.act.stand_ins import StandIns

SHA = "a" * 40


@pytest.mark.parametrize(
    ("uses", "kind"),
    [
        (f"org/ci-kit/actions/test@{SHA}", Kind.KIT),
        ("someone-else/ci-kit@v1", Kind.KIT),
        (f"me/app/.github/actions/x@{SHA}", Kind.SELF),
        (f"actions/checkout@{SHA}", Kind.CHECKOUT),
        ("actions/cache/restore@v5", Kind.ACTION),
        ("other/repo/.github/workflows/ci.yml@main", Kind.WORKFLOW),
        ("docker://alpine:3", Kind.OTHER),
        ("./local", Kind.OTHER),
        ("$/actions/x", Kind.OTHER),
        ("actions/cache@${{ inputs.ref }}", Kind.OTHER),
    ],
)
def test_kinds(uses: str, kind: Kind) -> None:
    """Any owner's `ci-kit` is the kit; the consumer's own name is the consumer."""
    assert classify(uses, "me/app") is kind


def test_parse_takes_a_path_apart() -> None:
    """Owner and name are the repository, the rest is the path in it."""
    assert parse("o/n/a/b@r") == Reference("o/n", "a/b", "r")
    assert parse("o/n@r") == Reference("o/n", "", "r")


def test_the_kit_is_found_under_the_name_that_the_consumer_uses() -> None:
    """So that `$/x` inside it gets the same owner and commit."""
    assert kit_reference(["actions/cache@v5", "corp/ci-kit/actions/test@v2"], "me/app") == Reference(
        "corp/ci-kit", "actions/test", "v2"
    )
    assert kit_reference(["actions/cache@v5"], "me/app") is None


def test_each_reference_is_served_by_one_folder() -> None:
    """Stand-ins by repository whatever the case, the refusing one for the rest, nothing for docker."""
    stand_ins = StandIns({"actions/cache": Path("/s/cache")}, Path("/s/refuse"), Path("/s"))
    uses = ["org/ci-kit/a@1", "me/app/x@2", "Actions/Cache/save@v5", "x/y@z", "actions/checkout@v7", "docker://a"]
    found = local_repositories(uses, "me/app", Path("/kit"), Path("/own"), stand_ins)
    assert found == {
        "org/ci-kit@1": Path("/kit"),
        "me/app@2": Path("/own"),
        "Actions/Cache@v5": Path("/s/cache"),
        "x/y@z": Path("/s/refuse"),
        "actions/checkout@v7": Path("/s/refuse"),
    }
    boxed = local_repositories(uses, "me/app", Path("/kit"), Path("/own"), stand_ins, host=False)
    assert set(found) - set(boxed) == {"actions/checkout@v7"}
    genuine = local_repositories(uses, "me/app", Path("/kit"), Path("/own"), None)
    assert set(genuine) == {"org/ci-kit@1", "me/app@2"}

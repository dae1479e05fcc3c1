"""Cache entries keep GitHub's rules: immutable, scoped to branches, exact before prefix, newest prefix first."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.act.cache_store import CacheStore, Entry, Scopes, best_match, key_problem
from ci_kit.act.event import Occasion, Pull, scopes

MAIN, FEATURE = "refs/heads/main", "refs/heads/feature"


def entry(key: str, *, scope: str = MAIN, version: str = "v", created: float = 1.0) -> Entry:
    """An entry without content."""
    return Entry(key, version, scope, created, Path("/nowhere"))


@pytest.mark.parametrize(
    ("entries", "keys", "found"),
    [
        ([entry("k-1")], ["k-1", "k-"], "k-1"),
        ([entry("k-1", created=1), entry("k-2", created=2)], ["k-3", "k-"], "k-2"),
        ([entry("k-1-long")], ["k-1"], "k-1-long"),
        ([entry("k-1", version="w")], ["k-1", "k-"], None),
        ([entry("k-1", scope="refs/heads/other")], ["k-1"], None),
        ([entry("a-1"), entry("b-1", created=9)], ["x", "a-", "b-"], "a-1"),
        ([entry("k-1", scope=MAIN), entry("k-0", scope=FEATURE)], ["k-1", "k-"], "k-0"),
    ],
)
def test_best_match(entries: list[Entry], keys: list[str], found: str | None) -> None:
    """The own scope comes first even with a mere prefix; then the order of the keys; then the age."""
    match = best_match(entries, [FEATURE, MAIN], keys, "v")
    assert (match.key if match else None) == found


def test_a_repository_of_dots_stays_in_the_folder(tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "store", "..", Scopes("..", ("..",)))
    blob = tmp_path / "blob"
    blob.write_text("one")
    assert store.save("../k", "v", blob)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert [entry.key for entry in store.entries()] == ["../k"]


@pytest.mark.parametrize(
    ("key", "good"), [("k-1/../x", True), ("", False), (" ", False), ("a,b", False), ("k" * 513, False)]
)
def test_keys_that_github_refuses(key: str, good: bool) -> None:
    assert (key_problem(key) is None) == good


def test_an_entry_is_saved_once_and_found_by_a_later_run(tmp_path: Path) -> None:
    """A second save of a key is refused, by the same run and by another."""
    store = CacheStore(tmp_path / "store", "me/app", Scopes(MAIN, (MAIN,)))
    blob = tmp_path / "blob"
    blob.write_text("one")
    assert store.reserve("k", "v")
    assert not store.reserve("k", "v")
    assert store.save("k", "v", blob)
    later = CacheStore(tmp_path / "store", "me/app", Scopes(FEATURE, (FEATURE, MAIN)))
    match = later.find(["k"], "v")
    assert match is not None
    assert match.blob.read_text() == "one"
    assert later.reserve("k", "v"), "another branch has a scope of its own"
    again = CacheStore(tmp_path / "store", "me/app", Scopes(MAIN, (MAIN,)))
    assert not again.reserve("k", "v")
    blob.write_text("two")
    assert not again.save("k", "v", blob)
    assert match.blob.read_text() == "one"


def test_repositories_and_sibling_branches_do_not_share(tmp_path: Path) -> None:
    """What a branch saved is not seen from another repository, nor from a branch beside it."""
    blob = tmp_path / "blob"
    blob.write_text("one")
    store = CacheStore(tmp_path / "store", "me/app", Scopes(FEATURE, (FEATURE, MAIN)))
    assert store.reserve("k", "v")
    assert store.save("k", "v", blob)
    assert CacheStore(tmp_path / "store", "me/app", Scopes(MAIN, (MAIN,))).find(["k"], "v") is None
    assert CacheStore(tmp_path / "store", "me/other", Scopes(FEATURE, (FEATURE,))).find(["k"], "v") is None


def test_scopes_of_a_pull_request() -> None:
    """It writes the merge ref's scope and reads its own, the base's and the default branch's."""
    pull = Pull(7, "release", "b" * 40, "topic", "c" * 40, "me/app")
    occasion = Occasion("pull_request", "me/app", "main", "refs/pull/7/merge", "d" * 40, pull=pull)
    assert scopes(occasion) == Scopes("refs/pull/7/merge", ("refs/pull/7/merge", "refs/heads/release", MAIN))
    assert scopes(Occasion("push", "me/app", "main", MAIN, "d" * 40)) == Scopes(MAIN, (MAIN,))

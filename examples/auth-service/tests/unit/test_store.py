from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.core.config import Settings
from app.core.lockout import Attempts, LockoutPolicy
from app.core.security import Role
from app.store import DuplicateUserError, Session, Store, User
from tests.helpers import START

POLICY = LockoutPolicy(attempts=3, base_seconds=10, max_seconds=60)


@pytest.fixture
def ada(store: Store) -> str:
    store.add_user("ada", "hash", Role.USER, START)
    return "ada"


def open_session(store: Store, user: str, session_id: str = "s-1", expires_at: int = 0) -> None:
    expiry = expires_at or int(START) + 100
    store.open_session(Session(session_id, user, "r-1", expiry, revoked=False), START)


def test_a_user_is_stored_as_given(store: Store, ada: str) -> None:
    assert store.user(ada) == User("ada", "hash", Role.USER, True, 0, Attempts())
    assert store.user("nobody") is None


def test_a_name_is_taken_once(store: Store, ada: str) -> None:
    with pytest.raises(DuplicateUserError):
        store.add_user(ada, "other", Role.ADMIN, START)

    assert [user.password_hash for user in store.users()] == ["hash"]


def test_a_migrated_database_keeps_its_data(store: Store, ada: str) -> None:
    assert store.migrate() == store.migrate() == 2
    assert store.user(ada) is not None


def test_two_processes_may_migrate_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda _: Store(tmp_path / "new.sqlite3").migrate(), range(8)))

    assert versions == [2] * 8


def test_a_new_password_ends_every_session(store: Store, ada: str) -> None:
    store.add_user("bob", "hash", Role.USER, START)
    open_session(store, ada, "s-1")
    open_session(store, ada, "s-2")
    open_session(store, "bob", "s-3")

    store.set_password(ada, "new hash")

    user = store.user(ada)
    assert user is not None
    assert (user.password_hash, user.generation) == ("new hash", 1)
    revoked = [(session := store.session(key)) and session.revoked for key in ("s-1", "s-2", "s-3")]
    assert revoked == [True, True, False]


def test_a_rehash_does_not_undo_a_change_of_password(store: Store, ada: str) -> None:
    store.replace_hash(ada, "stale hash", "rehash")
    assert [user.password_hash for user in store.users()] == ["hash"]

    store.replace_hash(ada, "hash", "rehash")
    assert [user.password_hash for user in store.users()] == ["rehash"]


def test_a_user_who_is_switched_off_loses_the_sessions(store: Store, ada: str) -> None:
    open_session(store, ada)
    store.set_active(ada, True)
    assert store.session("s-1") == Session("s-1", ada, "r-1", int(START) + 100, False)

    store.set_active(ada, False)

    assert store.session("s-1") == Session("s-1", ada, "r-1", int(START) + 100, True)


def test_failures_at_the_same_time_are_all_counted(store: Store, ada: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.record_failure(ada, POLICY, START), range(24)))

    user = store.user(ada)
    assert user is not None
    assert user.attempts.failed == 24
    store.clear_failures(ada)
    assert [found.attempts for found in store.users()] == [Attempts()]


def test_of_two_rotations_with_the_same_token_one_succeeds(store: Store, ada: str) -> None:
    open_session(store, ada)
    with ThreadPoolExecutor(8) as pool:
        won = list(
            pool.map(
                lambda number: store.rotate_session("s-1", "r-1", f"new-{number}", 1), range(16)
            )
        )

    assert won.count(True) == 1
    session = store.session("s-1")
    assert session is not None
    assert session.refresh_id == f"new-{won.index(True)}"


def test_a_revoked_session_does_not_rotate(store: Store, ada: str) -> None:
    open_session(store, ada)
    store.revoke_session("s-1")

    assert not store.rotate_session("s-1", "r-1", "r-2", 1)


def test_expired_sessions_are_swept_out(store: Store, ada: str) -> None:
    open_session(store, ada, "old", expires_at=int(START) - 1)
    open_session(store, ada, "new")

    assert store.session("old") is None
    assert store.session("new") is not None


def test_a_session_belongs_to_a_user(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        open_session(store, "nobody")


def test_an_error_leaves_nothing_half_written(store: Store, settings: Settings, ada: str) -> None:
    with sqlite3.connect(settings.database_path) as db:
        db.execute("DROP TABLE sessions")
    db.close()

    with pytest.raises(sqlite3.OperationalError):
        store.set_password(ada, "new hash")

    assert [user.password_hash for user in store.users()] == ["hash"]


def test_the_database_proves_that_it_keeps_a_value(store: Store) -> None:
    assert store.write_and_read("one")
    assert store.write_and_read("two")

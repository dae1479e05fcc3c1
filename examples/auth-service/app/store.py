"""Users and sessions in SQLite. Every call is one transaction on a connection of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.lockout import Attempts, LockoutPolicy
from app.core.security import Role

BUSY_TIMEOUT_SECONDS = 5.0

_MIGRATIONS = (
    """
    CREATE TABLE users (
        name TEXT PRIMARY KEY,
        password_hash TEXT NOT NULL,
        role TEXT NOT NULL,
        active INTEGER NOT NULL DEFAULT 1,
        generation INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL
    ) STRICT;
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        user_name TEXT NOT NULL REFERENCES users(name),
        refresh_id TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        revoked INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX sessions_by_user ON sessions(user_name);
    """,
    """
    ALTER TABLE users ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE users ADD COLUMN locked_until REAL NOT NULL DEFAULT 0;
    CREATE TABLE health (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL) STRICT;
    """,
)


class DuplicateUserError(Exception):
    """A user with this name exists."""


@dataclass(frozen=True)
class User:
    name: str
    password_hash: str
    role: Role
    active: bool
    generation: int
    attempts: Attempts


@dataclass(frozen=True)
class Session:
    id: str
    user_name: str
    refresh_id: str
    expires_at: int
    revoked: bool


class Store:
    def __init__(self, path: Path) -> None:
        self._path = path

    def migrate(self) -> int:
        """Brings the schema up to date and returns its version. Safe to call from two processes."""
        with self._transaction() as db:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            for script in _MIGRATIONS[version:]:
                for statement in filter(str.strip, script.split(";")):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        return len(_MIGRATIONS)

    def write_and_read(self, value: str) -> bool:
        """Whether the database keeps what is written to it."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO health (id, value) VALUES (1, ?)", (value,))
            row = db.execute("SELECT value FROM health WHERE id = 1").fetchone()
        return bool(row["value"] == value)

    def add_user(self, name: str, password_hash: str, role: Role, now: float) -> None:
        """Raises DuplicateUserError."""
        try:
            with self._transaction() as db:
                db.execute(
                    "INSERT INTO users (name, password_hash, role, created_at) VALUES (?, ?, ?, ?)",
                    (name, password_hash, role.value, now),
                )
        except sqlite3.IntegrityError:
            raise DuplicateUserError(name) from None

    def user(self, name: str) -> User | None:
        with self._transaction(write=False) as db:
            row = db.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()
        return None if row is None else _user(row)

    def users(self) -> list[User]:
        with self._transaction(write=False) as db:
            return [_user(row) for row in db.execute("SELECT * FROM users ORDER BY name")]

    def set_password(self, name: str, password_hash: str) -> None:
        """Replaces the hash and ends every session, because a thief may hold one of them."""
        with self._transaction() as db:
            db.execute(
                "UPDATE users SET password_hash = ?, generation = generation + 1 WHERE name = ?",
                (password_hash, name),
            )
            db.execute("UPDATE sessions SET revoked = 1 WHERE user_name = ?", (name,))

    def replace_hash(self, name: str, old: str, new: str) -> None:
        """Stores a new hash of the same password, unless the password was changed meanwhile."""
        with self._transaction() as db:
            db.execute(
                "UPDATE users SET password_hash = ? WHERE name = ? AND password_hash = ?",
                (new, name, old),
            )

    def set_role(self, name: str, role: Role) -> None:
        with self._transaction() as db:
            db.execute("UPDATE users SET role = ? WHERE name = ?", (role.value, name))

    def set_active(self, name: str, active: bool) -> None:
        """A user who is switched off loses every session at once."""
        with self._transaction() as db:
            db.execute("UPDATE users SET active = ? WHERE name = ?", (active, name))
            if not active:
                db.execute("UPDATE sessions SET revoked = 1 WHERE user_name = ?", (name,))

    def record_failure(self, name: str, policy: LockoutPolicy, now: float) -> Attempts:
        """Counts a failed login; two at once are both counted."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT failed, locked_until FROM users WHERE name = ?", (name,)
            ).fetchone()
            attempts = policy.after_failure(Attempts(row["failed"], row["locked_until"]), now)
            db.execute(
                "UPDATE users SET failed = ?, locked_until = ? WHERE name = ?",
                (attempts.failed, attempts.locked_until, name),
            )
        return attempts

    def clear_failures(self, name: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE users SET failed = 0, locked_until = 0 WHERE name = ?", (name,))

    def open_session(self, session: Session, now: float) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM sessions WHERE expires_at < ?", (now,))
            db.execute(
                "INSERT INTO sessions (id, user_name, refresh_id, expires_at) VALUES (?, ?, ?, ?)",
                (session.id, session.user_name, session.refresh_id, session.expires_at),
            )

    def session(self, session_id: str) -> Session | None:
        with self._transaction(write=False) as db:
            row = db.execute("SELECT * FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if row is None:
            return None
        return Session(
            row["id"],
            row["user_name"],
            row["refresh_id"],
            row["expires_at"],
            bool(row["revoked"]),
        )

    def rotate_session(self, session_id: str, old: str, new: str, expires_at: int) -> bool:
        """Exchanges the refresh token's id; of two callers with the same old one, one succeeds."""
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE sessions SET refresh_id = ?, expires_at = ? "
                "WHERE id = ? AND refresh_id = ? AND revoked = 0",
                (new, expires_at, session_id, old),
            ).rowcount
        return changed == 1

    def revoke_session(self, session_id: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE sessions SET revoked = 1 WHERE id = ?", (session_id,))

    @contextmanager
    def _transaction(self, write: bool = True) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA foreign_keys = ON")
            # IMMEDIATE takes the write lock before the first read, so a read value stays true.
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        finally:
            db.close()


def _user(row: sqlite3.Row) -> User:
    return User(
        name=row["name"],
        password_hash=row["password_hash"],
        role=Role(row["role"]),
        active=bool(row["active"]),
        generation=row["generation"],
        attempts=Attempts(row["failed"], row["locked_until"]),
    )

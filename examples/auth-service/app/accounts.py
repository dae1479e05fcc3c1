"""Logging in, staying in, getting out: the flows that join passwords, tokens and the store."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from enum import StrEnum

from app.core.clock import Clock
from app.core.config import Settings
from app.core.jwt import Claims, TokenError, Tokens, Use
from app.core.lockout import LockoutPolicy
from app.core.security import (
    Cost,
    Role,
    hash_password,
    needs_rehash,
    normalized_user_name,
    password_problems,
    permits,
    spend_verification_time,
    verify_password,
)
from app.store import Session, Store, User

LOG = logging.getLogger(__name__)


class Denial(StrEnum):
    BAD_CREDENTIALS = "bad-credentials"
    LOCKED = "locked"
    INVALID_TOKEN = "invalid-token"  # noqa: S105  (The name of a denial.)
    FORBIDDEN = "forbidden"
    WEAK_PASSWORD = "weak-password"  # noqa: S105  (The name of a denial.)


class DeniedError(Exception):
    def __init__(
        self, denial: Denial, *, retry_after_seconds: float = 0.0, problems: tuple[str, ...] = ()
    ) -> None:
        super().__init__(denial.value)
        self.denial = denial
        self.retry_after_seconds = retry_after_seconds
        self.problems = problems


@dataclass(frozen=True)
class Grant:
    access_token: str
    refresh_token: str
    expires_in_seconds: int


@dataclass(frozen=True)
class Caller:
    user: User
    claims: Claims

    def require(self, role: Role) -> None:
        """Judges the role that is stored now, not the one in the token. Raises DeniedError."""
        if not permits(self.user.role, role):
            raise DeniedError(Denial.FORBIDDEN)


class Accounts:
    def __init__(self, settings: Settings, store: Store, tokens: Tokens, clock: Clock) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._cost = Cost(log2_n=settings.scrypt_log2_n)
        self._lockout = LockoutPolicy(
            attempts=settings.lockout_attempts,
            base_seconds=settings.lockout_seconds,
            max_seconds=settings.lockout_max_seconds,
        )

    def create(self, raw_name: str, password: str, role: Role) -> str:
        """Returns the name. Raises ValueError, DeniedError, DuplicateUserError."""
        name = normalized_user_name(raw_name)
        self._require_strong(password, name)
        self._store.add_user(name, hash_password(password, self._cost), role, self._clock())
        return name

    def log_in(self, raw_name: str, password: str) -> Grant:
        """Raises DeniedError, the same for an unknown user, a wrong password, an inactive user."""
        user = self._find(raw_name)
        if user is None:
            spend_verification_time(password, self._cost)
            raise DeniedError(Denial.BAD_CREDENTIALS)
        self._require_password(user, password)
        if not user.active:
            raise DeniedError(Denial.BAD_CREDENTIALS)
        self._store.clear_failures(user.name)
        if needs_rehash(user.password_hash, self._cost):
            fresh = hash_password(password, self._cost)
            self._store.replace_hash(user.name, user.password_hash, fresh)
        return self.open_session(user)

    def open_session(self, user: User) -> Grant:
        session_id = secrets.token_urlsafe(16)
        grant, refresh = self._issue(user, session_id)
        self._store.open_session(
            Session(session_id, user.name, refresh.token_id, refresh.expires_at, revoked=False),
            self._clock(),
        )
        return grant

    def refresh(self, token: str) -> Grant:
        """Exchanges a refresh token, once.

        A second use means that two parties hold it, and nobody can tell which one is the thief:
        the whole session ends (RFC 9700, section 4.14.2). Raises DeniedError.
        """
        claims, user = self._authenticate(token, Use.REFRESH)
        grant, refresh = self._issue(user, claims.session_id)
        if not self._store.rotate_session(
            claims.session_id, claims.token_id, refresh.token_id, refresh.expires_at
        ):
            LOG.warning("A refresh token of %s was used twice; its session ends.", user.name)
            self._store.revoke_session(claims.session_id)
            raise DeniedError(Denial.INVALID_TOKEN)
        return grant

    def caller(self, token: str) -> Caller:
        """Raises DeniedError."""
        claims, user = self._authenticate(token, Use.ACCESS)
        return Caller(user, claims)

    def log_out(self, caller: Caller) -> None:
        self._store.revoke_session(caller.claims.session_id)

    def change_password(self, caller: Caller, current: str, new: str) -> None:
        """Ends every session of the user, the caller's too. Raises DeniedError.

        The current password is asked for, because a stolen token must not become an account.
        """
        self._require_password(caller.user, current)
        self.set_password(caller.user.name, new)

    def set_password(self, name: str, new: str) -> None:
        self._require_strong(new, name)
        self._store.set_password(name, hash_password(new, self._cost))

    def _authenticate(self, token: str, use: Use) -> tuple[Claims, User]:
        try:
            claims = self._tokens.verify(token, use)
        except TokenError as error:
            LOG.info("%s", error)
            raise DeniedError(Denial.INVALID_TOKEN) from None
        user = self._store.user(claims.subject)
        session = self._store.session(claims.session_id)
        if (
            user is None
            or not user.active
            or user.generation != claims.generation
            or session is None
            or session.revoked
            or session.user_name != user.name
        ):
            raise DeniedError(Denial.INVALID_TOKEN)
        return claims, user

    def _issue(self, user: User, session_id: str) -> tuple[Grant, Claims]:
        access, _ = self._tokens.issue(
            subject=user.name,
            role=user.role,
            use=Use.ACCESS,
            generation=user.generation,
            session_id=session_id,
        )
        refresh, refresh_claims = self._tokens.issue(
            subject=user.name,
            role=user.role,
            use=Use.REFRESH,
            generation=user.generation,
            session_id=session_id,
        )
        return Grant(access, refresh, self._tokens.lifetime_seconds(Use.ACCESS)), refresh_claims

    def _find(self, raw_name: str) -> User | None:
        try:
            return self._store.user(normalized_user_name(raw_name))
        except ValueError:
            return None

    def _require_password(self, user: User, password: str) -> None:
        now = self._clock()
        if self._lockout.is_locked(user.attempts, now):
            wait = self._lockout.remaining_seconds(user.attempts, now)
            raise DeniedError(Denial.LOCKED, retry_after_seconds=wait)
        if not verify_password(password, user.password_hash):
            self._store.record_failure(user.name, self._lockout, now)
            raise DeniedError(Denial.BAD_CREDENTIALS)

    def _require_strong(self, password: str, name: str) -> None:
        problems = password_problems(password, name)
        if problems:
            raise DeniedError(Denial.WEAK_PASSWORD, problems=tuple(problems))

"""JSON Web Tokens: what this service issues, and what it accepts.

The signature is checked by PyJWT. The rest is decided here, against a clock that is passed in:
one algorithm, a known key, this issuer, this audience, the right use, and a lifetime that is
neither over, nor in the future, nor longer than this service ever grants.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt

from app.core.clock import Clock
from app.core.config import Settings
from app.core.security import Role

ALGORITHM = "HS256"
MAXIMUM_TOKEN_LENGTH = 4096
REQUIRED_CLAIMS = ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "use", "role", "gen")


class Use(StrEnum):
    ACCESS = "access"
    REFRESH = "refresh"


class Refusal(StrEnum):
    """Why a token was refused. It is for logs and metrics; a caller only learns that it was."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    UNKNOWN_KEY = "unknown-key"
    SIGNATURE = "signature"
    MISSING_CLAIM = "missing-claim"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    WRONG_USE = "wrong-use"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    LIFETIME = "lifetime"


class TokenError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"The token was refused: {refusal}.")
        self.refusal = refusal


@dataclass(frozen=True)
class Claims:
    subject: str
    role: Role
    use: Use
    generation: int
    session_id: str
    token_id: str
    issued_at: int
    expires_at: int


def key_id(key: str) -> str:
    """A short name for a key, which lets a verifier choose the key before it checks anything."""
    return hashlib.sha256(b"key-id:" + key.encode()).hexdigest()[:12]


class Tokens:
    """Issues tokens with the current key; accepts the current and the previous one."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._signing_key = settings.jwt_secret_key
        self._keys = {key_id(self._signing_key): self._signing_key}
        if settings.jwt_previous_secret_key is not None:
            previous = settings.jwt_previous_secret_key
            self._keys[key_id(previous)] = previous

    def lifetime_seconds(self, use: Use) -> int:
        if use is Use.ACCESS:
            return self._settings.access_token_seconds
        return self._settings.refresh_token_seconds

    def issue(
        self, *, subject: str, role: Role, use: Use, generation: int, session_id: str
    ) -> tuple[str, Claims]:
        now = int(self._clock())
        claims = Claims(
            subject=subject,
            role=role,
            use=use,
            generation=generation,
            session_id=session_id,
            token_id=secrets.token_urlsafe(16),
            issued_at=now,
            expires_at=now + self.lifetime_seconds(use),
        )
        payload = {
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "sub": claims.subject,
            "iat": claims.issued_at,
            "nbf": claims.issued_at,
            "exp": claims.expires_at,
            "jti": claims.token_id,
            "sid": claims.session_id,
            "use": claims.use.value,
            "role": claims.role.value,
            "gen": claims.generation,
        }
        token = jwt.encode(
            payload,
            self._signing_key,
            algorithm=ALGORITHM,
            headers={"kid": key_id(self._signing_key)},
        )
        return token, claims

    def verify(self, token: str, use: Use) -> Claims:
        """Returns the claims of a token that is good for this use now. Raises TokenError."""
        payload = self._verified_payload(token, self._key_for(token))
        claims = _claims(payload)
        if claims.use is not use:
            raise TokenError(Refusal.WRONG_USE)
        self._check_times(claims, payload["nbf"])
        return claims

    def _key_for(self, token: str) -> str:
        if len(token) > MAXIMUM_TOKEN_LENGTH:
            raise TokenError(Refusal.MALFORMED)
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise TokenError(Refusal.MALFORMED) from None
        if header.get("alg") != ALGORITHM:
            raise TokenError(Refusal.ALGORITHM)
        key = self._keys.get(str(header.get("kid")))
        if key is None:
            raise TokenError(Refusal.UNKNOWN_KEY)
        return key

    def _verified_payload(self, token: str, key: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._settings.jwt_issuer,
                audience=self._settings.jwt_audience,
                # The times are checked below, against the clock that was passed in.
                options={
                    "require": list(REQUIRED_CLAIMS),
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidSignatureError:
            raise TokenError(Refusal.SIGNATURE) from None
        except jwt.MissingRequiredClaimError:
            raise TokenError(Refusal.MISSING_CLAIM) from None
        except jwt.InvalidIssuerError:
            raise TokenError(Refusal.ISSUER) from None
        except jwt.InvalidAudienceError:
            raise TokenError(Refusal.AUDIENCE) from None
        except jwt.InvalidTokenError:
            raise TokenError(Refusal.MALFORMED) from None

    def _check_times(self, claims: Claims, not_before: int) -> None:
        now = self._clock()
        leeway = self._settings.clock_leeway_seconds
        if claims.expires_at - claims.issued_at > self.lifetime_seconds(claims.use):
            raise TokenError(Refusal.LIFETIME)
        if max(claims.issued_at, not_before) > now + leeway:
            raise TokenError(Refusal.NOT_YET_VALID)
        if now >= claims.expires_at + leeway:
            raise TokenError(Refusal.EXPIRED)


def _claims(payload: dict[str, Any]) -> Claims:
    for name in ("iat", "nbf", "exp", "gen"):
        # A bool is an int in Python, and a float would make the expiry depend on rounding.
        if type(payload[name]) is not int:
            raise TokenError(Refusal.MALFORMED)
    if not isinstance(payload["sid"], str):
        raise TokenError(Refusal.MALFORMED)
    try:
        role, use = Role(payload["role"]), Use(payload["use"])
    except ValueError:
        raise TokenError(Refusal.MALFORMED) from None
    return Claims(
        subject=payload["sub"],
        role=role,
        use=use,
        generation=payload["gen"],
        session_id=payload["sid"],
        token_id=payload["jti"],
        issued_at=payload["iat"],
        expires_at=payload["exp"],
    )

"""Settings, read once from the environment and refused when they are unsafe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

MINIMUM_KEY_BYTES = 32
"""RFC 7518, section 3.2: a key for HS256 is at least as long as the hash output."""

MINIMUM_PRODUCTION_LOG2_N = 14

PLACEHOLDERS = ("changeme", "change-me", "placeholder", "your-secret", "example")


class ConfigError(Exception):
    """A setting is missing or unsafe. The message names the environment variable."""


class Environment(StrEnum):
    PRODUCTION = "production"
    STAGING = "staging"
    TEST = "test"


@dataclass(frozen=True)
class Settings:
    jwt_secret_key: str = field(repr=False)
    jwt_previous_secret_key: str | None = field(default=None, repr=False)
    jwt_issuer: str = "auth-service"
    jwt_audience: str = "auth-service-api"
    access_token_seconds: int = 15 * 60
    refresh_token_seconds: int = 14 * 24 * 3600
    clock_leeway_seconds: int = 5
    database_path: Path = Path("auth-service.sqlite3")
    redis_url: str | None = field(default=None, repr=False)
    redis_prefix: str = "auth-service"
    rate_limit_attempts: int = 60
    rate_limit_window_seconds: int = 60
    lockout_attempts: int = 5
    lockout_seconds: int = 30
    lockout_max_seconds: int = 3600
    scrypt_log2_n: int = MINIMUM_PRODUCTION_LOG2_N
    environment: Environment = Environment.PRODUCTION
    git_sha: str = "unknown"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Reads the variables that are named like the fields, in capitals.

        An empty variable counts as absent. Raises ConfigError.
        """
        default = cls(jwt_secret_key="")
        environment = _environment(environ)
        settings = cls(
            jwt_secret_key=_key(environ, "JWT_SECRET_KEY"),
            jwt_previous_secret_key=(
                _key(environ, "JWT_PREVIOUS_SECRET_KEY")
                if environ.get("JWT_PREVIOUS_SECRET_KEY")
                else None
            ),
            jwt_issuer=environ.get("JWT_ISSUER") or default.jwt_issuer,
            jwt_audience=environ.get("JWT_AUDIENCE") or default.jwt_audience,
            access_token_seconds=_integer(
                environ, "ACCESS_TOKEN_SECONDS", default.access_token_seconds, 1, 24 * 3600
            ),
            refresh_token_seconds=_integer(
                environ, "REFRESH_TOKEN_SECONDS", default.refresh_token_seconds, 1, 90 * 24 * 3600
            ),
            clock_leeway_seconds=_integer(
                environ, "CLOCK_LEEWAY_SECONDS", default.clock_leeway_seconds, 0, 60
            ),
            database_path=Path(environ.get("DATABASE_PATH") or default.database_path),
            redis_url=_redis_url(environ),
            redis_prefix=environ.get("REDIS_PREFIX") or default.redis_prefix,
            rate_limit_attempts=_integer(
                environ, "RATE_LIMIT_ATTEMPTS", default.rate_limit_attempts, 1, 1_000_000
            ),
            rate_limit_window_seconds=_integer(
                environ, "RATE_LIMIT_WINDOW_SECONDS", default.rate_limit_window_seconds, 1, 3600
            ),
            lockout_attempts=_integer(
                environ, "LOCKOUT_ATTEMPTS", default.lockout_attempts, 1, 100
            ),
            lockout_seconds=_integer(
                environ, "LOCKOUT_SECONDS", default.lockout_seconds, 1, 24 * 3600
            ),
            lockout_max_seconds=_integer(
                environ, "LOCKOUT_MAX_SECONDS", default.lockout_max_seconds, 1, 24 * 3600
            ),
            scrypt_log2_n=_integer(
                environ,
                "SCRYPT_LOG2_N",
                default.scrypt_log2_n,
                4 if environment is Environment.TEST else MINIMUM_PRODUCTION_LOG2_N,
                17,
            ),
            environment=environment,
            git_sha=environ.get("GIT_SHA") or default.git_sha,
        )
        if settings.access_token_seconds > settings.refresh_token_seconds:
            raise ConfigError(
                "ACCESS_TOKEN_SECONDS is longer than REFRESH_TOKEN_SECONDS: "
                "an access token must not outlive its session."
            )
        return settings


def _environment(environ: Mapping[str, str]) -> Environment:
    raw = environ.get("ENVIRONMENT") or Environment.PRODUCTION
    try:
        return Environment(raw)
    except ValueError:
        known = ", ".join(Environment)
        raise ConfigError(f"ENVIRONMENT is {raw!r}; expected one of: {known}.") from None


def _key(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise ConfigError(f"{name} is not set; give it at least {MINIMUM_KEY_BYTES} random bytes.")
    length = len(value.encode())
    if length < MINIMUM_KEY_BYTES:
        raise ConfigError(f"{name} has {length} bytes; at least {MINIMUM_KEY_BYTES} are needed.")
    if any(word in value.lower() for word in PLACEHOLDERS):
        raise ConfigError(f"{name} looks like a placeholder; generate a random key.")
    if len(set(value)) < 8:
        raise ConfigError(f"{name} repeats a few characters; generate a random key.")
    return value


def _integer(
    environ: Mapping[str, str], name: str, default: int, minimum: int, maximum: int
) -> int:
    raw = environ.get(name)
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise ConfigError(f"{name} is {raw!r}; expected a whole number.") from None
    if not minimum <= value <= maximum:
        raise ConfigError(f"{name} is {value}; expected {minimum} to {maximum}.")
    return value


def _redis_url(environ: Mapping[str, str]) -> str | None:
    url = environ.get("REDIS_URL")
    if not url:
        return None
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ConfigError("REDIS_URL must start with redis://, rediss:// or unix://.")
    return url

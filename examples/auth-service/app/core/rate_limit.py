"""A sliding-window rate limiter: in memory for one process, on Redis for several."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import redis

from app.core.clock import Clock

LOG = logging.getLogger(__name__)
REDIS_TIMEOUT_SECONDS = 1.0

# Redis's own clock decides, so that several machines agree. It is written with a format because
# a Lua number that becomes text keeps only 14 digits.
_SLIDING_WINDOW = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window, limit = ARGV[1] * 1000, tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
local count = redis.call('ZCARD', KEYS[1])
if count >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return {0, 0, math.max(oldest[2] + window - now, 0)}
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {1, limit - count - 1, 0}
"""


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    remaining: int
    retry_after_seconds: float = 0.0


class RateLimiter(Protocol):
    def hit(self, key: str) -> Verdict:
        """Counts one attempt when it is allowed. A refused attempt does not prolong the wait."""

    def ping(self) -> bool:
        """Whether the limiter's store answers."""

    def close(self) -> None:
        """Gives back what the limiter holds."""


class MemoryLimiter:
    def __init__(self, limit: int, window_seconds: float, clock: Clock) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._clock = clock
        self._hits: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def hit(self, key: str) -> Verdict:
        with self._lock:
            now = self._clock()
            self._forget_before(now - self._window_seconds)
            hits = self._hits.setdefault(key, deque())
            if len(hits) >= self._limit:
                return Verdict(False, 0, hits[0] + self._window_seconds - now)
            hits.append(now)
            return Verdict(True, self._limit - len(hits))

    def ping(self) -> bool:
        return True

    def close(self) -> None:
        self._hits.clear()

    def __len__(self) -> int:
        """The number of keys that are remembered."""
        return len(self._hits)

    def _forget_before(self, oldest: float) -> None:
        for key in list(self._hits):
            hits = self._hits[key]
            while hits and hits[0] <= oldest:
                hits.popleft()
            if not hits:
                del self._hits[key]


class RedisLimiter:
    """Raises redis.RedisError from `hit` when the server does not answer."""

    def __init__(self, client: redis.Redis, prefix: str, limit: int, window_seconds: float) -> None:
        self._client = client
        self._prefix = prefix
        self._limit = limit
        self._window_ms = int(window_seconds * 1000)
        self._script = client.register_script(_SLIDING_WINDOW)

    def hit(self, key: str) -> Verdict:
        reply: Any = self._script(
            keys=[f"{self._prefix}:rate:{key}"],
            args=[self._window_ms, self._limit, secrets.token_hex(8)],
        )
        allowed, remaining, wait_microseconds = (int(value) for value in reply)
        return Verdict(allowed == 1, remaining, wait_microseconds / 1_000_000)

    def ping(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        self._client.close()


class FallbackLimiter:
    """Limits in this process's memory while the shared store is away, instead of not at all."""

    def __init__(
        self, shared: RateLimiter, local: RateLimiter, on_fallback: Callable[[], None]
    ) -> None:
        self._shared = shared
        self._local = local
        self._on_fallback = on_fallback

    def hit(self, key: str) -> Verdict:
        try:
            return self._shared.hit(key)
        except redis.RedisError as error:
            LOG.warning("Redis is away (%s); limiting in memory.", type(error).__name__)
            self._on_fallback()
            return self._local.hit(key)

    def ping(self) -> bool:
        return self._shared.ping()

    def close(self) -> None:
        self._shared.close()
        self._local.close()


def connect_redis(url: str) -> redis.Redis:
    """A client that gives up soon: a login must not hang because Redis does."""
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
    )

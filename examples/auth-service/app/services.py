"""The parts of a running service, built in one place from its settings."""

from __future__ import annotations

from dataclasses import dataclass

from app.accounts import Accounts
from app.core.clock import Clock
from app.core.config import Settings
from app.core.jwt import Tokens
from app.core.rate_limit import (
    FallbackLimiter,
    MemoryLimiter,
    RateLimiter,
    RedisLimiter,
    connect_redis,
)
from app.metrics import Metrics
from app.store import Store


@dataclass(frozen=True)
class Services:
    settings: Settings
    store: Store
    accounts: Accounts
    limiter: RateLimiter
    metrics: Metrics

    @classmethod
    def build(cls, settings: Settings, clock: Clock) -> Services:
        store = Store(settings.database_path)
        metrics = Metrics(settings.git_sha)
        return cls(
            settings=settings,
            store=store,
            accounts=Accounts(settings, store, Tokens(settings, clock), clock),
            limiter=_limiter(settings, clock, metrics),
            metrics=metrics,
        )


def _limiter(settings: Settings, clock: Clock, metrics: Metrics) -> RateLimiter:
    limit, window = settings.rate_limit_attempts, settings.rate_limit_window_seconds
    local = MemoryLimiter(limit, window, clock)
    if settings.redis_url is None:
        return local
    client = connect_redis(settings.redis_url)
    shared = RedisLimiter(client, settings.redis_prefix, limit, window)
    return FallbackLimiter(shared, local, metrics.fallback)

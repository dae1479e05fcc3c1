"""Deliberately bad builds, to see that a deployment notices them.

`app.faulty:app` serves one. `app.main:app`, which is what is deployed, does not import this
module, so no variable can switch its authentication off.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts import Accounts, Caller
from app.api import deps
from app.core.clock import Clock
from app.core.config import ConfigError, Settings
from app.core.jwt import Claims, Tokens, Use
from app.factory import create_app
from app.services import Services
from app.store import Store

PROBES = frozenset({"/healthz", "/healthz/db", "/readyz", "/version", "/metrics"})
MAXIMUM_SLOW_SECONDS = 60.0


@dataclass(frozen=True)
class Faults:
    """What is bad about a build; nothing by default.

    `auth` is "checked", "removed" (nobody is asked for a token) or "unverified" (any will do).
    """

    error_share: float = 0.0
    slow_seconds: float = 0.0
    auth: str = "checked"
    version: str | None = None
    database_down: bool = False
    crash: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Faults:
        """An empty variable counts as absent. Raises ConfigError."""
        return cls(
            error_share=_number(environ, "FAULT_ERROR_SHARE", 1.0),
            slow_seconds=_number(environ, "FAULT_SLOW_SECONDS", MAXIMUM_SLOW_SECONDS),
            auth=_word(environ, "FAULT_AUTH", ("checked", "removed", "unverified")),
            version=environ.get("FAULT_VERSION") or None,
            database_down=_word(environ, "FAULT_DATABASE", ("up", "down")) == "down",
            crash=_word(environ, "FAULT_START", ("good", "crash")) == "crash",
        )


def create_faulty_app(faults: Faults, settings: Settings, clock: Clock) -> FastAPI:
    """The application with its faults. Raises RuntimeError where the fault is a crash."""
    if faults.crash:
        raise RuntimeError("This build crashes at its start: FAULT_START=crash.")
    if faults.version is not None:
        settings = replace(settings, git_sha=faults.version)
    app = create_app(settings, clock)
    if faults.auth != "checked":
        app.dependency_overrides[deps.caller] = _careless(faults.auth)
    if faults.database_down:
        app.state.services = _without_database(app.state.services, clock)
    if faults.error_share or faults.slow_seconds:
        # The innermost, so that the metrics count what it does.
        app.user_middleware.append(Middleware(Misbehave, faults=faults))
    return app


class Misbehave:
    """Delays answers, and turns a share of them into 500, spread evenly. Probes are spared."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self._owed = 0.0
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(self._faults.slow_seconds)
        broken = self._is_next_broken()

        async def broken_send(message: Message) -> None:
            if broken and message["type"] == "http.response.start":
                message = {**message, "status": 500}
            await send(message)

        await self._app(scope, receive, broken_send)

    def _is_next_broken(self) -> bool:
        with self._lock:
            self._owed += self._faults.error_share
            broken = self._owed >= 1.0 - 1e-9
            self._owed -= 1.0 if broken else 0.0
        return broken


class LostStore(Store):
    """A database that went away after the start."""

    @contextmanager
    def _transaction(self, write: bool = True) -> Iterator[sqlite3.Connection]:
        raise sqlite3.OperationalError("The database is down: FAULT_DATABASE=down.")
        yield


def _without_database(services: Services, clock: Clock) -> Services:
    lost = LostStore(services.settings.database_path)
    tokens = Tokens(services.settings, clock)
    return replace(services, store=lost, accounts=Accounts(services.settings, lost, tokens, clock))


def _careless(how: str) -> Callable[..., Caller]:
    def caller(request: Request, parts: Annotated[Services, Depends(deps.services)]) -> Caller:
        if how == "unverified":
            deps.bearer_token(request.headers.get("authorization"))
        user = parts.store.users()[0]
        claims = Claims(user.name, user.role, Use.ACCESS, user.generation, "none", "none", 0, 0)
        return Caller(user, claims)

    return caller


def _number(environ: Mapping[str, str], name: str, most: float) -> float:
    raw = environ.get(name) or "0"
    try:
        value = float(raw)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ConfigError(f"{name} is {raw!r}; expected a number from 0 to {most:g}.")
    return value


def _word(environ: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """The first of the words is the default."""
    value = environ.get(name) or words[0]
    if value not in words:
        raise ConfigError(f"{name} is {value!r}; expected one of: {', '.join(words)}.")
    return value

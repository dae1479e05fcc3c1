"""Builds the application from settings, so that a test can have as many as it needs."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from app.accounts import Denial, DeniedError
from app.api import admin, auth, health, me
from app.core.clock import Clock
from app.core.config import Settings
from app.metrics import ObserveRequests
from app.services import Services

STATUS = {
    Denial.BAD_CREDENTIALS: 401,
    Denial.INVALID_TOKEN: 401,
    Denial.FORBIDDEN: 403,
    Denial.LOCKED: 429,
    Denial.WEAK_PASSWORD: 422,
}


def create_app(settings: Settings, clock: Clock = time.time) -> FastAPI:
    services = Services.build(settings, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        services.store.migrate()
        yield
        services.limiter.close()

    app = FastAPI(title="auth-service", version=settings.git_sha, lifespan=lifespan)
    app.state.services = services
    app.add_middleware(ObserveRequests, metrics=services.metrics)
    app.exception_handler(DeniedError)(_denied)
    for module in (auth, me, admin, health):
        app.include_router(module.router)
    return app


def _denied(_: Request, error: DeniedError) -> JSONResponse:
    status = STATUS[error.denial]
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_seconds > 0:
        headers["Retry-After"] = str(math.ceil(error.retry_after_seconds))
    body: dict[str, object] = {"error": error.denial.value}
    if error.problems:
        body["problems"] = list(error.problems)
    return JSONResponse(body, status_code=status, headers=headers)

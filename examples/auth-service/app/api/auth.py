"""Logging in, refreshing, logging out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.accounts import Denial, DeniedError, Grant
from app.api.deps import CallerDep, ServicesDep
from app.core.jwt import MAXIMUM_TOKEN_LENGTH
from app.core.security import MAXIMUM_PASSWORD_LENGTH

router = APIRouter()


class Credentials(BaseModel):
    user: str = Field(max_length=64)
    password: str = Field(max_length=MAXIMUM_PASSWORD_LENGTH, repr=False)


class RefreshRequest(BaseModel):
    refresh_token: str = Field(max_length=MAXIMUM_TOKEN_LENGTH, repr=False)


class TokenAnswer(BaseModel):
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105  (The name of a scheme, not a password.)
    expires_in: int


@router.post("/login")
def log_in(
    body: Credentials, request: Request, response: Response, parts: ServicesDep
) -> TokenAnswer:
    address = request.client.host if request.client else "unknown"
    verdict = parts.limiter.hit(f"login:{address}")
    if not verdict.allowed:
        parts.metrics.login("rate-limited")
        raise DeniedError(Denial.LOCKED, retry_after_seconds=verdict.retry_after_seconds)
    try:
        grant = parts.accounts.log_in(body.user, body.password)
    except DeniedError as error:
        parts.metrics.login(error.denial.value)
        raise
    parts.metrics.login("good")
    return _answer(grant, response)


@router.post("/refresh")
def refresh(body: RefreshRequest, response: Response, parts: ServicesDep) -> TokenAnswer:
    return _answer(parts.accounts.refresh(body.refresh_token), response)


@router.post("/logout", status_code=204)
def log_out(caller: CallerDep, parts: ServicesDep) -> None:
    parts.accounts.log_out(caller)


def _answer(grant: Grant, response: Response) -> TokenAnswer:
    # RFC 6749, section 5.1: an answer with tokens is not to be stored.
    response.headers["Cache-Control"] = "no-store"
    return TokenAnswer(
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_in=grant.expires_in_seconds,
    )

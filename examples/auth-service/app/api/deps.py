"""What the endpoints are given: the services, and who is calling."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from app.accounts import Caller, Denial, DeniedError
from app.core.security import Role
from app.services import Services


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(services)]


def bearer_token(header: str | None) -> str:
    """The token of an Authorization header. Raises DeniedError."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise DeniedError(Denial.INVALID_TOKEN)
    return token


def caller(request: Request, parts: ServicesDep) -> Caller:
    return parts.accounts.caller(bearer_token(request.headers.get("authorization")))


CallerDep = Annotated[Caller, Depends(caller)]


def auditor(found: CallerDep) -> Caller:
    found.require(Role.AUDITOR)
    return found


def admin(found: CallerDep) -> Caller:
    found.require(Role.ADMIN)
    return found


AuditorDep = Annotated[Caller, Depends(auditor)]
AdminDep = Annotated[Caller, Depends(admin)]

"""What users may see and do about themselves."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.deps import CallerDep, ServicesDep
from app.core.security import MAXIMUM_PASSWORD_LENGTH, Role

router = APIRouter()


class Me(BaseModel):
    user: str
    role: Role
    expires_at: int


class PasswordChange(BaseModel):
    current: str = Field(max_length=MAXIMUM_PASSWORD_LENGTH, repr=False)
    new: str = Field(max_length=2 * MAXIMUM_PASSWORD_LENGTH, repr=False)


@router.get("/me")
def me(caller: CallerDep) -> Me:
    return Me(user=caller.user.name, role=caller.user.role, expires_at=caller.claims.expires_at)


@router.post("/me/password", status_code=204)
def change_password(body: PasswordChange, caller: CallerDep, parts: ServicesDep) -> None:
    parts.accounts.change_password(caller, body.current, body.new)

"""Keeping the accounts: an auditor may look, an admin may change."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from app.api.deps import AdminDep, AuditorDep, ServicesDep
from app.core.security import MAXIMUM_PASSWORD_LENGTH, Role
from app.store import DuplicateUserError, User

router = APIRouter(prefix="/admin/users")


class NewUser(BaseModel):
    user: str = Field(max_length=64)
    password: str = Field(max_length=2 * MAXIMUM_PASSWORD_LENGTH, repr=False)
    role: Role = Role.USER


class UserChange(BaseModel):
    role: Role | None = None
    active: bool | None = None
    unlock: bool = False


class UserAnswer(BaseModel):
    user: str
    role: Role
    active: bool
    failed_logins: int

    @classmethod
    def of(cls, user: User) -> UserAnswer:
        return cls(
            user=user.name,
            role=user.role,
            active=user.active,
            failed_logins=user.attempts.failed,
        )


@router.get("")
def list_users(_: AuditorDep, parts: ServicesDep) -> list[UserAnswer]:
    return [UserAnswer.of(user) for user in parts.store.users()]


@router.post("", status_code=201)
def create_user(body: NewUser, _: AdminDep, parts: ServicesDep) -> UserAnswer:
    try:
        name = parts.accounts.create(body.user, body.password, body.role)
    except DuplicateUserError:
        raise HTTPException(409, "A user with this name exists.") from None
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    return UserAnswer.of(_existing(parts, name))


@router.patch("/{name}")
def change_user(name: str, body: UserChange, caller: AdminDep, parts: ServicesDep) -> UserAnswer:
    user = _existing(parts, name)
    demoted = body.role is not None and body.role is not Role.ADMIN
    if user.name == caller.user.name and (demoted or body.active is False):
        raise HTTPException(409, "An admin cannot take away their own rights.")
    if body.role is not None:
        parts.store.set_role(name, body.role)
    if body.active is not None:
        parts.store.set_active(name, body.active)
    if body.unlock:
        parts.store.clear_failures(name)
    return UserAnswer.of(_existing(parts, name))


def _existing(parts: ServicesDep, name: str) -> User:
    user = parts.store.user(name)
    if user is None:
        raise HTTPException(404, "There is no such user.")
    return user

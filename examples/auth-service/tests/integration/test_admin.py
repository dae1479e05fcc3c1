from __future__ import annotations

import pytest

from tests.helpers import PASSWORD
from tests.integration.support import Api

USERS = "/admin/users"
NEW = {"user": "Bob", "password": PASSWORD}


@pytest.mark.parametrize(
    ("user", "lists", "creates", "changes"),
    [("ada", 403, 403, 403), ("audrey", 200, 403, 403), ("alice", 200, 201, 200)],
)
def test_a_role_opens_what_it_permits(
    api: Api, user: str, lists: int, creates: int, changes: int
) -> None:
    header = api.bearer(user)

    assert api.client.get(USERS, headers=header).status_code == lists
    assert api.client.post(USERS, headers=header, json=NEW).status_code == creates
    assert api.client.patch(f"{USERS}/ada", headers=header, json={}).status_code == changes


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("PATCH", "/ada")])
def test_without_a_token_nothing_is_open(api: Api, method: str, path: str) -> None:
    assert api.client.request(method, USERS + path, json=NEW).status_code == 401


def test_the_list_shows_no_hash(api: Api) -> None:
    answer = api.client.get(USERS, headers=api.bearer("audrey"))

    assert [user["user"] for user in answer.json()] == ["ada", "alice", "audrey"]
    assert answer.json()[0] == {
        "user": "ada",
        "role": "user",
        "active": True,
        "failed_logins": 0,
    }
    assert "scrypt" not in answer.text


def test_a_created_user_can_log_in(api: Api) -> None:
    created = api.client.post(USERS, headers=api.bearer("alice"), json={**NEW, "role": "auditor"})

    assert created.json()["user"] == "bob"
    assert api.client.get(USERS, headers=api.bearer("bob")).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"user": "ADA", "password": PASSWORD}, 409),
        ({"user": "b", "password": PASSWORD}, 422),
        ({"user": "bob", "password": "short"}, 422),
        ({"user": "bob", "password": PASSWORD, "role": "root"}, 422),
    ],
)
def test_a_user_that_cannot_be_is_refused(api: Api, body: dict[str, str], status: int) -> None:
    header = api.bearer("alice")

    assert api.client.post(USERS, headers=header, json=body).status_code == status
    assert len(api.client.get(USERS, headers=header).json()) == 3


def test_a_user_who_is_switched_off_is_out_at_once(api: Api) -> None:
    admin, ada = api.bearer("alice"), api.bearer("ada")

    changed = api.client.patch(f"{USERS}/ada", headers=admin, json={"active": False})

    assert changed.json()["active"] is False
    assert api.client.get("/me", headers=ada).status_code == 401
    assert api.log_in("ada").status_code == 401


def test_a_lost_role_is_lost_at_once(api: Api) -> None:
    admin, audrey = api.bearer("alice"), api.bearer("audrey")

    api.client.patch(f"{USERS}/audrey", headers=admin, json={"role": "user"})

    assert api.client.get(USERS, headers=audrey).status_code == 403


def test_an_admin_opens_a_locked_account(api: Api) -> None:
    for _ in range(5):
        api.log_in("ada", "wrong")
    assert api.log_in("ada").status_code == 429

    changed = api.client.patch(f"{USERS}/ada", headers=api.bearer("alice"), json={"unlock": True})

    assert changed.json()["failed_logins"] == 0
    assert api.log_in("ada").status_code == 200


@pytest.mark.parametrize("change", [{"active": False}, {"role": "user"}, {"role": "auditor"}])
def test_an_admin_cannot_lock_themselves_out(api: Api, change: dict[str, object]) -> None:
    header = api.bearer("alice")

    assert api.client.patch(f"{USERS}/alice", headers=header, json=change).status_code == 409
    assert api.client.get(USERS, headers=header).status_code == 200
    harmless = {"role": "admin", "active": True}
    assert api.client.patch(f"{USERS}/alice", headers=header, json=harmless).status_code == 200


def test_an_unknown_user_cannot_be_changed(api: Api) -> None:
    answer = api.client.patch(f"{USERS}/nobody", headers=api.bearer("alice"), json={})

    assert answer.status_code == 404

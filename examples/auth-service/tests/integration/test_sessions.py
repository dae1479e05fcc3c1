from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx2 as httpx

from app.core.config import Settings
from tests.helpers import OTHER_KEY, PASSWORD, FakeClock
from tests.integration.support import Api, OpenApi

NEW_PASSWORD = "another long password"


def refresh(api: Api, token: str) -> httpx.Response:
    return api.client.post("/refresh", json={"refresh_token": token})


def me(api: Api, token: str) -> int:
    return api.client.get("/me", headers={"Authorization": f"Bearer {token}"}).status_code


def test_me_is_closed_without_a_token(api: Api) -> None:
    answer = api.client.get("/me")

    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid-token"}
    assert answer.headers["www-authenticate"] == "Bearer"


def test_me_is_closed_to_what_is_not_a_good_token(api: Api) -> None:
    token = api.log_in("ada").json()["access_token"]
    for header in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer garbage",
        "Basic YWRhOnB3",
        f"Basic {token}",
        token,
        f"Bearer {token}x",
        f"Bearer {token} {token}",
    ):
        answer = api.client.get("/me", headers={"Authorization": header})
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid-token"}), header


def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    token = api.log_in("ada").json()["access_token"]

    assert api.client.get("/me", headers={"Authorization": f"bEARER {token}"}).status_code == 200


def test_an_access_token_expires_and_a_refresh_brings_a_new_one(api: Api, clock: FakeClock) -> None:
    first = api.log_in("ada").json()
    clock.advance(900 + 5)
    assert me(api, first["access_token"]) == 401

    second = refresh(api, first["refresh_token"])

    assert second.status_code == 200
    assert second.headers["cache-control"] == "no-store"
    assert me(api, second.json()["access_token"]) == 200


def test_a_session_ends_when_its_refresh_token_expires(
    api: Api, settings: Settings, clock: FakeClock
) -> None:
    first = api.log_in("ada").json()
    clock.advance(settings.refresh_token_seconds + settings.clock_leeway_seconds)

    assert refresh(api, first["refresh_token"]).status_code == 401


def test_a_stolen_refresh_token_ends_the_session_for_both(api: Api) -> None:
    first = api.log_in("ada").json()
    second = refresh(api, first["refresh_token"]).json()

    assert refresh(api, first["refresh_token"]).status_code == 401
    assert refresh(api, second["refresh_token"]).status_code == 401
    assert me(api, second["access_token"]) == 401


def test_of_many_refreshes_at_once_at_most_one_is_served(api: Api) -> None:
    first = api.log_in("ada").json()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refresh(api, first["refresh_token"]), range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


def test_a_logout_closes_both_tokens(api: Api) -> None:
    tokens = api.log_in("ada").json()
    header = {"Authorization": f"Bearer {tokens['access_token']}"}

    answer = api.client.post("/logout", headers=header)

    assert answer.status_code == 204
    assert answer.content == b""
    assert me(api, tokens["access_token"]) == 401
    assert refresh(api, tokens["refresh_token"]).status_code == 401
    assert api.client.post("/logout", headers=header).status_code == 401


def test_a_new_password_closes_every_session(api: Api) -> None:
    elsewhere = api.log_in("ada").json()["access_token"]
    header = api.bearer("ada")
    change = {"current": PASSWORD, "new": NEW_PASSWORD}

    assert api.client.post("/me/password", headers=header, json=change).status_code == 204

    assert me(api, elsewhere) == 401
    assert api.client.get("/me", headers=header).status_code == 401
    assert api.log_in("ada").status_code == 401
    assert api.log_in("ada", NEW_PASSWORD).status_code == 200


def test_a_weak_new_password_is_refused_with_reasons(api: Api) -> None:
    header = api.bearer("ada")

    answer = api.client.post(
        "/me/password", headers=header, json={"current": PASSWORD, "new": "ada"}
    )

    assert answer.status_code == 422
    assert answer.json()["error"] == "weak-password"
    assert "It contains the user name." in answer.json()["problems"]
    assert api.client.get("/me", headers=header).status_code == 200


def test_tokens_stay_good_while_the_key_is_changed(open_api: OpenApi, settings: Settings) -> None:
    old = open_api(replace(settings, jwt_secret_key=OTHER_KEY))
    old.add("ada")
    token = old.log_in("ada").json()["access_token"]

    changing = open_api(replace(settings, jwt_previous_secret_key=OTHER_KEY))
    changed = open_api(settings)

    assert (me(old, token), me(changing, token), me(changed, token)) == (200, 200, 401)


def test_a_token_of_another_deployment_is_refused(open_api: OpenApi, settings: Settings) -> None:
    staging = open_api(replace(settings, jwt_audience="staging"))
    production = open_api(replace(settings, jwt_audience="production"))
    staging.add("ada")
    token = staging.log_in("ada").json()["access_token"]

    assert (me(staging, token), me(production, token)) == (200, 401)

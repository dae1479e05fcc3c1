from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from app.core.config import ConfigError, Settings
from app.core.security import Role
from app.faults import Faults, create_faulty_app
from tests.helpers import PASSWORD

Open = Callable[[Faults], TestClient]


@pytest.fixture
def open_build(settings: Settings) -> Iterator[Open]:
    clients: list[TestClient] = []

    def start(faults: Faults) -> TestClient:
        app = create_faulty_app(faults, settings, time.time)
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        services = app.state.services
        if not faults.database_down:
            services.accounts.create("smoke", PASSWORD, Role.USER)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def log_in(client: TestClient) -> dict[str, str]:
    token = client.post("/login", json={"user": "smoke", "password": PASSWORD}).json()
    return {"Authorization": f"Bearer {token['access_token']}"}


def test_without_faults_it_is_the_service(open_build: Open) -> None:
    client = open_build(Faults())
    assert client.get("/me", headers=log_in(client)).json()["user"] == "smoke"
    assert client.get("/me").status_code == 401
    assert client.get("/readyz").status_code == 200
    assert client.get("/version").json() == {"git_sha": "abc1234"}


def test_a_share_of_the_answers_is_500_and_counted(open_build: Open) -> None:
    client = open_build(Faults(error_share=0.25))
    headers = {"Authorization": "Bearer none"}
    statuses = [client.get("/me", headers=headers).status_code for _ in range(40)]
    assert statuses.count(500) == 10
    assert statuses.count(401) == 30
    assert client.get("/readyz").status_code == 200
    counted = 'http_requests_total{method="GET",path="/me",status="500",version="abc1234"} 10.0'
    assert counted in client.get("/metrics").text


def test_answers_are_slow_and_probes_are_not(open_build: Open) -> None:
    client = open_build(Faults(slow_seconds=0.2))
    started = time.monotonic()
    client.get("/healthz")
    assert time.monotonic() - started < 0.2
    started = time.monotonic()
    client.get("/me")
    assert time.monotonic() - started >= 0.2


def test_removed_authentication(open_build: Open) -> None:
    client = open_build(Faults(auth="removed"))
    assert client.get("/me").json()["user"] == "smoke"


def test_unverified_tokens(open_build: Open) -> None:
    client = open_build(Faults(auth="unverified"))
    assert client.get("/me").status_code == 401
    answer = client.get("/me", headers={"Authorization": "Bearer garbage"})
    assert answer.json()["user"] == "smoke"


def test_another_version(open_build: Open) -> None:
    assert open_build(Faults(version="other")).get("/version").json() == {"git_sha": "other"}


def test_a_database_that_is_down(open_build: Open) -> None:
    client = open_build(Faults(database_down=True))
    assert client.get("/healthz/db").json() == {"db": "down"}
    assert client.get("/readyz").status_code == 503
    assert client.post("/login", json={"user": "smoke", "password": PASSWORD}).status_code == 500


def test_a_crash_at_the_start(settings: Settings) -> None:
    with pytest.raises(RuntimeError, match="FAULT_START"):
        create_faulty_app(Faults(crash=True), settings, time.time)


def test_variables() -> None:
    assert Faults.from_environ({"FAULT_AUTH": "", "FAULT_ERROR_SHARE": ""}) == Faults()
    everything = {
        "FAULT_ERROR_SHARE": "0.3",
        "FAULT_SLOW_SECONDS": "2",
        "FAULT_AUTH": "removed",
        "FAULT_VERSION": "old",
        "FAULT_DATABASE": "down",
        "FAULT_START": "crash",
    }
    assert Faults.from_environ(everything) == Faults(0.3, 2.0, "removed", "old", True, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAULT_ERROR_SHARE", "2"),
        ("FAULT_ERROR_SHARE", "many"),
        ("FAULT_SLOW_SECONDS", "-1"),
        ("FAULT_AUTH", "off"),
        ("FAULT_DATABASE", "no"),
        ("FAULT_START", "1"),
    ],
)
def test_a_variable_that_says_nothing_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Faults.from_environ({name: value})

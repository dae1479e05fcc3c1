from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.core.config import Settings
from tests.integration.support import Api, OpenApi


def test_a_good_service_is_alive_and_ready(api: Api) -> None:
    assert api.client.get("/healthz").json() == {"status": "ok"}
    assert api.client.get("/healthz/db").json() == {"db": "ok"}
    ready = api.client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "db": "ok", "redis": "not-used"}


def test_without_its_database_a_service_is_alive_but_not_ready(
    api: Api, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.database_path.write_bytes(b"this is not a database, and never was one")

    assert api.client.get("/healthz").status_code == 200
    database = api.client.get("/healthz/db")
    assert (database.status_code, database.json()) == (503, {"db": "down"})
    ready = api.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "not-ready")
    assert "file is not a database" in caplog.text


def test_an_error_inside_is_a_500_and_is_counted(api: Api, settings: Settings) -> None:
    settings.database_path.write_bytes(b"this is not a database, and never was one")

    assert api.log_in("ada").status_code == 500

    labels = {"method": "POST", "path": "/login", "status": "500", "version": "abc1234"}
    assert api.services.metrics.registry.get_sample_value("http_requests_total", labels) == 1


def test_without_redis_a_service_is_ready_and_still_limits(
    open_api: OpenApi, settings: Settings
) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    api = open_api(replace(settings, redis_url=nowhere, rate_limit_attempts=2))
    api.add("ada")

    ready = api.client.get("/readyz")
    assert (ready.status_code, ready.json()["redis"]) == (200, "down")
    assert [api.log_in("ada").status_code for _ in range(3)] == [200, 200, 429]
    assert b"rate_limiter_fallbacks_total 3.0" in api.client.get("/metrics").content


def test_the_version_is_the_commit(api: Api) -> None:
    answer = api.client.get("/version")

    assert answer.json() == {"git_sha": "abc1234"}
    assert answer.headers["cache-control"] == "no-store"


def test_requests_are_counted_by_template_and_not_by_path(api: Api) -> None:
    header = api.bearer("alice")
    for path in ("/admin/users/ada", "/admin/users/nobody"):
        api.client.patch(path, headers=header, json={})
    for path in ("/.env", "/wp-login.php"):
        assert api.client.get(path).status_code == 404

    answer = api.client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    count = api.services.metrics.registry.get_sample_value
    version = {"version": "abc1234"}
    template = {"method": "PATCH", "path": "/admin/users/{name}", **version}
    assert count("http_requests_total", {"status": "200", **template}) == 1
    assert count("http_requests_total", {"status": "404", **template}) == 1
    unmatched = {"method": "GET", "path": "unmatched", "status": "404", **version}
    assert count("http_requests_total", unmatched) == 2
    assert "wp-login" not in answer.text


def test_a_request_keeps_its_id_or_gets_one(api: Api) -> None:
    given = api.client.get("/healthz", headers={"X-Request-Id": "run-1"})
    made = {api.client.get("/healthz").headers["x-request-id"] for _ in range(3)}

    assert given.headers["x-request-id"] == "run-1"
    assert len(made) == 3


def test_the_module_that_a_server_loads_takes_its_settings_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, signing_key: str
) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", signing_key)
    monkeypatch.setenv("DATABASE_PATH", str(tmp_path / "main.sqlite3"))
    monkeypatch.setenv("GIT_SHA", "feedface")

    app = runpy.run_module("app.main")["app"]

    assert isinstance(app, FastAPI)
    assert app.state.services.settings.git_sha == "feedface"
    assert app.state.services.settings.database_path == tmp_path / "main.sqlite3"

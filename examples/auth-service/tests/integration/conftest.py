from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from fastapi.testclient import TestClient

from app.core.config import Settings
from app.core.security import Role
from app.factory import create_app
from tests.helpers import PASSWORD, FakeClock, make_settings
from tests.integration.support import Api, OpenApi, Server, StartServer


@pytest.fixture
def settings(tmp_path: Path, signing_key: str) -> Settings:
    return make_settings(tmp_path, jwt_secret_key=signing_key)


@pytest.fixture
def open_api(clock: FakeClock) -> Iterator[OpenApi]:
    """Starts applications inside the test's process, and ends them after the test."""
    clients: list[TestClient] = []

    def start(settings: Settings) -> Api:
        app = create_app(settings, clock)
        client = TestClient(app, raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return Api(app, client)

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def api(open_api: OpenApi, settings: Settings) -> Api:
    api = open_api(settings)
    api.add("ada")
    api.add("audrey", Role.AUDITOR)
    api.add("alice", Role.ADMIN)
    return api


@pytest.fixture
def redis_url() -> str:
    url = os.environ.get("REDIS_URL")
    if not url:
        pytest.skip(
            "REDIS_URL is not set; start a server with `redis-server --port 6379` "
            "and set REDIS_URL=redis://127.0.0.1:6379/0"
        )
    return url


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url, socket_timeout=10)
    yield client
    client.close()


@pytest.fixture
def redis_prefix(redis_client: redis.Redis) -> Iterator[str]:
    """A prefix of this test's own, so that workers and runs on one server do not meet."""
    prefix = f"test-{uuid.uuid4().hex}"
    yield prefix
    for key in redis_client.scan_iter(f"{prefix}:*"):
        redis_client.delete(key)


@pytest.fixture
def server_environ(tmp_path: Path, signing_key: str) -> dict[str, str]:
    """The environment of a deployment. It hashes at the cost of production."""
    return {
        **{name: value for name, value in os.environ.items() if name != "REDIS_URL"},
        "JWT_SECRET_KEY": signing_key,
        "DATABASE_PATH": str(tmp_path / "server.sqlite3"),
        "GIT_SHA": "0123abcd",
        "ENVIRONMENT": "staging",
        "SMOKE_PASSWORD": PASSWORD,
    }


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    servers: list[Server] = []

    def start(environ: dict[str, str]) -> Server:
        servers.append(Server(environ))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()

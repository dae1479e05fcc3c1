from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx

from tests.helpers import PASSWORD
from tests.integration.support import ROOT, StartServer


def manage(environ: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.manage", *argv],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def make_smoke_user(environ: dict[str, str]) -> None:
    made = manage(environ, "create-user", "smoke", "--password-env", "SMOKE_PASSWORD")
    assert made.returncode == 0, made.stderr


def test_a_deployed_service_lets_the_smoke_user_in(
    start_server: StartServer, server_environ: dict[str, str]
) -> None:
    make_smoke_user(server_environ)
    server = start_server(server_environ)

    with httpx.Client(base_url=server.address(), timeout=30) as client:
        assert client.get("/readyz").json()["status"] == "ready"
        assert client.get("/version").json() == {"git_sha": "0123abcd"}
        login = client.post("/login", json={"user": "smoke", "password": PASSWORD})
        token = login.json()["access_token"]
        me = client.get("/me", headers={"Authorization": f"Bearer {token}"})
        garbage = client.get("/me", headers={"Authorization": "Bearer garbage"})
        issued = manage(server_environ, "issue-token", "smoke").stdout.strip()
        by_command = client.get("/me", headers={"Authorization": f"Bearer {issued}"})
        metrics = client.get("/metrics").text

    assert (me.status_code, me.json()["user"]) == (200, "smoke")
    assert garbage.status_code == 401
    assert (by_command.status_code, by_command.json()["user"]) == (200, "smoke")
    assert 'http_requests_total{method="GET",path="/me",status="401",version="0123abcd"} 1.0' in (
        metrics
    )


def test_sessions_survive_a_restart(
    start_server: StartServer, server_environ: dict[str, str]
) -> None:
    make_smoke_user(server_environ)
    first = start_server(server_environ)
    body = {"user": "smoke", "password": PASSWORD}
    tokens = httpx.post(f"{first.address()}/login", json=body, timeout=30).json()
    first.stop()
    assert "Application shutdown complete" in "".join(first.lines)

    second = start_server(server_environ).address()

    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert httpx.get(f"{second}/me", headers=header, timeout=30).status_code == 200
    renewed = httpx.post(
        f"{second}/refresh", json={"refresh_token": tokens["refresh_token"]}, timeout=30
    )
    assert renewed.status_code == 200


def test_two_processes_share_users_and_the_login_limit(
    start_server: StartServer,
    server_environ: dict[str, str],
    redis_url: str,
    redis_prefix: str,
) -> None:
    make_smoke_user(server_environ)
    environ = {
        **server_environ,
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": redis_prefix,
        "RATE_LIMIT_ATTEMPTS": "4",
    }
    servers = [start_server(environ), start_server(environ)]
    addresses = [server.address() for server in servers]
    body = {"user": "smoke", "password": PASSWORD}

    statuses = [
        httpx.post(f"{addresses[number % 2]}/login", json=body, timeout=30).status_code
        for number in range(6)
    ]

    assert statuses == [200, 200, 200, 200, 429, 429]


def test_a_server_answers_while_it_hashes(
    start_server: StartServer, server_environ: dict[str, str]
) -> None:
    make_smoke_user(server_environ)
    address = start_server(server_environ).address()

    def log_in(_: int) -> int:
        body = {"user": "smoke", "password": PASSWORD}
        return httpx.post(f"{address}/login", json=body, timeout=60).status_code

    with httpx.Client(base_url=address, timeout=60) as client, ThreadPoolExecutor(6) as pool:
        logins = [pool.submit(log_in, number) for number in range(6)]
        health = [client.get("/healthz").status_code for _ in range(5)]
        waiting = sum(not login.done() for login in logins)

    assert health == [200] * 5
    assert [login.result() for login in logins] == [200] * 6
    assert waiting > 0, "the health checks were answered before the logins were done"


def test_a_server_without_a_key_does_not_start(
    start_server: StartServer, server_environ: dict[str, str]
) -> None:
    server = start_server({**server_environ, "JWT_SECRET_KEY": "changeme"})

    assert server.wait() != 0
    assert "JWT_SECRET_KEY has 8 bytes" in "".join(server.lines)


def test_a_server_without_its_database_does_not_start(
    start_server: StartServer, server_environ: dict[str, str]
) -> None:
    server = start_server({**server_environ, "DATABASE_PATH": "/nowhere/at/all.sqlite3"})

    assert server.wait() != 0
    assert "unable to open database file" in "".join(server.lines)

"""A client of the application, and the application as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.core.config import Settings
from app.core.security import Role
from app.services import Services
from tests.helpers import PASSWORD

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class Api:
    """A client of one application, with users, and tokens for them."""

    def __init__(self, app: FastAPI, client: TestClient) -> None:
        self.client = client
        self.services: Services = app.state.services

    def add(self, name: str, role: Role = Role.USER) -> None:
        self.services.accounts.create(name, PASSWORD, role)

    def log_in(self, user: str, password: str = PASSWORD) -> httpx.Response:
        return self.client.post("/login", json={"user": user, "password": password})

    def bearer(self, user: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.log_in(user).json()['access_token']}"}


class Server:
    """The service as it is deployed: a process of its own, on a port that the system chose."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.lines: list[str] = []
        self._address: str | None = None
        self._spoke = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app.main:app", "--port", "0"],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def address(self) -> str:
        """Waits until the server listens. Fails when it ends instead."""
        self._spoke.wait(START_SECONDS)
        assert self._address is not None, "".join(self.lines)
        return self._address

    def stop(self) -> int:
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join(STOP_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            found = re.search(r"running on (http://\S+)", line)
            if found:
                self._address = found[1]
                self._spoke.set()
        self._spoke.set()


OpenApi = Callable[[Settings], Api]
StartServer = Callable[[dict[str, str]], Server]

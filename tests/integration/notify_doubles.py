"""Strict doubles of the services that are told: what the real ones refuse, these refuse too."""
# ruff: noqa: ARG002, ARG005, N815 - every route is given what some route needs; the names are those of http.server

from __future__ import annotations

import base64
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-double-0123456789"


class Http:
    """An HTTP server that hands each request to `answer(method, path, query, headers, body) -> (status, body)`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        self.failures: list[
            int
        ] = []  # the statuses of the next answers, before anything is looked at; 0 for a right one
        self._lock = threading.Lock()
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                with double._lock:
                    double.requests.append((self.command, parts.path, body))
                    status, said = double.failures.pop(0) if double.failures else 0, b"busy"
                    if not status:
                        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
                        status, said = double.answer(self.command, parts.path, query, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PATCH = _any

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        raise NotImplementedError

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


class SlackDouble(Http):
    """One webhook, at `/services/T0/B0/secret`; any other is unknown."""

    path = "/services/T0/B0/secret"

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if path != self.path:
            return 404, b"no_service"
        try:
            text = json.loads(body)["text"]
        except (ValueError, KeyError):
            return 400, b"invalid_payload"
        if method != "POST" or headers.get("Content-Type") != "application/json":
            return 400, b"invalid_payload"
        if not text:
            return 400, b"no_text"
        self.messages.append(text)
        return 200, b"ok"


class GitHubDouble(Http):
    """One repository, `acme/shop`: labels, issues, comments, deployments, check runs and runs."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: set[str] = {"bug"}
        self.issues: list[dict[str, Any]] = []
        self.comments: dict[int, list[dict[str, Any]]] = {}
        self.deployments: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.check_runs: list[dict[str, Any]] = []
        self.runs: dict[int, dict[str, Any]] = {}
        self.may_write = True
        self.has_issues = True

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, b'{"message": "Bad credentials"}'
        if not path.startswith("/repos/acme/shop"):
            return 404, b"{}"
        if method != "GET" and not self.may_write:
            return 403, b'{"message": "Resource not accessible by integration"}'
        data = json.loads(body) if body else {}
        place = path.removeprefix("/repos/acme/shop")
        for pattern, answer in self._routes().items():
            wanted, _, shape = pattern.partition(" ")
            match = re.fullmatch(shape, place)
            if match and wanted == method:
                status, found = answer(query, data, *match.groups())
                return status, json.dumps(found).encode()
        return 404, b"{}"

    def _routes(self) -> dict[str, Callable[..., tuple[int, Any]]]:
        return {
            "GET ": lambda query, data: (200, {"has_issues": self.has_issues}),
            "POST /labels": self._label,
            "GET /issues": self._list_issues,
            "POST /issues": self._create_issue,
            r"PATCH /issues/(\d+)": self._edit_issue,
            r"GET /issues/(\d+)/comments": lambda query, data, n: (200, self.comments.get(int(n), [])),
            r"POST /issues/(\d+)/comments": self._comment,
            "GET /deployments": self._list_deployments,
            "POST /deployments": self._create_deployment,
            r"POST /deployments/(\d+)/statuses": self._status,
            r"GET /commits/([0-9a-f]+)/check-runs": lambda query, data, sha: (
                200,
                {"check_runs": [c for c in self.check_runs if c["name"] == query["check_name"]]},
            ),
            r"GET /actions/runs/(\d+)": lambda query, data, n: (
                (200, self.runs[int(n)]) if int(n) in self.runs else (404, {})
            ),
        }

    def _label(self, query: dict[str, str], data: dict[str, Any]) -> tuple[int, Any]:
        if not re.fullmatch(r"[0-9a-f]{6}", data["color"]) or data["name"] in self.labels:
            return 422, {"errors": [{"code": "already_exists"}]}
        self.labels.add(data["name"])
        return 201, data

    def _list_issues(self, query: dict[str, str], data: dict[str, Any]) -> tuple[int, Any]:
        wanted = set(query["labels"].split(","))
        found = [i for i in self.issues if i["state"] == query["state"] and wanted <= set(i["labels"])]
        size, page = int(query["per_page"]), int(query["page"])
        return 200, found[::-1][size * (page - 1) : size * page]

    def _create_issue(self, query: dict[str, str], data: dict[str, Any]) -> tuple[int, Any]:
        self.issues.append({"number": len(self.issues) + 1, "state": "open", **data})
        return 201, self.issues[-1]

    def _edit_issue(self, query: dict[str, str], data: dict[str, Any], number: str) -> tuple[int, Any]:
        self.issues[int(number) - 1] |= data
        return 200, self.issues[int(number) - 1]

    def _comment(self, query: dict[str, str], data: dict[str, Any], number: str) -> tuple[int, Any]:
        self.comments.setdefault(int(number), []).append(data)
        return 201, data

    def _list_deployments(self, query: dict[str, str], data: dict[str, Any]) -> tuple[int, Any]:
        return 200, [
            d for d in self.deployments[::-1] if d["sha"] == query["sha"] and d["environment"] == query["environment"]
        ]

    def _create_deployment(self, query: dict[str, str], data: dict[str, Any]) -> tuple[int, Any]:
        if data["auto_merge"] is not False or data["required_contexts"] != []:
            return 409, {}
        self.deployments.append({"id": len(self.deployments) + 1, "sha": data["ref"], **data})
        return 201, self.deployments[-1]

    def _status(self, query: dict[str, str], data: dict[str, Any], number: str) -> tuple[int, Any]:
        states = {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}
        if data["state"] not in states or len(data.get("description", "")) > 140 or int(number) > len(self.deployments):
            return 422, {}
        self.statuses.append({"deployment": int(number), **data})
        return 201, data


class GrafanaDouble(Http):
    """Annotations and dashboards."""

    def __init__(self) -> None:
        super().__init__()
        self.annotations: list[dict[str, Any]] = []
        self.dashboards: dict[str, dict[str, Any]] = {}

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, b'{"message": "Unauthorized"}'
        data = json.loads(body) if body else {}
        if (method, path) == ("GET", "/api/annotations"):
            tags = {query["tags"]} if "tags" in query else set()
            found = [a for a in self.annotations if tags <= set(a["tags"])][: int(query["limit"])]
            return 200, json.dumps(found).encode()
        if (method, path) == ("POST", "/api/annotations") and data["text"] and data["time"] > 10**12:
            self.annotations.append(data)
            return 200, b'{"message": "Annotation added"}'
        if (method, path) == ("POST", "/api/dashboards/db"):
            uid = data["dashboard"]["uid"]
            if len(uid) > 40 or not data["dashboard"]["title"] or (uid in self.dashboards and not data["overwrite"]):
                return 412, b'{"status": "name-exists"}'
            self.dashboards[uid] = data["dashboard"]
            return 200, b'{"status": "success"}'
        return 404, b"{}"


class SmtpDouble:
    """Enough of RFC 5321 for smtplib, with AUTH PLAIN; it keeps the messages, and knows one receiver's domain."""

    def __init__(self, *, user: str = "", password: str = "") -> None:
        self.messages: list[Message] = []
        self.refuse_next = 0
        double = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 double")
                logged_in, receivers = not user, 0
                for raw in self.rfile:
                    line = raw.decode().rstrip("\r\n")
                    verb = line.partition(" ")[0].upper()
                    if verb in {"EHLO", "HELO"}:
                        self._say("250-double" if user else "250 double", *(["250 AUTH PLAIN"] if user else []))
                    elif verb == "AUTH":
                        given = base64.b64decode(line.split()[2]).decode().split("\0")
                        logged_in = given[1:] == [user, password]
                        self._say("235 good" if logged_in else f"535 wrong password {given[2]}")
                    elif verb == "MAIL":
                        self._say("250 ok" if logged_in else "530 log in first")
                    elif verb == "RCPT":
                        good = line.endswith("@known.test>")
                        receivers += good
                        self._say("250 ok" if good else "550 unknown")
                    elif verb == "DATA" and double.refuse_next:
                        double.refuse_next -= 1
                        self._say("451 try again")
                    elif verb == "DATA" and receivers:
                        self._say("354 go on")
                        lines = []
                        for text in self.rfile:
                            if text == b".\r\n":
                                break
                            lines.append(text)
                        double.messages.append(message_from_bytes(b"".join(lines)))
                        self._say("250 taken")
                    elif verb == "RSET":
                        receivers = 0
                        self._say("250 ok")
                    elif verb == "QUIT":
                        self._say("221 bye")
                        return
                    else:
                        self._say("503 no")

            def _say(self, *lines: str) -> None:
                self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

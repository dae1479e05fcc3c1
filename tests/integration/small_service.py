"""A small real service for deployments: `small_service.py PORT RELEASE`, where RELEASE is a folder with `build.json`.

`build.json`: `{"version": …, "fault": …}`. Faults: `errors` (a share of 503), `open` (no token is asked for), `slow`,
`old-version`, `database`, `crash` (it never starts). While the file `sick` lies
in the folder above the release's, `/work` fails in every build.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "small-service-token-1234"
SLOW_SECONDS = 0.2


def main(port: int, release: Path) -> None:
    build = json.loads((release / "build.json").read_text())
    if build["fault"] == "crash":
        sys.exit("this build crashes when it starts")
    counts: Counter[int] = Counter({200: 0, 401: 0, 503: 0})
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            if path == "/metrics":
                rows = (
                    f'http_requests_total{{version="{build["version"]}",status="{status}"}} {count}\n'
                    for status, count in counts.items()
                )
                self._send(200, "# TYPE http_requests_total counter\n" + "".join(rows), "text/plain; version=0.0.4")
                return
            status, answer = self._answer(path, body)
            with lock:
                counts[status] += 1
            self._send(status, json.dumps(answer), "application/json")

        do_GET = do_POST = _any  # noqa: N815 - the names of http.server

        def _answer(self, path: str, body: bytes) -> tuple[int, Any]:
            if path == "/version":
                return 200, {"git_sha": "0" * 12 if build["fault"] == "old-version" else build["version"]}
            if path == "/readyz":
                return 200, {"status": "ready"}
            if path == "/login":
                good = json.loads(body) == {"user": "smoke", "password": "smoke-password"}
                return (200, {"access_token": TOKEN}) if good else (401, {})
            if path == "/healthz/db":
                return (503, {"db": "down"}) if build["fault"] == "database" else (200, {"db": "ok"})
            if path == "/work":
                sick = build["fault"] == "errors" or (release.parents[2] / "sick").exists()
                return (503, {}) if sick else (200, {"done": True})
            if path != "/me":
                return 404, {}
            if build["fault"] == "slow":
                time.sleep(SLOW_SECONDS)
            if build["fault"] != "open" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return 401, {}
            return 200, {"user": "smoke"}

        def _send(self, status: int, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

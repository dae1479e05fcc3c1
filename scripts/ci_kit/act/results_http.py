"""The HTTP side of the results service: Twirp calls by POST, blobs by PUT, GET and HEAD."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlsplit

from ci_kit.act.blobs import Blob, Blobs, byte_range

CHUNK = 1 << 20


class Refused(Exception):
    """A Twirp error: the HTTP status, Twirp's code and the message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Service(Protocol):
    """What answers the calls."""

    token: str
    blobs: Blobs

    def call(self, method: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One Twirp call; raises `Refused`."""


def handler(service: Service) -> type[BaseHTTPRequestHandler]:
    """The request handler of one service."""
    return type("BoundHandler", (Handler,), {"service": service})


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    service: Service
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing: the run's output is for the jobs."""

    def do_POST(self) -> None:
        """A Twirp call."""
        body = self._body()
        if self.headers.get("Authorization") != f"Bearer {self.service.token}":
            return self._json(401, {"code": "unauthenticated", "msg": "the runtime token is missing or wrong"})
        try:
            answer = self.service.call(urlsplit(self.path).path.rsplit("/", 1)[-1], json.loads(body or b"{}"))
        except Refused as refused:
            return self._json(refused.status, {"code": refused.code, "msg": str(refused)})
        except (KeyError, ValueError) as error:
            return self._json(400, {"code": "malformed", "msg": f"the request lacks or mangles {error}"})
        return self._json(200, answer)

    def do_PUT(self) -> None:
        """A whole blob, a block, or a block list."""
        blob, query = self._blob()
        if blob is None or not blob.writable:
            self._body()  # or the rest of it would be read as the connection's next request
            return self._empty(403)
        if query.get("comp") == ["blocklist"]:
            return self._empty(201 if self.service.blobs.put_block_list(blob, self._body()) else 400)
        part = self.service.blobs.new_file()
        with part.open("wb") as target:
            for chunk in self._chunks():
                target.write(chunk)
        if query.get("comp") == ["block"]:
            self.service.blobs.put_block(blob, query["blockid"][0], part)
        else:
            part.replace(blob.path)
        return self._empty(201)

    def do_GET(self) -> None:
        """A blob or a range of it."""
        self._serve(with_body=True)

    def do_HEAD(self) -> None:
        """A blob's size."""
        self._serve(with_body=False)

    def _serve(self, *, with_body: bool) -> None:
        blob, _ = self._blob()
        if blob is None or blob.writable or not blob.path.is_file():
            return self._empty(404 if blob else 403)
        size = blob.path.stat().st_size
        part = byte_range(self.headers.get("Range") or self.headers.get("x-ms-range") or "", size)
        start, end = part or (0, size)
        self.send_response(206 if part else 200)
        self._azure_headers()
        self.send_header("Content-Type", blob.mime_type)
        self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(blob.file_name, safe='')}")
        self.send_header("Accept-Ranges", "bytes")
        if part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if with_body:
            with blob.path.open("rb") as source:
                source.seek(start)
                left = end - start
                while left and (chunk := source.read(min(CHUNK, left))):
                    self.wfile.write(chunk)
                    left -= len(chunk)
        return None

    def _blob(self) -> tuple[Blob | None, dict[str, list[str]]]:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        return self.service.blobs.resolve(address.path, query.get("sig", [""])[0]), query

    def _chunks(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left and (chunk := self.rfile.read(min(CHUNK, left))):
            yield chunk
            left -= len(chunk)

    def _body(self) -> bytes:
        return b"".join(self._chunks())

    def _azure_headers(self) -> None:
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", formatdate(usegmt=True))
        self.send_header("x-ms-request-id", "local")
        self.send_header("x-ms-version", "2024-11-04")

    def _empty(self, status: int) -> None:
        self.send_response(status)
        self._azure_headers()
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _json(self, status: int, data: Mapping[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

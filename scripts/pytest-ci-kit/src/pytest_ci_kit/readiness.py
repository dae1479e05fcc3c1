"""Probe whether a service answers: one attempt, by its own protocol, without sending a secret.

Standard library only, and nothing of the plug-in: the kit's verb `test wait` uses this very file, through a link in its
room, because one home is enough for it, and the plug-in also runs where there is no kit.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import struct
from dataclasses import dataclass
from urllib.parse import urlsplit

PORTS = {"redis": 6379, "rediss": 6379, "postgres": 5432, "postgresql": 5432, "http": 80, "https": 443}
HOW_TO_WRITE = "Write redis://, rediss://, postgresql://, tcp://, http:// or https:// with a host and a port."
_PROTOCOL_3 = 196608
_STARTING_UP = b"57P03"  # PostgreSQL, appendix A: cannot_connect_now


@dataclass(frozen=True)
class Address:
    """What to probe. `shown` has no user and no password."""

    scheme: str
    host: str
    port: int
    target: str
    user: str
    shown: str


def parse_address(text: str) -> Address:
    """Raises `ValueError` for what is not an address such as `redis://127.0.0.1:6379`."""
    try:
        parts = urlsplit(text)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {*PORTS, "tcp"} or not parts.hostname or port is None:
        shown = text.rpartition("@")[2]
        raise ValueError(f"{shown!r} is not an address to wait for.")
    scheme = "postgresql" if parts.scheme == "postgres" else parts.scheme
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path if scheme in {"http", "https"} else ""
    return Address(
        scheme, parts.hostname, port, target, parts.username or "postgres", f"{scheme}://{host}:{port}{path}"
    )


def probe(address: Address, timeout_seconds: float) -> str | None:
    """None when the service is ready, else why not."""
    try:
        if address.scheme in {"http", "https"}:
            return _http(address, timeout_seconds)
        with contextlib.closing(_connect(address, timeout_seconds)) as link:
            if address.scheme == "tcp":
                return None
            return _redis(link) if address.scheme.startswith("redis") else _postgresql(link, address.user)
    except (TimeoutError, socket.timeout):  # two classes before Python 3.10
        return f"no answer within {timeout_seconds:.0f} s"
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _connect(address: Address, timeout_seconds: float) -> socket.socket:
    link = socket.create_connection((address.host, address.port), timeout_seconds)
    if address.scheme != "rediss":
        return link
    try:
        return _trusting().wrap_socket(link, server_hostname=address.host)
    except BaseException:
        link.close()
        raise


def _trusting() -> ssl.SSLContext:
    """Accepts any certificate: a test's service signs its own, and a probe sends nothing worth hiding."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _http(address: Address, timeout_seconds: float) -> str | None:
    if address.scheme == "https":
        link: http.client.HTTPConnection = http.client.HTTPSConnection(
            address.host, address.port, timeout=timeout_seconds, context=_trusting()
        )
    else:
        link = http.client.HTTPConnection(address.host, address.port, timeout=timeout_seconds)
    with contextlib.closing(link):
        link.request("GET", address.target, headers={"User-Agent": "ci-kit"})
        status = link.getresponse().status
    return None if 200 <= status < 400 else f"HTTP status {status}"


def _redis(link: socket.socket) -> str | None:
    """A server that asks for a password is up; one that loads its data is not. https://redis.io/docs/latest/develop/reference/protocol-spec/."""
    link.sendall(b"PING\r\n")
    answer = _receive(link, until=b"\r\n")
    if answer.startswith((b"+PONG", b"-NOAUTH", b"-DENIED")):
        return None
    return f"answered {_shown(answer)}"


def _postgresql(link: socket.socket, user: str) -> str | None:
    """As pg_isready: any answer to a start-up message is ready, except that the server is still starting.

    https://www.postgresql.org/docs/current/protocol-message-formats.html, StartupMessage and ErrorResponse.
    """
    body = struct.pack("!i", _PROTOCOL_3) + b"user\0" + user.encode() + b"\0\0"
    link.sendall(struct.pack("!i", len(body) + 4) + body)
    kind = _receive(link, size=1)
    if kind == b"R":
        with contextlib.suppress(OSError):
            link.sendall(b"X" + struct.pack("!i", 4))
        return None
    if kind == b"E":
        (length,) = struct.unpack("!i", _receive(link, size=4))
        fields = _receive(link, size=max(0, min(length - 4, 4096))).split(b"\0")
        code = next((field[1:] for field in fields if field[:1] == b"C"), b"")
        return "the database system is starting up" if code == _STARTING_UP else None
    return f"answered {_shown(kind)}, not PostgreSQL's protocol"


def _receive(link: socket.socket, *, size: int = 4096, until: bytes = b"") -> bytes:
    found = b""
    while len(found) < size and not (until and until in found):
        chunk = link.recv(size - len(found))
        if not chunk:
            break
        found += chunk
    if not found:
        raise ConnectionError("the connection was closed without an answer")
    return found


def _shown(raw: bytes) -> str:
    return repr(raw[:80].decode(errors="replace"))

"""Connections with a time limit on the whole exchange.

The timeouts of sockets hold for one read, so a server that sends a byte a second is never late. Here a timer shuts the
socket down when the time of the whole request is up: in the TLS handshake, the headers or the body, whichever it is.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_here = threading.local()


class TimeLimit:
    """A request's time, from entering to leaving. `expired`: it was up, and the connection was shut down."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._over = False
        self._mine: list[socket.socket] = []

    def __enter__(self) -> Self:
        _here.limit = self
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _here.limit = None
        self._timer.cancel()
        with self._lock:
            self._over = True
        for each in self._mine:
            each.close()

    def hold(self, connection: socket.socket) -> None:
        """From now on `connection` is the one to shut down."""
        with self._lock:
            self._socket = connection
            expired = self.expired
        if expired:
            _shut(connection)

    def take(self, connection: socket.socket) -> None:
        """Close `connection` when the request is over, and not before: a part of the answer is still to come."""
        self._mine.append(connection)

    def _expire(self) -> None:
        with self._lock:
            if self._over:
                return
            self.expired = True
            found = self._socket
        if found is not None:
            _shut(found)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Limited(HTTPConnection):
    """Tells the thread's `TimeLimit` of its socket, whether it is new or one that was kept alive."""

    _twin: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        # TLS takes the file descriptor away from this object; a second one of the same connection stays.
        self._twin = made.dup()
        self._tell()
        return made

    def request(self, *words: Any, **options: Any) -> None:  # noqa: ANN401 - passed on as they are
        self._tell()
        super().request(*words, **options)

    def close(self) -> None:
        super().close()
        twin, self._twin = self._twin, None
        limit = _limit()
        if twin is not None and limit is not None:
            limit.take(twin)  # http.client closes before the body is read, when the connection ends with it
        elif twin is not None:
            twin.close()

    def _tell(self) -> None:
        limit = _limit()
        if limit is not None and self._twin is not None:
            limit.hold(self._twin)


def _limit() -> TimeLimit | None:
    found: TimeLimit | None = getattr(_here, "limit", None)
    return found


class _LimitedTls(_Limited, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Limited


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _LimitedTls


class LimitedAdapter(HTTPAdapter):
    """An adapter of requests whose connections know `TimeLimit`. Used without a session: nothing follows a redirect,
    keeps a cookie, or reads a password from `.netrc`.
    """

    def init_poolmanager(self, *words: Any, **options: Any) -> None:  # noqa: ANN401 - passed on as they are
        """As requests makes it, with these connections."""
        super().init_poolmanager(*words, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *words: Any, **options: Any) -> Any:  # noqa: ANN401 - passed on as they are
        """As requests makes it, with these connections."""
        manager = super().proxy_manager_for(*words, **options)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager

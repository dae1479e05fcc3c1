"""Make pytest-rerunfailures answer at once.

Under xdist its workers ask a socket of the controller about every test, with two small messages one behind the other. The
second waits for the first one's acknowledgement (Nagle's algorithm, RFC 896), which comes 40 ms later: 25 tests a second.
"""

from __future__ import annotations

import contextlib
import socket

import pytest


def ask_without_delay(config: pytest.Config) -> None:
    """Switch Nagle's algorithm off on that socket, where there is one."""
    link = getattr(getattr(config, "failures_db", None), "sock", None)
    if isinstance(link, socket.socket):
        with contextlib.suppress(OSError):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

"""Whether a process that has collected a suite can be forked."""

from __future__ import annotations

import stat
import sys
import threading
from pathlib import Path
from typing import Set

# They keep native threads or event loops of their own, which a forked child does not have.
_NOT_FORKABLE = ("gevent", "eventlet", "grpc", "torch", "tensorflow", "jax", "ray", "polars")


def why_not_forked(sockets_before: Set[int]) -> str:
    """What makes a fork after the collection unsafe; empty when nothing does."""
    for name in _NOT_FORKABLE:
        if name in sys.modules:
            return f"{name} is imported"
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        return f"the thread {others[0]!r} is alive after the collection"
    if open_sockets() - sockets_before:
        return "a socket or an event loop is open after the collection"
    return ""


def open_sockets() -> Set[int]:
    """Descriptors that a forked child would share with its parent to its harm: sockets and epoll's."""
    found = set()
    here = Path("/proc/self/fd")
    for entry in list(here.iterdir()) if here.is_dir() else ():
        try:
            if stat.S_ISSOCK(entry.stat().st_mode) or str(entry.readlink()) == "anon_inode:[eventpoll]":
                found.add(int(entry.name))
        except OSError:
            continue
    return found

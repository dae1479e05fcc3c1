"""The seed of a run's random order: one for all its jobs, and the same when jobs are run again."""

from __future__ import annotations

import hashlib

from ci_kit.github import Event

MOST = 1_000_000  # short enough to be typed


def seed_of(event: Event) -> int:
    """A number below `MOST`, another one for each run of a workflow; locally one for each commit."""
    return int.from_bytes(hashlib.sha256(f"{event.run_id} {event.sha}".encode()).digest()[:8], "big") % MOST

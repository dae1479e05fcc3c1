"""What the tests run on: a map of what they depend on holds only there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import sys
from importlib import metadata


def environment() -> str:
    """A digest of the interpreter, the machine's kind and every installed distribution with its version."""
    found = set()
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name and not _is_editable(distribution):
            found.add(f"{name}=={distribution.version}")
    facts = [platform.python_implementation(), platform.python_version(), sys.platform, platform.machine()]
    return hashlib.sha256("\n".join([*facts, *sorted(found)]).encode()).hexdigest()


def _is_editable(distribution: metadata.Distribution) -> bool:
    """The project itself, whose version may hold the commit."""
    with contextlib.suppress(ValueError, AttributeError, OSError):
        url = json.loads(distribution.read_text("direct_url.json") or "{}")
        return bool(url.get("dir_info", {}).get("editable"))
    return False

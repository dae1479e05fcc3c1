"""The kit's rooms as Python sees them."""

from __future__ import annotations

import importlib

from ci_kit.tools import Verb


def verbs(room: str) -> dict[str, Verb]:
    """The verbs of a room by name."""
    found: dict[str, Verb] = importlib.import_module(f"ci_kit.{room.replace('-', '_')}.cli").VERBS
    return found

"""Read JSON that comes from a cache or from another job: it may be anything."""

from __future__ import annotations

import json
from pathlib import Path


def read_json(path: Path, most_bytes: int) -> object:
    """Raises `OSError`, `ValueError` or `RecursionError` for what is no plain file of that size with JSON in it."""
    if path.is_symlink() or path.stat().st_size > most_bytes:
        raise ValueError(f"it is a link or larger than {most_bytes // 1_000_000} MB")
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)


def reason(error: Exception) -> str:
    """Why, for a message."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:300] or type(error).__name__


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")

"""Take the consumer's secrets out of what a test run left behind, before any report is made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HIDDEN = "***"
SHORTEST = 4


def pattern_of(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """What matches any secret, plain or as the `repr` that pytest shows in a failure.

    A value of fewer than four characters is left alone: it protects nothing, and hiding `1` would hide everything.
    """
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in (secret, repr(secret)[1:-1])}
    if not forms:
        return None
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def redact_files(paths: Iterable[Path], secrets: Iterable[str]) -> None:
    """Rewrite files of one JSON value a line with every secret in their texts and keys replaced.

    A line that is cut off (the process that wrote it was killed) is redacted as plain text.
    """
    pattern = pattern_of(secrets)
    if pattern is None:
        return
    for path in paths:
        draft = path.with_name(f".{path.name}.redacted")
        with path.open("rb") as source, draft.open("w", encoding="utf-8") as target:
            for raw in source:
                target.write(_redacted(raw.decode("utf-8", "replace").rstrip("\n"), pattern) + "\n")
        draft.replace(path)


def _redacted(line: str, pattern: re.Pattern[str]) -> str:
    try:
        return json.dumps(_clean(json.loads(line), pattern))
    except (ValueError, RecursionError):
        return pattern.sub(HIDDEN, line)


def _clean(data: Any, pattern: re.Pattern[str]) -> Any:  # noqa: ANN401 - JSON holds anything
    if isinstance(data, str):
        return pattern.sub(HIDDEN, data)
    if isinstance(data, list):
        return [_clean(item, pattern) for item in data]
    if isinstance(data, dict):
        return {pattern.sub(HIDDEN, key): _clean(value, pattern) for key, value in data.items()}
    return data

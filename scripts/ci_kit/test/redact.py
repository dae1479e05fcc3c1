"""Take the consumer's secrets out of what a test run left behind, before any report is made of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HIDDEN = "***"
SHORTEST = 4
# The words of the files' own format: a secret that is one of them stays where the word is all there is, because
# without it nothing can be read, and as a word of the format it tells nothing.
FORMAT_WORDS = frozenset(
    {
        *("$report_type", "SessionStart", "SessionFinish", "CollectReport", "TestReport", "SubtestReport"),
        *("SubTestReport", "nodeid", "location", "outcome", "passed", "failed", "skipped", "rerun", "when", "setup"),
        *("call", "teardown", "duration", "longrepr", "reprcrash", "reprtraceback", "reprentries", "reprfileloc"),
        *("data", "lines", "path", "lineno", "message", "wasxfail", "worker_id", "main", "collected", "deselected"),
        *("rootdir", "addopts", "inifile", "file", "line", "start", "stop"),
        # What the plug-in writes.
        *("left", "kept", "tests", "sum", "not-selected", "note", "id", "seconds"),
        *("units", "cut", "pieces", "lower-bound", "makespan", "workers"),
        *("python", "environment", "spots", "outside", "uncertain", "early", "loaded", "copies"),
    }
)


def pattern_of(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """What matches any secret: plain, as the `repr` that pytest shows in a failure, and as in the name of a test.

    A value of fewer than four characters is left alone: it protects nothing, and hiding `1` would hide everything.
    """
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
    if not forms:
        return None
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def _forms(secret: str) -> Iterable[str]:
    # pytest writes parameters in test ids in ASCII, as `unicode_escape` does; xdist shows the repr of such an id.
    for form in (secret, secret.encode("unicode_escape").decode()):
        yield from (form, repr(form)[1:-1], ascii(form)[1:-1], json.dumps(form)[1:-1])


def hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """Takes the secrets out of one text."""
    pattern = pattern_of(secrets)
    return (lambda text: text) if pattern is None else (lambda text: pattern.sub(HIDDEN, text))


def redact_files(paths: Iterable[Path], secrets: Iterable[str]) -> None:
    """Rewrite files of one JSON value a line with every secret in their texts and keys replaced.

    What is no JSON (a plain file, or a line that is cut off because the process that wrote it was killed) is redacted as
    plain text.
    """
    pattern = pattern_of(secrets)
    if pattern is None:
        return
    for path in paths:
        draft = path.with_name(f".{path.name}.redacted")
        with path.open("rb") as source, draft.open("w", encoding="utf-8") as target:
            for raw in source:
                line = raw.decode("utf-8", "replace")
                target.write(_redacted(line.rstrip("\n"), pattern) + line[len(line.rstrip("\n")) :])
        draft.replace(path)


def _redacted(line: str, pattern: re.Pattern[str]) -> str:
    try:
        return json.dumps(_clean(json.loads(line), pattern))
    except (ValueError, RecursionError):
        return pattern.sub(HIDDEN, line)


def _clean(data: Any, pattern: re.Pattern[str]) -> Any:  # noqa: ANN401 - JSON holds anything
    if isinstance(data, str):
        return data if data in FORMAT_WORDS else pattern.sub(HIDDEN, data)
    if isinstance(data, list):
        return [_clean(item, pattern) for item in data]
    if isinstance(data, dict):
        return {_clean(key, pattern): _clean(value, pattern) for key, value in data.items()}
    return data

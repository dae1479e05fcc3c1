"""A test that prints without end must not fill the memory: pytest reads all that a test printed into it, three times over.

The output lies in a temporary file; of a long one only the beginning and the end are read. This reaches into pytest's own
capture (`FDCapture.snap`, the same from pytest 7.4 to 9.2); where that looks different, nothing is changed.
"""

from __future__ import annotations

from typing import Any, Callable

import pytest

LIMIT_BYTES = 4 * 1024 * 1024


def bound_capture(config: pytest.Config) -> None:
    """Bound what standard output and error of the whole run can give to one report."""
    manager = config.pluginmanager.getplugin("capturemanager")
    both = getattr(manager, "_global_capturing", None)
    for one in (getattr(both, "out", None), getattr(both, "err", None)):
        raw = getattr(getattr(one, "tmpfile", None), "buffer", None)
        if raw is not None and callable(getattr(one, "snap", None)) and hasattr(raw, "fileno"):
            _bound(one, raw)


def _bound(capture: Any, raw: Any) -> None:  # noqa: ANN401 - private classes of pytest
    whole: Callable[[], str] = capture.snap

    def snap() -> str:
        size = raw.seek(0, 2)
        if size <= LIMIT_BYTES:
            return whole()
        half = LIMIT_BYTES // 2
        raw.seek(0)
        first = raw.read(half)
        raw.seek(size - half)
        last = raw.read(half)
        capture.tmpfile.seek(0)
        capture.tmpfile.truncate()
        note = f"\n[ci-kit left out {size - len(first) - len(last)} bytes here]\n"
        return f"{first.decode('utf-8', 'replace')}{note}{last.decode('utf-8', 'replace')}"

    capture.snap = snap

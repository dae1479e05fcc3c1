"""The plug-in reads only the ends of a long output, and leaves a short one and a foreign capture alone."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"))
from pytest_ci_kit.capture import LIMIT_BYTES, bound_capture


class Capture:
    """pytest's FDCapture, as far as it counts."""

    def __init__(self) -> None:
        raw: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by the test
        self.tmpfile = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)

    def snap(self) -> str:
        self.tmpfile.seek(0)
        found = self.tmpfile.read()
        self.tmpfile.seek(0)
        self.tmpfile.truncate()
        return found


def bounded(*captures: object) -> None:
    manager = SimpleNamespace(_global_capturing=SimpleNamespace(out=captures[0], err=captures[-1]))
    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda _name: manager))
    bound_capture(config)


def test_the_ends_of_a_long_output_are_kept() -> None:
    capture = Capture()
    bounded(capture)
    for _ in range(2):
        capture.tmpfile.write("begin" + "ü" * LIMIT_BYTES + "end")
        found = capture.snap()
        assert len(found.encode()) < LIMIT_BYTES + 100
        assert found.startswith("begin")
        assert found.endswith("end")
        assert "left out" in found
        capture.tmpfile.write("short")
        assert capture.snap() == "short"
        assert capture.snap() == ""
    capture.tmpfile.close()


def test_another_capture_stays_as_it_is() -> None:
    other = SimpleNamespace(snap=lambda: "whole", tmpfile=io.StringIO())
    bounded(None, other)
    assert other.snap() == "whole"
    config: Any = SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda _name: None))
    bound_capture(config)

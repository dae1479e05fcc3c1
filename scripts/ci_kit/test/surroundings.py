"""The environment variables that the tests see: the job's, without what belongs to the kit and to the runner."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ci_kit.test.model import Interpreter
from ci_kit.uv import without_kit

_OTHER_MEASUREMENTS = ("COV_CORE_", "COVERAGE_PROCESS_")


def base(environ: Mapping[str, str]) -> dict[str, str]:
    """The job's variables without the kit's inputs, the runner's command files and tokens, and other measurements."""
    kept = without_kit(environ)
    return {name: value for name, value in kept.items() if not name.startswith(_OTHER_MEASUREMENTS)}


def for_tests(
    environ: Mapping[str, str],
    *,
    interpreter: Interpreter,
    search_path: tuple[Path, ...],
    tier: Mapping[str, str],
    secrets: Mapping[str, str],
    coverage_rc: Path | None,
) -> dict[str, str]:
    """Everything that pytest is started with. The tier's values win over the job's, secrets over both.

    `search_path` goes in front of the consumer's own PYTHONPATH.
    """
    found = base(environ) | dict(tier) | dict(secrets)
    own = found.get("PYTHONPATH", "")
    found["PYTHONPATH"] = os.pathsep.join([*map(str, search_path), *([own] if own else [])])
    if interpreter.in_venv:
        # A test that starts `python` or a console script means this environment.
        found["VIRTUAL_ENV"] = str(interpreter.prefix)
    folder = str(interpreter.path.parent)
    paths = found.get("PATH", os.defpath).split(os.pathsep)
    if paths[0] != folder:
        found["PATH"] = os.pathsep.join([folder, *(path for path in paths if path != folder)])
    if coverage_rc is not None:
        # It is part of the settings that the core was chosen from, and would win over them.
        found.pop("COVERAGE_CORE", None)
        found["COVERAGE_PROCESS_START"] = str(coverage_rc)
    return found

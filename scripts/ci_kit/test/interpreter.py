"""The consumer's Python: which one it is, and what is installed in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ci_kit.errors import CallerMistake
from ci_kit.test.model import Interpreter
from ci_kit.tools import Tools

PROBE_SECONDS = 60.0
PROBE = Path("scripts", "pytest-ci-kit", "probe.py")
OLDEST_PYTEST = (7, 4)


def probe(
    python: Path, tools: Tools, *, root: Path, environ: Mapping[str, str], coverage_config: str | None
) -> tuple[Interpreter, dict[str, Any]]:
    """Ask the interpreter about itself and, unless `coverage_config` is None, about coverage.py's settings.

    `coverage_config` names coverage.py's configuration file, empty for the one that it finds by itself.
    """
    argv = [str(python), str(tools.kit_root / PROBE)]
    if coverage_config is not None:
        argv += ["--coverage", coverage_config]
    done = tools.runner.run(argv, cwd=root, env=environ, stream=False, timeout_seconds=PROBE_SECONDS)
    try:
        data = json.loads(done.output.strip().splitlines()[-1])
        found = Interpreter(
            python,
            data["version"],
            data["implementation"],
            data["executable"],
            Path(data["prefix"]),
            data["in-venv"],
            data["distributions"],
        )
    except (ValueError, IndexError, KeyError, TypeError) as error:
        last = "\n".join(done.output.strip().splitlines()[-5:])
        raise CallerMistake(
            f"input python: {python} does not run (exit code {done.code}):\n{last}\n",
            next_step="Give a Python 3.9 or newer.",
        ) from error
    return found, data.get("coverage", {})


def release(version: str) -> tuple[int, ...]:
    """The numbers that a version starts with: `8.2.0rc1` as (8, 2, 0)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def check_pytest(interpreter: Interpreter) -> None:
    """Raise `CallerMistake` for a pytest that the kit does not work with."""
    version = interpreter.distributions.get("pytest", "")
    if release(version) < OLDEST_PYTEST:
        raise CallerMistake(
            f"pytest {version or '(absent)'} in {interpreter.path}; the kit needs pytest 7.4 or newer.",
            next_step="Raise pytest in the project's dependencies.",
        )

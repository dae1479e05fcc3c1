"""The interpreter that the environment is made with: find it, and ask it what it is exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import CallerMistake
from ci_kit.test_plugins import OLDEST_PYTHON, release
from ci_kit.tools import Tools
from ci_kit.uv import find_uv, last_lines

ASK_SECONDS = 30.0

_QUESTION = """
import importlib.machinery, json, platform, sys
print("\\n" + json.dumps({
    "executable": sys.executable,
    "version": platform.python_version(),
    "implementation": sys.implementation.name,
    "abi": importlib.machinery.EXTENSION_SUFFIXES[0],
    "machine": platform.machine(),
    "libc": "".join(platform.libc_ver()) if sys.platform == "linux" else "",
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """One installation of Python. `libc` is for example `glibc2.39`, empty where it is not known."""

    executable: str
    version: str
    implementation: str
    abi: str
    machine: str
    libc: str

    @property
    def minor(self) -> str:
        """`3.12` of `3.12.1`."""
        return ".".join(self.version.split(".")[:2])


def find_interpreter(given: str, version: str, folder: Path, tools: Tools, environ: Mapping[str, str]) -> Interpreter:
    """The interpreter at `given`, else the one that uv finds for `version` (empty: for the project in `folder`).

    Raises `CallerMistake` when there is none, or it is older than the kit's pytest plug-ins work with.
    """
    path = given or _search(version, folder, tools, environ)
    done = tools.runner.run(
        [path, "-I", "-S", "-c", _QUESTION], env=environ, cwd=folder, stream=False, timeout_seconds=ASK_SECONDS
    )
    try:
        found = Interpreter(**json.loads(done.output.strip().splitlines()[-1]))
    except (ValueError, IndexError, TypeError) as error:
        raise CallerMistake(
            f"{path} does not work as a Python interpreter (exit code {done.code}): {last_lines(done.output, 3)}",
            next_step="Choose another one with the input python-version.",
        ) from error
    if release(found.version) < OLDEST_PYTHON:
        raise CallerMistake(
            f"input python-version: Python {found.version} is older than 3.9, the oldest that the kit's pytest "
            "plug-ins work with.",
            next_step="Choose Python 3.9 or newer.",
        )
    return found


def _search(version: str, folder: Path, tools: Tools, environ: Mapping[str, str]) -> str:
    uv = find_uv(environ)
    if uv is None:
        raise no_uv()
    argv = [str(uv), "python", "find", "--system", "--no-python-downloads", *([version] if version else [])]
    done = tools.runner.run(argv, env=environ, cwd=folder, stream=False, timeout_seconds=ASK_SECONDS)
    lines = [line for line in done.output.splitlines() if Path(line.strip()).is_file()]
    if done.code or not lines:
        wanted = f"Python {version}" if version else "a Python that the project accepts"
        raise CallerMistake(
            f"cannot find {wanted} on this machine: {last_lines(done.output, 2)}",
            next_step="Install it (actions/setup-python on a runner), or choose another with python-version.",
        )
    return lines[-1].strip()


def no_uv() -> CallerMistake:
    """The error for a machine without uv."""
    return CallerMistake(
        "uv is not on PATH.",
        next_step="actions/setup-and-cache brings it; elsewhere install it, for example: pip install uv.",
    )

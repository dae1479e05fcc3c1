"""`scripts/test`: prepare the development environment, then run pytest in it with the arguments given."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from ci_kit.errors import KitError  # noqa: E402 - found through the line above

from tooling.environment import environment_variables, prepare_environment  # noqa: E402

LIMIT_SECONDS = 40 * 60
ALONE = (
    "-n",
    "--numprocesses",
    "--pdb",
    "--trace",
    "-h",
    "--help",
    "--co",
    "--collect-only",
    "--fixtures",
    "--version",
)


def pytest_arguments(argv: Sequence[str]) -> list[str]:
    """The arguments with a worker for each core, unless they ask for something that one process must do.

    Files stay whole (`loadfile`), so that a fixture of a module is made once, and start in the order of tests/conftest.py.
    """
    if any(word == known or word.startswith((f"{known}=", "-n")) for word in argv for known in ALONE):
        return list(argv)
    return ["-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder", *argv]


def main(argv: Sequence[str]) -> int:
    """Run and answer pytest's exit code, or the kit's own when the tests could not be run."""
    try:
        python = prepare_environment(ROOT / "requirements" / "dev.txt", os.environ)
    except KitError as error:
        print(f"scripts/test: {error}", file=sys.stderr)
        return int(error.exit)
    command = [str(python), "-m", "pytest", *pytest_arguments(argv)]
    env = environment_variables(python, os.environ)
    for asked_to_end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(asked_to_end, _interrupt)
    tests = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        return tests.wait(LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        end(tests)
        print(f"scripts/test: stopped after {LIMIT_SECONDS // 60} minutes.", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        end(tests)
        return 128 + signal.SIGINT


def end(tests: subprocess.Popen[bytes]) -> None:
    """End pytest and all that it started; it gets half a minute to print what it knows."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(tests.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        tests.wait(30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(tests.pid, signal.SIGKILL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

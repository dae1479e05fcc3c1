"""Which Pythons this machine brings. `scripts/ci-kit` finds them at the same places, by a version as its wish."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from ci_kit.process import Runner

TOOL_CACHES = ("RUNNER_TOOL_CACHE", "AGENT_TOOLSDIRECTORY")
ASK = "import sys; print('{}.{}'.format(*sys.version_info), sys.implementation.name)"


def is_here(version: str, environ: Mapping[str, str], runner: Runner) -> bool:
    """Whether a CPython of `version`, such as `3.12`, is on PATH or in the runner's tool cache, and runs."""
    return any(_answers(path, version, environ, runner) for path in _candidates(version, environ))


def _candidates(version: str, environ: Mapping[str, str]) -> Iterator[str]:
    found = shutil.which(f"python{version}", path=environ.get("PATH", ""))
    if found:
        yield found
    for name in TOOL_CACHES:
        if environ.get(name):
            yield from map(str, sorted(Path(environ[name], "Python").glob(f"{version}.*/*/bin/python3")))


def _answers(path: str, version: str, environ: Mapping[str, str], runner: Runner) -> bool:
    try:
        done = runner.run([path, "-I", "-S", "-c", ASK], env=environ, timeout_seconds=10, stream=False)
    except OSError:
        return False
    return done.code == 0 and done.output.strip() == f"{version} cpython"

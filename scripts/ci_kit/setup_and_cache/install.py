"""Make the environment: run the recipe's commands, then add the kit's pytest plug-ins."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit.setup_and_cache.choose import Choice
from ci_kit.setup_and_cache.failure import explain
from ci_kit.setup_and_cache.recipe import Places, Step, consumer_environ, recipe, tool_environ
from ci_kit.test_plugins import Ensured, ensure
from ci_kit.tools import Tools

INSTALL_SECONDS = 3600.0  # the input `timeout` ends it earlier


@dataclass(frozen=True)
class Installed:
    """What was made, and how long each phase took, in seconds."""

    plug_ins: Ensured
    seconds: Mapping[str, float]


def install(choice: Choice, places: Places, tools: Tools) -> Installed:
    """Make the environment anew and fill it. Raises the `KitError` that `failure.explain` decides."""
    seconds: dict[str, float] = {}
    with contextlib.suppress(FileNotFoundError):
        places.exported.unlink()
    with _tidy(places.folder):
        _run(recipe(choice, places), choice, places, tools, seconds)
    started = tools.clock.monotonic()
    # The plug-ins' own step comes after the consumer's, because only then it is known which are absent.
    environ = consumer_environ(tools.environ, places)
    plug_ins = ensure(places.venv_python, tools, environ=environ, cwd=places.folder)
    seconds["plug-ins"] = tools.clock.monotonic() - started
    return Installed(plug_ins, seconds)


def _run(steps: Sequence[Step], choice: Choice, places: Places, tools: Tools, seconds: dict[str, float]) -> None:
    for step in steps:
        environ = (tool_environ if step.tool else consumer_environ)(tools.environ, places)
        tools.workflow.log(f"$ {' '.join(_shown(word, places) for word in step.argv)}")
        folder = places.scratch if step.tool else places.folder
        with tools.workflow.foreign_output():
            done = tools.runner.run(step.argv, cwd=folder, env=environ, timeout_seconds=INSTALL_SECONDS)
        seconds[step.phase] = seconds.get(step.phase, 0.0) + done.seconds
        if done.code:
            raise explain(step, done, choice)


@contextlib.contextmanager
def _tidy(folder: Path) -> Iterator[None]:
    """PDM notes its interpreter in the project, also when it only reads the lock: take that note away again."""
    note = folder / ".pdm-python"
    there = note.exists()
    try:
        yield
    finally:
        if not there:
            note.unlink(missing_ok=True)


def _shown(word: str, places: Places) -> str:
    return "uv" if word == str(places.uv) else word


def is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, which is made too."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def has_files(folder: Path) -> bool:
    """Whether a folder exists and something is in it."""
    with contextlib.suppress(OSError):
        return any(_entries(folder))
    return False


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries

"""Which interpreter runs the consumer's tests."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from ci_kit.errors import CallerMistake


def find_python(given: str, environ: Mapping[str, str], kit_folder: Path) -> Path:
    """The interpreter of the input, else of the environment that setup-and-cache made, else the first on PATH.

    Raises `CallerMistake` when there is none.
    """
    path = environ.get("PATH")
    if given:
        found = shutil.which(given, path=path)
        if found is None:
            raise CallerMistake(
                f"input python: {given!r} is not a program.",
                next_step="Give the path of an interpreter; actions/setup-and-cache has it as its output `python`.",
            )
        return Path(found).absolute()
    environments = [Path(environ["VIRTUAL_ENV"])] if environ.get("VIRTUAL_ENV") else []
    for folder in [*environments, kit_folder / "venv"]:
        if (folder / "bin" / "python").is_file():
            return (folder / "bin" / "python").absolute()
    found = shutil.which("python", path=path) or shutil.which("python3", path=path)
    if found is None:
        raise CallerMistake(
            "found no Python to run the tests with.",
            next_step="Run actions/setup-and-cache before, or give the input python.",
        )
    return Path(found).absolute()

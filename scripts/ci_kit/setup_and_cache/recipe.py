"""Decide the commands that make the environment, and the settings that they run under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.setup_and_cache.choose import Choice, Itself, Source
from ci_kit.uv import HASHED_WHEELS, OF_ANY_INDEX_AND_DAY, where_from_only, without_kit

# The kit decides where the environment and the cache are, and which interpreter is used. Everything else that a
# consumer sets (indexes, credentials, resolution, build settings) reaches the consumer's own installation.
_DECIDED = frozenset(
    {
        "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "UV_BREAK_SYSTEM_PACKAGES",
        "UV_CACHE_DIR", "UV_FROZEN", "UV_LOCKED", "UV_MANAGED_PYTHON", "UV_NO_CACHE", "UV_NO_MANAGED_PYTHON",
        "UV_NO_SYNC", "UV_PREFIX", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_PYTHON_DOWNLOADS",
        "UV_PYTHON_PREFERENCE", "UV_SYSTEM_PYTHON", "UV_TARGET", "UV_VENV_CLEAR", "UV_VENV_SEED",
        "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "VIRTUAL_ENV",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Places:
    """Where things are.

    `folder` is the project's. `tool_python` runs Poetry and PDM (the kit's own Python), in an environment in `scratch`,
    where they leave the exported lock too. `locks` holds the kit's own locks.
    """

    uv: Path
    python: str
    folder: Path
    venv: Path
    cache: Path
    scratch: Path
    tool_python: str
    locks: Path

    @property
    def venv_python(self) -> Path:
        """The environment's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def exported(self) -> Path:
        """A Poetry or PDM lock as requirements."""
        return self.scratch / "exported-requirements.txt"


@dataclass(frozen=True)
class Step:
    """One command. `phase` is the name under which its seconds are reported.

    A `tool` step has to do with Poetry or PDM: it runs in the scratch folder, because PDM leaves files where it runs.
    A `preparing` step has nothing of the project in it.
    """

    phase: str
    what: str
    argv: tuple[str, ...]
    tool: bool = False
    preparing: bool = False


def recipe(choice: Choice, places: Places) -> tuple[Step, ...]:
    """All commands, in order."""
    venv = Step("environment", "making the environment", _venv(places, places.python, places.venv), preparing=True)
    return (venv, *_packages(choice, places), *_project(choice, places))


def _packages(choice: Choice, places: Places) -> tuple[Step, ...]:
    what = f"installing from {choice.source.value}"
    install = _pip_install(places)
    if choice.source is Source.UV:
        groups = ("--no-default-groups",) if choice.only_these_groups else ()
        flags = (*groups, *_each("--group", choice.groups), *_each("--extra", choice.extras))
        sync = (str(places.uv), "sync", "--locked", "--python", places.python, *flags)
        return (Step("packages", what, sync),)
    if choice.source is Source.PYLOCK:
        flags = (*_each("--group", choice.groups), *_each("--extra", choice.extras))
        return (Step("packages", what, (*install, "--preview", "--no-deps", "-r", "pylock.toml", *flags)),)
    if choice.source in {Source.POETRY, Source.PDM}:
        export = _export_poetry(choice, places) if choice.source is Source.POETRY else _export_pdm(choice, places)
        return (*export, Step("packages", what, (*install, "--no-deps", "-r", str(places.exported))))
    if choice.source is Source.NOTHING:
        return ()
    argv = _resolved(choice, install)
    return (Step("packages", what, argv),) if len(argv) > len(install) else ()


def _resolved(choice: Choice, install: tuple[str, ...]) -> tuple[str, ...]:
    """Requirements, constraints and the project in one resolution, so that they cannot contradict each other."""
    constraints = _each("-c", choice.constraints)
    argv = [*install, *_each("-r", choice.requirements)]
    if choice.require_hashes:
        return (*argv, *constraints, "--require-hashes")
    argv += _each("--group", choice.groups)
    if choice.itself is Itself.EDITABLE:
        return (*argv, *constraints, "-e", f".[{','.join(choice.extras)}]" if choice.extras else ".")
    if choice.itself is Itself.DEPENDENCIES:
        return (*argv, *constraints, "-r", "pyproject.toml", *_each("--extra", choice.extras))
    return (*argv, *constraints) if argv != [*install] else install


def _project(choice: Choice, places: Places) -> tuple[Step, ...]:
    """The project itself, where the step before could not take it along because everything there is hashed."""
    alone = choice.source in {Source.PYLOCK, Source.POETRY, Source.PDM} or choice.require_hashes
    if choice.itself is not Itself.EDITABLE or not alone:
        return ()
    argv = (*_pip_install(places), "--no-deps", "-e", ".")
    return (Step("project", "installing the project itself", argv),)


def _export_poetry(choice: Choice, places: Places) -> tuple[Step, ...]:
    flags = (*_each("--with", choice.groups), *_each("--extras", choice.extras))
    start = ("export", "--no-interaction", "--directory", str(places.folder), "--format", "requirements.txt")
    return _exporter(places, "poetry", (*start, "--output", str(places.exported), *flags))


def _export_pdm(choice: Choice, places: Places) -> tuple[Step, ...]:
    # PDM takes every group that is not refused, and only those extras that are named.
    flags = (*_each("--group", choice.extras), *_each("--without", choice.refused_groups))
    where = ("--project", str(places.folder))
    check = ("lock", "--check", *where)  # its export does not look whether the lock fits
    return _exporter(
        places, "pdm", check, ("export", *where, "--format", "requirements", "--output", str(places.exported), *flags)
    )


def _exporter(places: Places, name: str, *commands: tuple[str, ...]) -> tuple[Step, ...]:
    """Poetry or PDM in an environment of its own, from the kit's hash-locked pins, and its commands."""
    home = places.scratch / "exporter"
    lock = str(places.locks / f"export-{name}.txt")
    pip = (str(places.uv), "pip", "install", "--quiet", "--python", str(home / "bin" / "python"))
    install = (*pip, *OF_ANY_INDEX_AND_DAY, *HASHED_WHEELS, "-r", lock)
    return (
        Step(
            "export",
            f"making an environment for {name}",
            _venv(places, places.tool_python, home),
            tool=True,
            preparing=True,
        ),
        Step("export", f"installing {name}", install, tool=True, preparing=True),
        *(Step("export", f"reading {name}.lock", (str(home / "bin" / name), *words), tool=True) for words in commands),
    )


def _venv(places: Places, python: str, folder: Path) -> tuple[str, ...]:
    return (str(places.uv), "venv", "--quiet", "--clear", "--no-project", "--python", python, str(folder))


def _pip_install(places: Places) -> tuple[str, ...]:
    return (str(places.uv), "pip", "install", "--python", str(places.venv_python))


def _each(flag: str, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (flag, value))


def without_choices(environ: Mapping[str, str]) -> dict[str, str]:
    """The consumer's settings, without those that the kit decides."""
    kept = {name: value for name, value in without_kit(environ).items() if name not in _DECIDED}
    return kept | {"UV_PYTHON_DOWNLOADS": "never"}


def consumer_environ(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """The settings for the consumer's own installation."""
    return without_choices(environ) | {"UV_CACHE_DIR": str(places.cache), "UV_PROJECT_ENVIRONMENT": str(places.venv)}


def tool_environ(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """The settings for Poetry and PDM: the consumer's indexes, and no look at any other environment."""
    return without_choices(where_from_only(environ)) | {
        "UV_CACHE_DIR": str(places.cache),
        "PDM_CHECK_UPDATE": "0",
        "PDM_IGNORE_ACTIVE_VENV": "1",
        "PDM_IGNORE_SAVED_PYTHON": "1",
        "PDM_PYTHON": str(places.venv_python),
        "PDM_USE_VENV": "0",
        "POETRY_VIRTUALENVS_CREATE": "false",
    }

"""Decide the commands that make the environment, and the settings that they run under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.setup_and_cache.choose import Choice, Itself, Source
from ci_kit.uv import where_from_only, without_kit

POETRY, POETRY_EXPORT, PDM = "poetry==2.5.1", "poetry-plugin-export==1.10.1", "pdm==2.29.4"

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
    """Where things are. `tool_python` runs Poetry and PDM (the kit's own Python); `scratch` holds an exported lock."""

    uv: Path
    python: str
    venv: Path
    cache: Path
    scratch: Path
    tool_python: str

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
    """One command. `phase` is the name under which its seconds are reported; `tool` steps run Poetry or PDM."""

    phase: str
    what: str
    argv: tuple[str, ...]
    tool: bool = False


def recipe(choice: Choice, places: Places) -> tuple[Step, ...]:
    """All commands, in order. They are run in the project's folder."""
    venv = Step(
        "environment",
        "making the environment",
        (str(places.uv), "venv", "--quiet", "--clear", "--no-project", "--python", places.python, str(places.venv)),
    )
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
    run = (*_tool_run(places), "--from", POETRY, "--with", POETRY_EXPORT, "poetry", "export", "--no-interaction")
    flags = (*_each("--with", choice.groups), *_each("--extras", choice.extras))
    argv = (*run, "--format", "requirements.txt", "--output", str(places.exported), *flags)
    return (Step("export", "exporting poetry.lock", argv, tool=True),)


def _export_pdm(choice: Choice, places: Places) -> tuple[Step, ...]:
    pdm = (*_tool_run(places), "--from", PDM, "pdm")
    # `--prod` alone would leave out the groups that are named by `--group`; without it all groups are exported.
    flags = _each("--group", (*choice.groups, *choice.extras)) or ("--prod",)
    argv = (*pdm, "export", "--format", "requirements", "--output", str(places.exported), *flags)
    return (
        Step("export", "checking pdm.lock", (*pdm, "lock", "--check"), tool=True),
        Step("export", "exporting pdm.lock", argv, tool=True),
    )


def _pip_install(places: Places) -> tuple[str, ...]:
    return (str(places.uv), "pip", "install", "--python", str(places.venv_python))


def _tool_run(places: Places) -> tuple[str, ...]:
    return (str(places.uv), "tool", "run", "--quiet", "--isolated", "--python", places.tool_python)


def _each(flag: str, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (flag, value))


def consumer_environ(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """The settings for the consumer's own installation."""
    kept = {name: value for name, value in without_kit(environ).items() if name not in _DECIDED}
    return kept | {
        "UV_CACHE_DIR": str(places.cache),
        "UV_PROJECT_ENVIRONMENT": str(places.venv),
        "UV_PYTHON_DOWNLOADS": "never",
    }


def tool_environ(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """The settings for Poetry and PDM: the consumer's indexes, and no look at any other environment."""
    kept = {name: value for name, value in where_from_only(environ).items() if name not in _DECIDED}
    return kept | {
        "UV_CACHE_DIR": str(places.cache),
        "UV_PYTHON_DOWNLOADS": "never",
        "PDM_CHECK_UPDATE": "0",
        "PDM_IGNORE_ACTIVE_VENV": "1",
        "PDM_IGNORE_SAVED_PYTHON": "1",
        "PDM_PYTHON": str(places.venv_python),
        "POETRY_VIRTUALENVS_CREATE": "false",
    }

"""The verbs of setup-and-cache: `resolve` before the cache is restored, `install` after it."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import Exit
from ci_kit.github import shares_its_folders
from ci_kit.inputs import boolean, choice, setting, short_name, text, words
from ci_kit.report import report_folder, write_report
from ci_kit.setup_and_cache import say
from ci_kit.setup_and_cache.choose import AUTO, Choice, choose
from ci_kit.setup_and_cache.facts import Facts, read_facts
from ci_kit.setup_and_cache.install import has_files, install, is_writable
from ci_kit.setup_and_cache.interpreter import Interpreter, find_interpreter, no_uv
from ci_kit.setup_and_cache.key import Keys, Machine, keys
from ci_kit.setup_and_cache.recipe import Places, without_choices
from ci_kit.setup_and_cache.say import Hit
from ci_kit.tools import KIT_ROOT, Tools, Verb
from ci_kit.uv import find_uv

CACHE_FOLDER = "~/.cache/ci-kit/uv"  # as text the same on every hosted runner: a cache is found by this text too

LOCKS = KIT_ROOT / "requirements"


@dataclass(frozen=True)
class ResolveInputs:
    """What decides how the project is installed."""

    interpreter: str = setting("", text, "Path of the interpreter, from actions/setup-python. Default: uv finds one.")
    python_version: str = setting("", text, "The wanted version, used when no interpreter is given.")
    manager: str = setting("auto", choice("auto", "uv", "pip", "poetry", "pdm"), "How the project is installed.")
    groups: tuple[str, ...] = setting(AUTO, words, "Dependency groups; auto or none, or their names.")
    extras: tuple[str, ...] = setting(AUTO, words, "Extras of the project; auto or none, or their names.")
    cache: bool = setting(True, boolean, "Whether downloads are cached.")
    name: str = setting("ci", short_name, "Name of this call, part of the cache keys.")


@dataclass(frozen=True)
class InstallInputs(ResolveInputs):
    """`ResolveInputs`, and what the restore step answered."""

    restored_exact: str = setting("", text, "Output cache-hit of actions/cache/restore.")
    restored_key: str = setting("", text, "Output cache-matched-key of actions/cache/restore.")
    activate: bool = setting(True, boolean, "Put the environment on PATH for the following steps.")


@dataclass(frozen=True)
class Decision:
    """What both verbs work out in the same way, each for itself."""

    folder: Path
    facts: Facts
    choice: Choice
    interpreter: Interpreter
    keys: Keys
    caching: bool
    notes: tuple[str, ...]


def resolve(inputs: ResolveInputs, tools: Tools) -> int:
    """Say what will be installed, and under which key."""
    decided = _decide(inputs, tools)
    _tell(decided, tools)
    out = tools.workflow.output
    out("cache", "true" if decided.caching else "false")
    out("cache-path", cache_path(tools.environ))
    out("key", decided.keys.key)
    out("restore-keys", "\n".join(decided.keys.prefixes))
    out("interpreter", decided.interpreter.executable)
    out("manager", decided.choice.manager)
    out("python-version", decided.interpreter.version)
    return Exit.GOOD


def run_install(inputs: InstallInputs, tools: Tools) -> int:
    """Make the environment, and tell where it is."""
    started = tools.clock.monotonic()
    uv = find_uv(tools.environ)
    if uv is None:
        raise no_uv()
    decided = _decide(inputs, tools)
    tools.workflow.log(say.decision(decided.choice, decided.interpreter))
    temporary = report_folder(tools.environ)
    scratch = temporary / "setup"
    scratch.mkdir(exist_ok=True)
    places = Places(
        uv=uv,
        python=decided.interpreter.executable,
        folder=decided.folder,
        venv=temporary / ("venv" if inputs.name == "ci" else f"venv-{inputs.name}"),
        cache=_cache_folder(tools.environ) if decided.caching else temporary / "uv-cache",
        scratch=scratch,
        tool_python=sys.executable,
        locks=LOCKS,
    )
    hit, notes = what_hit(inputs, places.cache) if decided.caching and tools.workflow.on_runner else (Hit.OFF, ())
    installed = install(decided.choice, places, tools)
    result = say.Result(
        name=inputs.name,
        choice=decided.choice,
        facts=decided.facts,
        interpreter=decided.interpreter,
        keys=decided.keys,
        hit=hit,
        restored_key=inputs.restored_key,
        places=places,
        installed=installed,
        seconds=tools.clock.monotonic() - started,
        notes=(*decided.notes, *notes),
    )
    _publish(result, inputs, tools)
    return Exit.GOOD


def _decide(inputs: ResolveInputs, tools: Tools) -> Decision:
    folder = tools.event.workspace.resolve()
    checkout = Path(tools.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    facts = read_facts(folder, checkout)
    chosen = choose(facts, inputs.manager, inputs.groups, inputs.extras)
    interpreter = find_interpreter(
        inputs.interpreter, inputs.python_version, folder, tools, without_choices(tools.environ)
    )
    place = _cache_folder(tools.environ)
    writable = not inputs.cache or is_writable(place)
    shown = cache_path(tools.environ)
    notes = () if writable else (f"the cache folder {shown} cannot be written, so nothing is cached",)
    machine = Machine(_system(), os.path.relpath(place, checkout))
    pins = hashlib.sha256()
    for name in ("test-plugins.txt", "test-plugins-older.txt", "export-poetry.txt", "export-pdm.txt"):
        pins.update((LOCKS / name).read_bytes())
    found = keys(inputs.name, machine, interpreter, chosen, facts, pins.hexdigest())
    return Decision(folder, facts, chosen, interpreter, found, inputs.cache and writable, (*chosen.notes, *notes))


def what_hit(inputs: InstallInputs, cache: Path) -> tuple[Hit, tuple[str, ...]]:
    """Read the restore step's answer, and look whether the files have come."""
    if not inputs.restored_key:
        return Hit.MISS, ()
    if not has_files(cache):
        return Hit.MISS, (f"the cache {inputs.restored_key} was restored, but {cache} is empty",)
    return (Hit.EXACT if inputs.restored_exact == "true" else Hit.PREFIX), ()


def _tell(decided: Decision, tools: Tools) -> None:
    tools.workflow.log(say.decision(decided.choice, decided.interpreter))
    for note in decided.notes:
        tools.workflow.log(f"ci-kit: {note}.")
    tools.workflow.log(f"ci-kit: cache {'key ' + decided.keys.key if decided.caching else 'off'}.")


def _publish(result: say.Result, inputs: InstallInputs, tools: Tools) -> None:
    workflow, places = tools.workflow, result.places
    write_report(report_folder(tools.environ), say.NAME, say.report(result))
    for name, value in (
        ("cache-hit", result.hit.value),
        ("python", str(places.venv_python)),
        ("venv", str(places.venv)),
        ("python-version", result.interpreter.version),
    ):
        workflow.output(name, value)
    if inputs.activate:
        workflow.add_path(places.venv_python.parent)
        workflow.export("VIRTUAL_ENV", str(places.venv))
    markdown = say.summary(result)
    workflow.summary(markdown)
    workflow.log(markdown.replace("**", "").replace("\\\n", "\n"))


def cache_path(environ: Mapping[str, str]) -> str:
    """The cache folder, as text for actions/cache: on a self-hosted runner one that is emptied for every job."""
    return f"{environ['RUNNER_TEMP']}/ci-kit-uv" if shares_its_folders(environ) else CACHE_FOLDER


def _cache_folder(environ: Mapping[str, str]) -> Path:
    return Path(cache_path(environ)).expanduser()


def _system() -> str:
    if sys.platform == "darwin":
        return f"macos{platform.mac_ver()[0].split('.')[0]}"
    try:
        found = platform.freedesktop_os_release()
    except OSError:
        return platform.system().lower()
    return f"{found.get('ID', 'linux')}{found.get('VERSION_ID', '')}"


VERBS = {
    "resolve": Verb(resolve, ResolveInputs, "Decide how the project is installed, and the cache key."),
    "install": Verb(run_install, InstallInputs, "Make the environment, from the lock and the cache."),
}

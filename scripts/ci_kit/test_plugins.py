"""The pytest plug-ins that the kit needs in a consumer's environment: what is absent is added, nothing else changes.

The pins are in `requirements/test-plugins.txt`, and for pytest 7.2 to 8.1 in `requirements/test-plugins-older.txt`.
Only packages whose name is not there yet are installed, without their dependencies and with hashes, so that nothing of
the consumer's can be changed or downgraded; afterwards the metadata of all packages says whether they fit together.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.installed import Unmet, list_installed
from ci_kit.tools import KIT_ROOT, Tools
from ci_kit.uv import (
    HASHED_WHEELS,
    OF_ANY_INDEX_AND_DAY,
    find_uv,
    is_network_failure,
    is_without_wheel,
    last_lines,
    where_from_only,
)

NEEDED = ("coverage", "pytest", "pytest-reportlog", "pytest-rerunfailures", "pytest-xdist")
OLDEST_PYTHON = (3, 9)
OLDER_PYTEST = (8, 2)  # below it the newest pytest-rerunfailures does not work
INSTALL_SECONDS = 180.0


@dataclass(frozen=True)
class Pin:
    """One entry of a lock: `text` is the entry as it stands there, hashes included; `via` names who needs it."""

    name: str
    version: str
    marker: str
    via: frozenset[str]
    text: str = field(repr=False)


@dataclass(frozen=True)
class Pins:
    """The pins for the newest pytest, and for those before `OLDER_PYTEST`."""

    newest: tuple[Pin, ...]
    older: tuple[Pin, ...]


@dataclass(frozen=True)
class PlugInPlan:
    """What to add, and the versions of the needed packages that the consumer has already and keeps."""

    add: tuple[Pin, ...]
    kept: Mapping[str, str]


@dataclass(frozen=True)
class Ensured:
    """What `ensure` did: the added packages with their versions, and everything that is installed now."""

    added: Mapping[str, str]
    installed: Mapping[str, str]
    python_version: str


def read_pins(folder: Path = KIT_ROOT / "requirements") -> Pins:
    """The kit's pins."""
    newest, older = (
        parse_pins((folder / name).read_text(encoding="utf-8"))
        for name in ("test-plugins.txt", "test-plugins-older.txt")
    )
    return Pins(newest, older)


def parse_pins(lock: str) -> tuple[Pin, ...]:
    """The entries of a requirements lock as uv writes it."""
    pins = []
    for text in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]:
        head = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\\n]+?))?\s*(?:\\)?$", text, re.MULTILINE)
        if head is None:
            raise ValueError(f"not a pinned requirement: {text.splitlines()[0]}")
        via = re.findall(r"^\s+#(?:\s+via)?\s+([A-Za-z0-9._-]+)$", text, re.MULTILINE)
        entry = "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#"))
        pins.append(Pin(head[1], head[2], head[3] or "", frozenset(via) - {"via"}, entry))
    return tuple(pins)


def decide(installed: Mapping[str, str], python_version: str, pins: Pins, platform: str = sys.platform) -> PlugInPlan:
    """What has to be added to an environment with `installed` (normalised name → version).

    Raises `CallerMistake` for a Python that no pin is for.
    """
    if release(python_version) < OLDEST_PYTHON:
        raise CallerMistake(
            f"the tests run on Python {python_version}, and the kit's pytest plug-ins need Python 3.9 or newer.",
            next_step="Choose Python 3.9 or newer (input python-version, or python: in .github/ci-kit.yml).",
        )
    old = "pytest" in installed and release(installed["pytest"]) < OLDER_PYTEST
    possible = [
        pin
        for pin in (pins.older if old else pins.newest)
        if pin.name not in installed and marker_holds(pin.marker, python_version, platform)
    ]
    names = {name for name in NEEDED if name not in installed}
    while more := {pin.name for pin in possible if pin.via & names} - names:
        names |= more
    return PlugInPlan(
        tuple(pin for pin in possible if pin.name in names),
        {name: installed[name] for name in NEEDED if name in installed},
    )


def release(version: str) -> tuple[int, ...]:
    """The release part of a version as numbers: `8.2.0rc1` as (8, 2, 0)."""
    match = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def marker_holds(marker: str, python_version: str, platform: str) -> bool:
    """Whether a marker of the kit's own locks holds. Raises `ValueError` for what these locks never contain."""
    return all(_clause_holds(clause, python_version, platform) for clause in marker.split(" and ") if clause.strip())


def _clause_holds(clause: str, python_version: str, platform: str) -> bool:
    match = re.fullmatch(r"\s*(python_full_version|python_version|sys_platform) (<|>=|==|!=) '([^']*)'\s*", clause)
    if match is None:
        raise ValueError(f"marker {clause!r}")
    name, sign, value = match.groups()
    if name == "sys_platform":
        return (platform == value) == (sign == "==")
    wanted = release(value)
    found = release(python_version)[: len(wanted)]
    return {"<": found < wanted, ">=": found >= wanted, "==": found == wanted, "!=": found != wanted}[sign]


def ensure(
    python: Path,
    tools: Tools,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pins: Pins | None = None,
) -> Ensured:
    """Add what is absent to the environment of `python`, and make sure that nothing else changed.

    `environ` (default: the step's) tells where packages come from. Raises `CallerMistake` when the pins and what is
    installed cannot work together (the environment is then as it was), `InfrastructureFailure` when installing fails.
    """
    surroundings = where_from_only(tools.environ if environ is None else environ)
    before = list_installed(python, tools, surroundings)
    plan = decide(before.installed, before.python_version, pins or read_pins(), before.platform)
    if not plan.add:
        return Ensured({}, before.installed, before.python_version)
    _install(python, plan, tools, surroundings, cwd)
    added = {pin.name: pin.version for pin in plan.add}
    after = list_installed(python, tools, surroundings, added)
    if after.unmet:
        _remove(python, added, tools, surroundings)
        raise clash(after.unmet, added)
    if dict(after.installed) != {**before.installed, **added}:
        changed = sorted(set(before.installed.items()) ^ (set(after.installed.items()) - set(added.items())))
        raise InfrastructureFailure(
            f"adding the kit's pytest plug-ins changed other packages: {', '.join(f'{n} {v}' for n, v in changed)}.",
            next_step="Make sure that nothing else installs into this environment at the same time, and run it again.",
        )
    return Ensured(added, after.installed, after.python_version)


def clash(unmet: Sequence[Unmet], added: Mapping[str, str]) -> CallerMistake:
    """The error that names both sides of every requirement that does not hold."""
    said = []
    for one in unmet:
        wants = f"{one.name} {one.version} needs {one.wanted}{one.specifier}"
        mine, yours = "pinned by the kit", "in this project's environment"
        who = mine if one.name in added else yours
        what = "is absent" if one.found is None else f"{one.found} is {mine if one.wanted in added else yours}"
        said.append(f"{wants} ({who}), but {one.wanted} {what}")
    theirs = sorted({one.wanted if one.name in added else one.name for one in unmet})
    return CallerMistake(
        f"the kit's pytest plug-ins and this project's packages do not fit together: {'; '.join(said)}.",
        next_step=f"Change the pin of {', '.join(theirs)} in the project, or add versions of "
        f"{', '.join(sorted({one.name if one.name in added else one.wanted for one in unmet}))} that fit to the "
        "project's own requirements: the kit keeps what it finds installed.",
    )


def _install(python: Path, plan: PlugInPlan, tools: Tools, environ: Mapping[str, str], cwd: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="ci-kit-") as folder:
        file = Path(folder, "plug-ins.txt")
        file.write_text("".join(pin.text for pin in plan.add), encoding="utf-8")
        for argv in _ways_to_install(python, file, find_uv(environ)):
            done = tools.runner.run(argv, env=environ, cwd=cwd, stream=False, timeout_seconds=INSTALL_SECONDS)
            if not done.code:
                return
    names = ", ".join(f"{pin.name} {pin.version}" for pin in plan.add)
    text = f"cannot add {names} to the environment of {python}:\n{last_lines(done.output)}\n"
    if (
        "externally managed" in done.output
        or "externally-managed" in done.output
        or "No module named pip" in done.output
    ):
        raise CallerMistake(
            text, next_step="Use a virtual environment (actions/setup-and-cache makes one), or install uv."
        )
    if done.timed_out or is_network_failure(done.output):
        raise InfrastructureFailure(text, next_step="The package index did not answer; re-run the job.")
    if is_without_wheel(done.output):
        raise InfrastructureFailure(
            text,
            next_step="The kit installs wheels only and builds nothing. If your index is a mirror, make sure that it has "
            "the wheels of these versions; for a platform without them add the packages to the project's own requirements.",
        )
    raise InfrastructureFailure(
        text, next_step="If your index is a mirror, make sure that it has these versions with their original files."
    )


def _ways_to_install(python: Path, file: Path, uv: Path | None) -> tuple[list[str], ...]:
    options = [*HASHED_WHEELS, "-r", str(file)]
    if uv is None:
        return ([str(python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options],)
    online = [str(uv), "pip", "install", "--quiet", "--python", str(python), *OF_ANY_INDEX_AND_DAY, *options]
    # From the cache first: with a warm one this asks no index at all.
    return ([*online, "--offline"], online)


def _remove(python: Path, names: Mapping[str, str], tools: Tools, environ: Mapping[str, str]) -> None:
    uv = find_uv(environ)
    start = (
        [str(uv), "pip", "uninstall", "--quiet", "--python", str(python)]
        if uv
        else [str(python), "-I", "-m", "pip", "uninstall", "--quiet", "--yes"]
    )
    tools.runner.run([*start, *names], env=environ, stream=False, timeout_seconds=INSTALL_SECONDS)

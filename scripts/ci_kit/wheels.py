"""Install the wheels of the kit's own locks into a folder, with uv or, where it is absent or fails, with pip.

Whatever index serves them, the hashes in the lock decide what is installed, so a company's mirror may be used, and
settings that would send the files elsewhere must not be. Nothing is built: no foreign code runs.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ci_kit.errors import InfrastructureFailure
from ci_kit.process import Runner
from ci_kit.uv import HASHED_WHEELS, PIP_WHERE_FROM, find_uv, without_kit

INSTALL_SECONDS = 120.0
SHOWN_LINES = 12
DROPPED = ("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_")
INDEX = "CI_KIT_INDEX_URL"


@dataclass(frozen=True)
class Installer:
    """One way to install: `argv` is complete, `env` the whole environment."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    may_be_absent: bool = False


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock."""

    name: str
    version: str

    @property
    def metadata_folder(self) -> str:
        """As its wheel names it, in lower case."""
        return f"{re.sub(r'[-_.]+', '_', self.name).lower()}-{self.version}.dist-info"


def install(
    python: str,
    locks: Sequence[Path],
    target: Path,
    environ: Mapping[str, str],
    runner: Runner,
    *,
    what: str,
    limit_seconds: float = INSTALL_SECONDS,
) -> None:
    """Fill `target`, an empty folder; programs come into its `bin`. `what` names the wheels' purpose in the failure.

    Raises `InfrastructureFailure` with the last words of every installer.
    """
    wanted = [pin for lock in locks for pin in pins(lock.read_text(encoding="utf-8"))]
    said = []
    for way in ways(python, locks, target, environ):
        done = runner.run(way.argv, cwd=target, env=way.env, timeout_seconds=limit_seconds, stream=False)
        if done.code == 0 and _holds(target, wanted):
            return
        if not (way.may_be_absent and "No module named pip" in done.output):
            why = "took too long" if done.timed_out else f"ended with {done.code}"
            said.append(f"{way.name} {why}:\n{_excerpt(done.output)}")
            if way.name == "pip":  # another pip would meet the same index
                break
        _empty(target)
    else:
        said.append(f"pip: {python} has none, and there is none on PATH.")
    raise InfrastructureFailure(
        "\n".join([f"cannot install what {what} needs ({_listed(wanted)}).", *said]) + "\n",
        next_step=f"Check the network, or set {INDEX} (or pip's own settings) to an index with these wheels.",
    )


def ways(python: str, locks: Sequence[Path], target: Path, environ: Mapping[str, str]) -> Iterator[Installer]:
    """The ways that this machine may have, best first. One that `may_be_absent` says so itself.

    Debian's Python comes without pip and without the wheel that `ensurepip` unpacks, others bring at least the wheel,
    which runs as it is; and any newer pip can install for another interpreter.
    """
    home = Path(environ.get("HOME", "/"))
    uv = find_uv(environ, home / ".local" / "bin", home / ".cargo" / "bin")
    if uv:
        yield with_uv(str(uv), python, locks, target, environ)
    yield with_pip((python, "-I", "-m", "pip"), locks, target, environ)
    for wheel in sorted(Path(os.__file__).parent.glob("ensurepip/_bundled/pip-*.whl")):
        yield with_pip((python, "-I", f"{wheel}/pip"), locks, target, environ)
    for name in ("pip3", "pip"):
        pip = shutil.which(name, path=environ.get("PATH", os.defpath))
        if pip:
            yield with_pip((pip, "--python", python), locks, target, environ)


def with_uv(uv: str, python: str, locks: Sequence[Path], target: Path, environ: Mapping[str, str]) -> Installer:
    """Install with uv; the fewest retries, because pip comes next."""
    env = _clean(environ) | {"UV_HTTP_RETRIES": "1", "UV_HTTP_TIMEOUT": "10", "UV_LINK_MODE": "copy"}
    if environ.get(INDEX):
        env["UV_DEFAULT_INDEX"] = environ[INDEX]
    options = ("--no-config", "--no-progress", *HASHED_WHEELS, "--python", python, "--target", str(target))
    return Installer("uv", (uv, "pip", "install", *options, *_from(locks)), env)


def with_pip(pip: tuple[str, ...], locks: Sequence[Path], target: Path, environ: Mapping[str, str]) -> Installer:
    """Install with pip (`pip` is how it is started), with the caller's index settings and no others.

    `--no-user`, the empty prefix and the plain root take back what a configuration file may say, which pip would
    refuse beside `--target` or follow.
    """
    env = _clean(environ) | {name: environ[name] for name in PIP_WHERE_FROM & environ.keys()}
    env |= {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if environ.get(INDEX):
        env["PIP_INDEX_URL"] = environ[INDEX]
    options = (*HASHED_WHEELS, "--no-compile", "--no-user", "--prefix", "", "--root", "/", "--target", str(target))
    return Installer("pip", (*pip, "install", "--quiet", *options, *_from(locks)), env, may_be_absent=True)


def pins(lock: str) -> list[Pin]:
    """The `name==version` rows that hold everywhere."""
    return [Pin(*row) for row in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+) *\\?$", lock, re.MULTILINE)]


def _from(locks: Sequence[Path]) -> list[str]:
    return [word for lock in locks for word in ("-r", str(lock))]


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in without_kit(environ).items() if not name.startswith(DROPPED)}


def _holds(folder: Path, wanted: Iterable[Pin]) -> bool:
    return {entry.name.lower() for entry in folder.iterdir()}.issuperset(pin.metadata_folder for pin in wanted)


def _listed(wanted: Iterable[Pin]) -> str:
    return ", ".join(f"{pin.name} {pin.version}" for pin in wanted)


def _excerpt(output: str) -> str:
    """The last lines, without the hundred hashes that pip lists beside the one it got."""
    lines = [line for line in output.strip().splitlines() if not line.lstrip().startswith("Expected ")]
    return "\n".join(lines[-SHOWN_LINES:])


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()

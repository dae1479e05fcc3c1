"""How the locked wheels get into a folder: the commands and their environment. What to run, not the running.

Whatever index serves them, the hashes in the lock decide what is installed, so a company's mirror may be used, and
settings that would send the files elsewhere must not be.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PIP_KEPT = frozenset(
    {
        "PIP_CACHE_DIR",
        "PIP_CERT",
        "PIP_CLIENT_CERT",
        "PIP_CONFIG_FILE",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "PIP_INDEX_URL",
        "PIP_KEYRING_PROVIDER",
        "PIP_NO_INDEX",
        "PIP_PROXY",
        "PIP_RETRIES",
        "PIP_TIMEOUT",
        "PIP_TRUSTED_HOST",
    }
)
DROPPED = ("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV", "CONDA_")
INDEX = "CI_KIT_INDEX_URL"
WHEELS_ONLY = ("--require-hashes", "--only-binary", ":all:", "--no-deps")


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


def ways(python: str, locks: Sequence[Path], target: Path, environ: Mapping[str, str]) -> Iterator[Installer]:
    """The ways that this machine may have, best first. One that `may_be_absent` says so itself.

    Debian's Python comes without pip and without the wheel that `ensurepip` unpacks, others bring at least the wheel,
    which runs as it is; and any newer pip can install for another interpreter.
    """
    path = environ.get("PATH", os.defpath)
    home = environ.get("HOME", "/")
    uv = shutil.which("uv", path=os.pathsep.join((path, f"{home}/.local/bin", f"{home}/.cargo/bin")))
    if uv:
        yield with_uv(uv, python, locks, target, environ)
    yield with_pip((python, "-I", "-m", "pip"), locks, target, environ)
    for wheel in sorted(Path(os.__file__).parent.glob("ensurepip/_bundled/pip-*.whl")):
        yield with_pip((python, "-I", f"{wheel}/pip"), locks, target, environ)
    for name in ("pip3", "pip"):
        pip = shutil.which(name, path=path)
        if pip:
            yield with_pip((pip, "--python", python), locks, target, environ)


def with_uv(uv: str, python: str, locks: Sequence[Path], target: Path, environ: Mapping[str, str]) -> Installer:
    """Install with uv; the fewest retries, because pip comes next."""
    env = _clean(environ) | {"UV_HTTP_RETRIES": "1", "UV_HTTP_TIMEOUT": "10", "UV_LINK_MODE": "copy"}
    if environ.get(INDEX):
        env["UV_DEFAULT_INDEX"] = environ[INDEX]
    options = ("--no-config", "--no-progress", *WHEELS_ONLY, "--python", python, "--target", str(target))
    return Installer("uv", (uv, "pip", "install", *options, *_from(locks)), env)


def with_pip(pip: tuple[str, ...], locks: Sequence[Path], target: Path, environ: Mapping[str, str]) -> Installer:
    """Install with pip (`pip` is how it is started), with the caller's index settings and no others.

    `--no-user`, the empty prefix and the plain root take back what a configuration file may say, which pip would
    refuse beside `--target` or follow.
    """
    env = _clean(environ) | {name: environ[name] for name in PIP_KEPT & environ.keys()}
    env |= {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if environ.get(INDEX):
        env["PIP_INDEX_URL"] = environ[INDEX]
    options = (*WHEELS_ONLY, "--no-compile", "--no-user", "--prefix", "", "--root", "/", "--target", str(target))
    return Installer("pip", (*pip, "install", "--quiet", *options, *_from(locks)), env, may_be_absent=True)


def pins(lock: str) -> list[Pin]:
    """The `name==version` rows that hold everywhere."""
    return [Pin(*row) for row in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+) *\\?$", lock, re.MULTILINE)]


def _from(locks: Sequence[Path]) -> list[str]:
    return [word for lock in locks for word in ("-r", str(lock))]


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith(DROPPED)}

"""The environment in which this repository is tested: the wheels of a lock, in a cache folder outside the workspace.

One folder for each lock and interpreter, so a changed lock never meets an old environment. Standard library only:
this runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

from ci_kit.errors import InfrastructureFailure

INSTALL_SECONDS = 600
# What the caller's own environment must not change in ours.
FOREIGN = {
    "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "VIRTUAL_ENV",
    "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "UV_PYTHON", "UV_TARGET",
}  # fmt: skip


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where prepared tools are kept: the user's cache folder."""
    given = environ.get("XDG_CACHE_HOME", "")
    home = Path(environ.get("HOME") or "~").expanduser()
    usual = home / "Library" / "Caches" if platform.system() == "Darwin" else home / ".cache"
    return (Path(given) if given.startswith("/") else usual) / "ci-kit"


def prepare_environment(lock: Path, environ: Mapping[str, str]) -> Path:
    """The interpreter of an environment that holds exactly the wheels of `lock`; builds it when it is missing.

    Raises `InfrastructureFailure` when nothing on this machine can install them.
    """
    facts = "\0".join((lock.read_text(encoding="utf-8"), sys.version, os.path.realpath(sys.executable)))
    name = f"{lock.stem}-{sys.implementation.cache_tag}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"
    folder = cache_folder(environ) / name
    python = folder / "bin" / "python"
    with built_once(folder) as missing:
        if missing:
            print(f"Preparing {folder} from {lock.name}.", file=sys.stderr)
            venv.create(folder, clear=True, symlinks=True, with_pip=False)
            install(python, lock, environ)
    return python


@contextlib.contextmanager
def built_once(folder: Path) -> Iterator[bool]:
    """True when `folder` must be built now. It counts as built once the block ended well; others wait meanwhile."""
    done = folder / "complete"
    if done.exists():
        yield False
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            yield False
            return
        yield True
        done.touch()


def install(python: Path, lock: Path, environ: Mapping[str, str]) -> None:
    """Install the wheels of `lock` into the environment of `python`, by uv or by whatever pip there is."""
    env = {name: value for name, value in environ.items() if name not in FOREIGN}
    said = []
    for command in installers(python, env.get("PATH", os.defpath)):
        argv = [*command, "--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(lock)]
        try:
            done = subprocess.run(
                argv, env=env, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, cwd=lock.parent
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said.append(f"{argv[0]}: {error}")
            continue
        if done.returncode == 0:
            return
        said.append(f"{' '.join(command)}: {(done.stderr.strip() or done.stdout.strip())[-600:]}")
    raise InfrastructureFailure(
        f"cannot install {lock.name}:\n" + "\n".join(said) + "\n",
        next_step="Install pip or uv and check that the package index can be reached, then run it again.",
    )


def installers(python: Path, path: str) -> Iterator[list[str]]:
    """Commands that may install for `python`, best first: Debian's Python, for one, comes without pip of its own."""
    uv = shutil.which("uv", path=path)
    if uv:
        yield [uv, "pip", "install", "--quiet", "--no-config", "--python", str(python)]
    pips = [[sys.executable, "-I", "-m", "pip"]]
    pips += [[name] for name in ("pip3", "pip") if shutil.which(name, path=path)]
    for pip in pips:
        yield [*pip, "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    for wheel in sorted(Path(os.__file__).parent.glob("ensurepip/_bundled/pip-*.whl")):
        yield [str(python), "-I", f"{wheel}/pip", "install", "--quiet", "--disable-pip-version-check"]


def environment_variables(python: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for what runs on `python`: its programs come first on PATH."""
    kept = {name: value for name, value in environ.items() if name not in FOREIGN}
    return kept | {"PATH": os.pathsep.join((str(python.parent), kept.get("PATH", os.defpath)))}


def tool(name: str) -> str:
    """The path of a program that the development environment brings. Raises `InfrastructureFailure` without it."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise InfrastructureFailure(f"{name} is not installed.", next_step="Run the tests with scripts/test.")
    return found

"""The kit's own environment: a folder with the wheels of requirements/runtime.txt, one for each lock and interpreter.

It is built beside its place and renamed into it, so that it is there wholly or not at all; of two builders the second
one uses what the first one made. Its last file lists every other file with its size: a folder that does not match its
list is damaged and built again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.machinery
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import InfrastructureFailure
from ci_kit.github import Workflow
from ci_kit.launcher.install import ways
from ci_kit.process import Runner

LIST = "ci-kit-files.txt"
INSTALL_SECONDS = 120.0


@dataclass(frozen=True)
class Interpreter:
    """What a wheel's choice depends on, and the path: two installations never share an environment."""

    executable: str
    version: str
    abi: str

    @classmethod
    def this(cls) -> Interpreter:
        """The interpreter that runs this."""
        return cls(os.path.realpath(sys.executable), sys.version, importlib.machinery.EXTENSION_SUFFIXES[0])


def folder_name(lock: bytes, interpreter: Interpreter) -> str:
    """The environment's folder name, for example `cp311-6fa1…`."""
    facts = "\0".join((hashlib.sha256(lock).hexdigest(), interpreter.executable, interpreter.version, interpreter.abi))
    return f"{sys.implementation.cache_tag}-{hashlib.sha256(facts.encode()).hexdigest()[:20]}"


def is_complete(folder: Path) -> bool:
    """Every file that the folder's list names is there with its size."""
    try:
        rows = (folder / LIST).read_text(encoding="utf-8").splitlines()
        pairs = (row.split(" ", 1) for row in rows)
        return bool(rows) and all(os.stat(f"{folder}/{name}").st_size == int(size) for size, name in pairs)
    except (OSError, ValueError):
        return False


def write_list(folder: Path) -> None:
    """List the folder's files; written last, it says that the folder is complete."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = [f"{path.stat().st_size} {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / LIST).write_text("".join(rows), encoding="utf-8")


def prepare(lock: Path, cache: str, environ: Mapping[str, str], runner: Runner, workflow: Workflow) -> Path:
    """The environment's folder, built now when it is not there yet.

    `cache` is the usual place, or empty. Raises `InfrastructureFailure` when it can be built nowhere.
    """
    interpreter = Interpreter.this()
    name = folder_name(lock.read_bytes(), interpreter)
    places = [Path(cache)] if cache else []
    for place in (*places, *_other_places(environ)):
        if is_complete(place / name):
            return place / name
        if _writable(place):
            if place not in places:
                workflow.log(f"ci-kit: cannot write {cache or 'a cache folder'}; its environment is in {place} instead.")
            return _build(place / name, lock, environ, runner)
    raise InfrastructureFailure(
        "there is no folder to put the kit's environment in.",
        next_step="Make RUNNER_TOOL_CACHE, XDG_CACHE_HOME or TMPDIR a folder that can be written.",
    )


def remember_interpreter(cache: str) -> None:
    """Leave this interpreter's path where `scripts/ci-kit` reads it, so that the next start need not search."""
    pointer = Path(cache, "python")
    with contextlib.suppress(OSError):
        handle, draft = tempfile.mkstemp(dir=cache)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(os.path.realpath(sys.executable) + "\n")
        Path(draft).chmod(0o644)
        Path(draft).replace(pointer)


def _other_places(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("RUNNER_TEMP"):
        yield Path(environ["RUNNER_TEMP"], "ci-kit-environments")
    private = Path(tempfile.gettempdir(), f"ci-kit-{os.getuid()}")
    with contextlib.suppress(OSError):
        private.mkdir(mode=0o700, exist_ok=True)
        found = private.lstat()
        # In a folder for everyone, only one that nobody else can have filled will do.
        if found.st_uid == os.getuid() and not found.st_mode & 0o022 and not private.is_symlink():
            yield private
            return
        yield Path(tempfile.mkdtemp(prefix="ci-kit-"))


def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def _build(folder: Path, lock: Path, environ: Mapping[str, str], runner: Runner) -> Path:
    draft = Path(tempfile.mkdtemp(prefix=".", suffix=f"-{folder.name}", dir=folder.parent))
    try:
        _install(draft, lock, environ, runner)
        write_list(draft)
        _put(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _put(draft: Path, folder: Path) -> None:
    draft.chmod(0o755)
    for _ in range(3):
        try:
            draft.rename(folder)
            return
        except OSError:
            if is_complete(folder):  # someone else was first
                return
            # What is there is damaged; it is moved before it is deleted, so that nobody sees half of it.
            with contextlib.suppress(OSError):
                folder.rename(draft.with_name(draft.name + "-damaged"))
            shutil.rmtree(draft.with_name(draft.name + "-damaged"), ignore_errors=True)
    raise InfrastructureFailure(f"cannot put the kit's environment at {folder}.", next_step="Remove that folder.")


def _install(target: Path, lock: Path, environ: Mapping[str, str], runner: Runner) -> None:
    said = []
    for way in ways(sys.executable, lock, target, environ):
        done = runner.run(way.argv, cwd=target, env=way.env, timeout_seconds=INSTALL_SECONDS, stream=False)
        if done.code == 0:
            return
        if not (way.optional and "No module named pip" in done.output):
            last = "\n".join(done.output.strip().splitlines()[-6:])
            said.append(f"{way.name} {'took too long' if done.timed_out else f'ended with {done.code}'}:\n{last}")
            if way.name == "pip":
                break
        for entry in target.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    raise InfrastructureFailure(
        "\n".join(["cannot install what the kit needs (PyYAML and coverage).", *said]) + "\n",
        next_step="Check the network, or set CI_KIT_INDEX_URL (or pip's own settings) to an index that has these wheels.",
    )

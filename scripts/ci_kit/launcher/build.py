"""Build the kit's environment where it can be written; of two builders the second uses what the first one made."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import InfrastructureFailure
from ci_kit.github import Workflow
from ci_kit.launcher.environment import POINTER, is_complete, write_list
from ci_kit.launcher.install import Pin, pins, ways
from ci_kit.process import Runner

INSTALL_SECONDS = 120.0
SHOWN_LINES = 12


@dataclass(frozen=True)
class Builder:
    """What building needs. `cache` is the usual place, or empty."""

    locks: Sequence[Path]
    cache: str
    environ: Mapping[str, str]
    runner: Runner
    workflow: Workflow

    def build(self, name: str, *others: str) -> Path:
        """The folder `name`, in the usual place or, where that cannot be written, in a temporary one.

        A complete folder of the name or, failing that, of one of the `others`, which hold more, is used as it is.

        Raises `InfrastructureFailure` when there is no such place or nothing can be installed.
        """
        names = (name, *others)
        found = _complete(Path(self.cache), names) if self.cache else None
        if found:
            return found
        if self.cache and _writable(Path(self.cache)):
            return self._build(Path(self.cache, name))
        for place in _temporary_places(self.environ):
            found = _complete(place, names)
            if found:
                return found
            if _writable(place):
                usual = self.cache or "a cache folder (HOME is not set)"
                self.workflow.log(f"ci-kit: cannot write {usual}; its environment is in {place} instead.")
                return self._build(place / name)
        raise InfrastructureFailure(
            "there is no folder to put the kit's environment in.",
            next_step="Make RUNNER_TOOL_CACHE, XDG_CACHE_HOME or TMPDIR a folder that can be written.",
        )

    def _build(self, folder: Path) -> Path:
        draft = Path(tempfile.mkdtemp(prefix=".", suffix=f"-{folder.name}", dir=folder.parent))
        try:
            self._install(draft)
            write_list(draft)
            draft.chmod(0o755)
            _put(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return folder

    def _install(self, target: Path) -> None:
        wanted = [pin for lock in self.locks for pin in pins(lock.read_text(encoding="utf-8"))]
        said = []
        for way in ways(sys.executable, self.locks, target, self.environ):
            done = self.runner.run(way.argv, cwd=target, env=way.env, timeout_seconds=INSTALL_SECONDS, stream=False)
            if done.code == 0 and _holds(target, wanted):
                return
            if not (way.may_be_absent and "No module named pip" in done.output):
                why = "took too long" if done.timed_out else f"ended with {done.code}"
                said.append(f"{way.name} {why}:\n{_excerpt(done.output)}")
                if way.name == "pip":  # another pip would meet the same index
                    break
            _empty(target)
        else:
            said.append(f"pip: {sys.executable} has none, and there is none on PATH.")
        raise InfrastructureFailure(
            "\n".join([f"cannot install what the kit needs ({_listed(wanted)}).", *said]) + "\n",
            next_step="Check the network, or set CI_KIT_INDEX_URL (or pip's own settings) to an index with these wheels.",
        )


def remember_interpreter(cache: str) -> None:
    """Leave this interpreter's path where `scripts/ci-kit` reads it, so that the next start need not search."""
    with contextlib.suppress(OSError):
        handle, draft = tempfile.mkstemp(dir=cache)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(os.path.realpath(sys.executable) + "\n")
        Path(draft).chmod(0o644)
        Path(draft).replace(Path(cache, POINTER))


def _holds(folder: Path, wanted: Iterable[Pin]) -> bool:
    return {entry.name.lower() for entry in folder.iterdir()}.issuperset(pin.metadata_folder for pin in wanted)


def _listed(wanted: Iterable[Pin]) -> str:
    return ", ".join(f"{pin.name} {pin.version}" for pin in wanted)


def _complete(place: Path, names: Iterable[str]) -> Path | None:
    return next((place / name for name in names if is_complete(place / name)), None)


def _temporary_places(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("RUNNER_TEMP"):  # then nothing that outlasts the job: another job may have written it
        yield Path(environ["RUNNER_TEMP"], "ci-kit-environments")
        yield Path(tempfile.mkdtemp(prefix="ci-kit-"))
        return
    private = Path(tempfile.gettempdir(), f"ci-kit-{os.getuid()}")
    with contextlib.suppress(OSError):
        private.mkdir(mode=0o700, exist_ok=True)
        found = private.lstat()
        # In a folder that is open to all, only one that nobody else can have filled will do.
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            yield private
        else:
            yield Path(tempfile.mkdtemp(prefix="ci-kit-"))


def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


def _put(draft: Path, folder: Path) -> None:
    for _ in range(3):
        with contextlib.suppress(OSError):
            draft.rename(folder)
            return
        if is_complete(folder):  # someone else was first
            return
        # What is there is damaged; it is moved away first, so that nobody sees half of it go.
        damaged = draft.with_name(f"{draft.name}-damaged")
        with contextlib.suppress(OSError):
            folder.rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    raise InfrastructureFailure(f"cannot put the kit's environment at {folder}.", next_step="Remove that folder.")


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

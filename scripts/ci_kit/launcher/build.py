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
from ci_kit.process import Runner
from ci_kit.wheels import install


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
            install(sys.executable, self.locks, draft, self.environ, self.runner, what="the kit")
            write_list(draft)
            draft.chmod(0o755)
            _put(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return folder


def remember_interpreter(cache: str) -> None:
    """Leave this interpreter's path where `scripts/ci-kit` reads it, so that the next start need not search."""
    with contextlib.suppress(OSError):
        handle, draft = tempfile.mkstemp(dir=cache)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(os.path.realpath(sys.executable) + "\n")
        Path(draft).chmod(0o644)
        Path(draft).replace(Path(cache, POINTER))


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

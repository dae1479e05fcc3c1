"""The state of a deployment in a file."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_kit.smoke_and_rollback.target_errors import TargetFailure
from ci_kit.smoke_and_rollback.target_state import Stored


class FileStore:
    """`path`, replaced by rename; a file `path`.lock beside it, locked by the kernel while one process replaces it.

    The kernel gives that lock back when its process dies, so a killed run leaves at most a draft, which the next
    replacement overwrites.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path)

    def load(self) -> Stored:
        """The text and its digest."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Stored(None, "")
        except (OSError, UnicodeDecodeError) as error:
            raise self._failure("read", error) from error
        return Stored(text, hashlib.sha256(text.encode()).hexdigest())

    def save(self, text: str, version: str) -> bool:
        """Replace it, durably, when its digest is still `version`."""
        draft = self._path.with_name(f"{self._path.name}.draft")
        try:
            with self._alone():
                if self.load().version != version:
                    return False
                with draft.open("w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self._path)
                sync_folder(self._path.parent)
        except OSError as error:
            raise self._failure("written", error) from error
        return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._path.with_name(f"{self._path.name}.lock").open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _failure(self, what: str, error: Exception) -> TargetFailure:
        why = getattr(error, "strerror", None) or error
        return TargetFailure(
            f"the state of the deployment, {self._path}, cannot be {what}: {why}.",
            next_step="Give the deploying user a folder there that it may write to.",
        )


def sync_folder(folder: Path) -> None:
    """Make the renames in `folder` outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

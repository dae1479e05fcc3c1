"""Releases as directories, the live one behind a symbolic link: `current -> releases/2024-05-01`.

Options: `link` (the symbolic link), `restart` (a program and its arguments, run after the link was moved),
`version-file` (a file in each release whose content belongs to its identity), `state` (default: beside the link).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ci_kit.smoke_and_rollback.deployment_state import Snapshot, Standing
from ci_kit.smoke_and_rollback.file_store import FileStore, sync_folder
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World
from ci_kit.smoke_and_rollback.target_errors import RollbackError, TargetFailure
from ci_kit.smoke_and_rollback.target_state import TargetState


def build(options: Options, world: World) -> Strategy:
    """See the module."""
    options.only("link", "restart", "version-file", "state")
    link = Path(options.text("link")).absolute()
    return Releases(
        link,
        world,
        restart=options.texts("restart"),
        version_file=options.optional("version-file"),
        state=Path(options.text("state", str(link.with_name(f".{link.name}.ci-kit.json")))),
    )


class Releases(Strategy):
    """The link is moved by rename, so that a reader sees one release or the other, never none."""

    def __init__(
        self, link: Path, world: World, *, restart: tuple[str, ...], version_file: str | None, state: Path
    ) -> None:
        self._link = link
        self._world = world
        self._restart = restart
        self._version_file = version_file
        # There from before the link moves until the program runs again: a run killed between the two must be seen.
        self._restarting = link.with_name(f".{link.name}.ci-kit-restart")
        self.state = TargetState(FileStore(state), world.clock)

    def preflight(self) -> None:
        """The link is one, and its folder can be written to."""
        self.snapshot()
        if not os.access(self._link.parent, os.W_OK):
            raise TargetFailure(
                f"{self._link.parent} cannot be written to.", next_step="Let the deploying user move the link."
            )

    def snapshot(self) -> Snapshot:
        """The directory behind the link; its identity is path, inode and, if there is one, the version file."""
        if not self._link.is_symlink():
            raise TargetFailure(
                f"{self._link} is not a symbolic link.",
                next_step="Point rollback.link at the link to the live release, and deploy once by hand.",
            )
        folder = Path(os.path.realpath(self._link))
        try:
            inode = folder.stat().st_ino
            version = self._version(folder)
        except OSError as error:
            raise TargetFailure(
                f"{self._link} points to {folder}, which cannot be read: {error.strerror}.",
                next_step="Point the link at a release.",
            ) from error
        details = {"folder": str(folder), "inode": inode, "version": version}
        return Snapshot("releases", f"{folder} ({inode}{version and ', ' + version[:19]})", str(folder), details)

    def deploy_environment(self, before: Snapshot) -> dict[str, str]:
        """The live release, which the deploy command must leave alone."""
        return {**super().deploy_environment(before), "CI_KIT_LIVE_RELEASE": str(before.details["folder"])}

    def standing(self, before: Snapshot, after: Snapshot | None) -> Standing:
        """MIDWAY: the link is back, and the program was not restarted."""
        try:
            now = self.snapshot()
        except TargetFailure:
            # A deploy command that removes the link before it makes a new one may have died between the two.
            return Standing.AFTER
        if now.identity == before.identity:
            return Standing.MIDWAY if self._restarting.exists() else Standing.BEFORE
        return Standing.AFTER if after is None or now.identity == after.identity else Standing.FOREIGN

    def rollback(self, before: Snapshot) -> None:
        """Move the link back, then restart."""
        if not self.changed(before):
            return
        folder = Path(before.details["folder"])
        by_hand = f"Restore {folder} from a backup, then: ln -sfn {folder} {self._link}"
        try:
            same = (
                folder.stat().st_ino == before.details["inode"] and self._version(folder) == before.details["version"]
            )
        except OSError as error:
            raise RollbackError(f"the release {folder} is gone: {error.strerror}.", next_step=by_hand) from error
        if not same:
            raise RollbackError(f"{folder} is not the release that was live: it was replaced.", next_step=by_hand)
        try:
            if self._restart:
                self._restarting.touch()
            draft = self._link.with_name(f".{self._link.name}.ci-kit-draft")
            draft.unlink(missing_ok=True)
            draft.symlink_to(folder)
            draft.replace(self._link)
            sync_folder(self._link.parent)
        except OSError as error:
            raise RollbackError(
                f"{self._link} cannot be moved: {error.strerror}.", next_step=f"ln -sfn {folder} {self._link}"
            ) from error
        self._restart_program()

    def wait(self, deadline: float) -> None:
        """Nothing to wait for: the link has moved, and the restart has ended."""

    def verify(self, before: Snapshot) -> None:
        """The link points to the release before, and the restart worked."""
        if self.changed(before):
            raise RollbackError(
                f"{self._link} does not point to {before.details['folder']}.",
                next_step=f"ln -sfn {before.details['folder']} {self._link}",
            )

    def _restart_program(self) -> None:
        if not self._restart:
            return
        done = self._world.runner.run(self._restart, timeout_seconds=self._world.timeout_seconds)
        if done.code:
            why = "took too long" if done.timed_out else f"ended with exit code {done.code}"
            raise RollbackError(
                f"the link is back, and the restart {why}: {' '.join(self._restart)}.",
                next_step=f"Its output above says why. Run it by hand, then remove {self._restarting}.",
            )
        self._restarting.unlink(missing_ok=True)

    def _version(self, folder: Path) -> str:
        if self._version_file is None:
            return ""
        return "sha256:" + hashlib.sha256((folder / self._version_file).read_bytes()).hexdigest()

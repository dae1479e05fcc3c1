"""Git, with an identity of its own and untouched by the user's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ci_kit.errors import InfrastructureFailure
from ci_kit.process import Runner

IDENTITY = {
    "GIT_AUTHOR_NAME": "ci-kit act",
    "GIT_AUTHOR_EMAIL": "act@ci-kit.invalid",
    "GIT_COMMITTER_NAME": "ci-kit act",
    "GIT_COMMITTER_EMAIL": "act@ci-kit.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "core.quotePath",
    "GIT_CONFIG_VALUE_1": "false",
}
TIMEOUT_SECONDS = 120.0


class Git:
    """Commands in one folder."""

    def __init__(self, runner: Runner, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self._runner, self.folder = runner, folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self._env = inherited | IDENTITY | dict(env or {})

    def with_env(self, **env: str) -> Git:
        """The same folder with further variables."""
        return Git(self._runner, self.folder, env)

    def at(self, folder: Path) -> Git:
        """Another folder."""
        return Git(self._runner, folder)

    def ask(self, *arguments: str) -> str | None:
        """The output without the last newline, or None when git says no."""
        done = self._runner.run(
            ["git", "-C", str(self.folder), *arguments], timeout_seconds=TIMEOUT_SECONDS, env=self._env, stream=False
        )
        return None if done.code else done.output.rstrip("\n")

    def do(self, *arguments: str) -> str:
        """The output; raises `InfrastructureFailure` with git's own words."""
        done = self._runner.run(
            ["git", "-C", str(self.folder), *arguments], timeout_seconds=TIMEOUT_SECONDS, env=self._env, stream=False
        )
        if done.code:
            raise InfrastructureFailure(
                f"git {arguments[0]} failed in {self.folder}: {done.output.strip()}.",
                next_step="Git's message says why.",
            )
        return done.output.rstrip("\n")

    def files(self) -> list[str]:
        """The files that are tracked, or new and not ignored, below this folder."""
        listed = self.do("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return [name for name in dict.fromkeys(listed.split("\0")) if name and (self.folder / name).is_file()]

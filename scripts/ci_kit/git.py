"""Questions to git about one folder. Every room asks through here, so that all get the same time limit and environment."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from ci_kit.process import Completed, Runner, run_checked
from ci_kit.tools import Tools

TIMEOUT_SECONDS = 120.0
NOT_INSTALLED = "git is not installed."
_HASH = re.compile(r"^[0-9a-f]{40,64}$", re.MULTILINE)


class Git:
    """Git in the folder `here`; `environ` None: with this process's own environment."""

    def __init__(self, here: Path, runner: Runner, environ: Mapping[str, str] | None = None) -> None:
        self._here, self._runner, self._environ = here, runner, environ
        self.why = NOT_INSTALLED
        """Why the last question that `ask` put got no answer."""

    @property
    def installed(self) -> bool:
        """It is on PATH."""
        return shutil.which("git", path=None if self._environ is None else self._environ.get("PATH", "")) is not None

    def run(self, *words: str, **environ: str) -> Completed:
        """Run to the end, whatever the exit code; `environ` adds variables. Raises `CallerMistake` without git."""
        env = {**(os.environ if self._environ is None else self._environ), **environ}
        return self._runner.run(["git", *words], cwd=self._here, timeout_seconds=TIMEOUT_SECONDS, stream=False, env=env)

    def checked(self, *words: str, what: str) -> str:
        """What git prints; raises `InfrastructureFailure` that names `what` when it says no."""
        argv = ["git", *words]
        return run_checked(
            self._runner, argv, what=what, cwd=self._here, timeout_seconds=TIMEOUT_SECONDS, env=self._environ
        )

    def ask(self, *words: str) -> str | None:
        """What git answers, or None when it says no or is not there; the reason is then in `why`."""
        if not self.installed:
            self.why = NOT_INSTALLED
            return None
        done = self.run(*words)
        if done.code:
            self.why = f"git {words[0]} failed: {done.output.strip()[:500] or f'exit code {done.code}'}"
            return None
        return done.output.strip()

    def hashes(self, *words: str) -> list[str]:
        """The lines of an answer that are hashes: git's warnings, such as of ambiguous names, stand among them."""
        return _HASH.findall(self.ask(*words) or "")

    def commit(self, name: str) -> str | None:
        """The full hash of a commit that is in this clone."""
        return next(iter(self.hashes("rev-parse", "--verify", f"{name}^{{commit}}")), None)

    @property
    def shallow(self) -> bool:
        """History is cut off."""
        return (self.ask("rev-parse", "--is-shallow-repository") or "").endswith("true")


def checked_out(tools: Tools) -> str:
    """The commit of the files in the workspace; without git the event's own; empty where nobody knows.

    A workflow can check out another commit than the one that started it (the input `ref` of actions/checkout), so the
    event's is only the next best. A container's user may not own the checkout: git then answers only when told that this
    folder is meant.
    """
    git = Git(tools.event.workspace, tools.runner, tools.environ)
    found = git.hashes("-c", "safe.directory=*", "rev-parse", "--verify", "HEAD^{commit}")
    return found[-1] if found else tools.event.sha

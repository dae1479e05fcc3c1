"""Real git repositories, and the tools of a step whose checkout they are."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ci_kit.clock import SystemClock
from ci_kit.github import Event, Workflow
from ci_kit.process import SubprocessRunner
from ci_kit.tools import Tools

ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
OWN = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")


class Repository:
    """A repository at `root`, made when there is none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if not (root / ".git").exists():
            root.mkdir(parents=True, exist_ok=True)
            self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        """A command that must succeed."""
        done = subprocess.run(
            ["git", *OWN, *words],
            cwd=self.root,
            env={**os.environ, **ALONE},
            check=True,
            stdout=subprocess.PIPE,
            timeout=60,
        )
        return done.stdout.decode(errors="surrogateescape").strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write text as it is, with its own line ends; None deletes."""
        for name, text in files.items():
            path = self.root / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit(self, files: Mapping[str, str | bytes | None] | None = None) -> str:
        """Write, commit everything, and answer the commit."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "next")
        return self.git("rev-parse", "HEAD")

    def clone(self, root: Path, *words: str) -> Repository:
        """A clone over a real transport, as `--depth` wants it."""
        self.git("clone", "-q", *words, self.root.as_uri(), str(root))
        return Repository(root)


def step(root: Path, event: str = "local", payload: Mapping[str, Any] | None = None, **environ: str) -> Tools:
    """The tools of a step in the checkout `root`."""
    found = Event(event, "", "", "o/r", "1", 1, "ci", "gate", root, payload=payload or {})
    return Tools({**os.environ, **ALONE, **environ}, found, Workflow({}), SubprocessRunner(), SystemClock())

"""Who deploys: a run of a workflow, or a process on somebody's machine; and whether it still does."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from ci_kit.github import Event
from ci_kit.smoke_and_rollback.deployment_state import Owner
from ci_kit.smoke_and_rollback.gate import run_has_ended
from ci_kit.smoke_and_rollback.notify.github_api import GitHubApi

_LOCAL = "local/"


def this_run(event: Event, environ: Mapping[str, str]) -> Owner:
    """All steps of one job are one owner, so that `finish` may take up what `deploy` left."""
    if not event.repository or event.run_id == "0":
        return Owner(f"{_LOCAL}{socket.gethostname()}/{os.getpid()}", 1, actor=environ.get("USER", ""))
    server = environ.get("GITHUB_SERVER_URL", "https://github.com")
    url = f"{server}/{event.repository}/actions/runs/{event.run_id}"
    return Owner(f"{event.repository}/{event.run_id}", event.run_attempt, url, event.actor)


def has_ended(api: GitHubApi | None, owner: Owner) -> bool:
    """Whether the holder of a lock is known to be gone."""
    if not owner.run.startswith(_LOCAL):
        return run_has_ended(api, owner)
    host, _, number = owner.run.removeprefix(_LOCAL).rpartition("/")
    if host != socket.gethostname() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False

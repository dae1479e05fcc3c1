"""Event payloads as GitHub sends them, for a repository that lives only on this machine."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_kit.act.cache_store import Scopes

ZERO_SHA = "0" * 40
PULL_REQUEST_EVENTS = ("pull_request", "pull_request_target", "pull_request_review")


@dataclass(frozen=True)
class Pull:
    """A pull request; `head_repository` differs from the repository for a fork."""

    number: int
    base_branch: str
    base_sha: str
    head_branch: str
    head_sha: str
    head_repository: str
    labels: tuple[str, ...] = ()
    action: str = "synchronize"


@dataclass(frozen=True)
class Occasion:
    """What happened to which repository. `sha` and `ref` are what `GITHUB_SHA` and `GITHUB_REF` will be."""

    event: str
    repository: str
    default_branch: str
    ref: str
    sha: str
    before: str = ZERO_SHA
    pull: Pull | None = None
    inputs: tuple[tuple[str, str], ...] = ()
    actor: str = "octocat"

    @property
    def is_fork(self) -> bool:
        """Whether the pull request comes from another repository."""
        return self.pull is not None and self.pull.head_repository != self.repository


def payload(occasion: Occasion) -> dict[str, Any]:
    """The content of `GITHUB_EVENT_PATH`."""
    common = {"repository": _repository(occasion.repository, occasion.default_branch), "sender": _user(occasion.actor)}
    if occasion.pull is not None:
        return _pull_request(occasion, occasion.pull) | common
    if occasion.event == "push":
        return _push(occasion) | common
    if occasion.event == "schedule":
        return {"schedule": "0 3 * * *"} | common
    return {"ref": occasion.ref, "inputs": dict(occasion.inputs)} | common


def scopes(occasion: Occasion) -> Scopes:
    """Which cache scopes GitHub gives this run: its own ref, the base branch, the default branch."""
    default = f"refs/heads/{occasion.default_branch}"
    base = [f"refs/heads/{occasion.pull.base_branch}"] if occasion.pull else []
    return Scopes(occasion.ref, tuple(dict.fromkeys([occasion.ref, *base, default])))


def variables(occasion: Occasion, run_id: int) -> dict[str, str]:
    """What act is told with `--env`, because it would otherwise guess it from the folder."""
    return {
        "GITHUB_REPOSITORY": occasion.repository,
        "GITHUB_REPOSITORY_OWNER": occasion.repository.partition("/")[0],
        "GITHUB_REPOSITORY_ID": "1",
        "GITHUB_REPOSITORY_OWNER_ID": "1",
        "GITHUB_REF": occasion.ref,
        "GITHUB_REF_TYPE": "tag" if occasion.ref.startswith("refs/tags/") else "branch",
        "GITHUB_REF_PROTECTED": "false",
        "GITHUB_WORKFLOW_SHA": occasion.sha,
        "SHA_REF": occasion.sha,
        "GITHUB_RUN_ID": str(run_id),
        "GITHUB_RUN_NUMBER": "1",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_RETENTION_DAYS": "90",
        "GITHUB_TRIGGERING_ACTOR": occasion.actor,
        "RUNNER_ENVIRONMENT": "github-hosted",
        "RUNNER_NAME": "act",
        "RUNNER_TRACKING_ID": f"github_{run_id}_{secrets.token_hex(4)}",
    }


def _push(occasion: Occasion) -> dict[str, Any]:
    return {
        "ref": occasion.ref,
        "before": occasion.before,
        "after": occasion.sha,
        "created": occasion.before == ZERO_SHA,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "head_commit": {"id": occasion.sha, "message": ""},
        "commits": [],
        "pusher": {"name": occasion.actor},
    }


def _pull_request(occasion: Occasion, pull: Pull) -> dict[str, Any]:
    return {
        "action": pull.action,
        "number": pull.number,
        "before": pull.base_sha,
        "after": pull.head_sha,
        "pull_request": {
            "number": pull.number,
            "state": "open",
            "draft": False,
            "merged": False,
            "title": f"Merge {pull.head_branch}",
            "body": "",
            "user": _user(pull.head_repository.partition("/")[0]),
            "labels": [{"id": i, "name": name, "color": "ededed"} for i, name in enumerate(pull.labels, 1)],
            "merge_commit_sha": occasion.sha,
            "author_association": "CONTRIBUTOR" if occasion.is_fork else "MEMBER",
            "base": _side(pull.base_branch, pull.base_sha, occasion.repository, occasion.default_branch, fork=False),
            "head": _side(
                pull.head_branch, pull.head_sha, pull.head_repository, occasion.default_branch, fork=occasion.is_fork
            ),
        },
    }


def _side(branch: str, sha: str, repository: str, default_branch: str, *, fork: bool) -> dict[str, Any]:
    owner = repository.partition("/")[0]
    repo = _repository(repository, default_branch, fork=fork)
    return {"ref": branch, "sha": sha, "label": f"{owner}:{branch}", "user": _user(owner), "repo": repo}


def _repository(full_name: str, default_branch: str, *, fork: bool = False) -> dict[str, Any]:
    owner, name = full_name.split("/")
    return {
        "id": 1 + fork,
        "name": name,
        "full_name": full_name,
        "private": False,
        "fork": fork,
        "owner": _user(owner),
        "default_branch": default_branch,
        "html_url": f"https://github.com/{full_name}",
        "clone_url": f"https://github.com/{full_name}.git",
    }


def _user(login: str) -> Mapping[str, Any]:
    return {"login": login, "id": 1, "type": "User", "html_url": f"https://github.com/{login}"}

"""The status of the GitHub Deployment, which the repository's page and the environment show."""

from __future__ import annotations

from urllib.parse import quote

from ci_kit.smoke_and_rollback.notify.event import Event, Kind
from ci_kit.smoke_and_rollback.notify.github_api import GitHubApi

PERMISSION = "permissions: deployments: write"
STATES = {
    Kind.PROMOTED: "success",
    Kind.ROLLED_BACK: "failure",
    Kind.ROLLBACK_FAILED: "error",
    Kind.NOT_ROLLED_BACK: "error",
    Kind.HELD: "pending",
    Kind.NOT_DEPLOYED: "failure",
}
_MOST_CHARACTERS = 140


class GitHubDeployment:
    """The newest Deployment of `commit` to `environment`: GitHub makes one for a job that names an environment."""

    name = "github-deployment"
    reaches_people = False

    def __init__(self, api: GitHubApi, environment: str, commit: str, run_url: str, target_url: str) -> None:
        self._api = api
        self._environment = environment
        self._commit = commit
        self._run_url = run_url
        self._target_url = target_url

    def check(self) -> None:
        """Say that it is under way, which is true and proves that the token may."""
        self._say(self._commit, "in_progress", "ci-kit is deploying", self._run_url)

    def send(self, event: Event) -> None:
        """Say how it ended."""
        self._say(event.commit or self._commit, STATES[event.kind], event.why, event.run_url)

    def _say(self, commit: str, state: str, text: str, log_url: str) -> None:
        query = f"/deployments?environment={quote(self._environment, safe='')}&sha={quote(commit, safe='')}&per_page=1"
        found = self._api.demand("GET", query, needs=PERMISSION)
        number = int(found[0]["id"]) if found else self._create(commit)
        body = {
            "state": state,
            "description": text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…",
            "log_url": log_url,
            "environment_url": self._target_url,
        }
        given = {key: value for key, value in body.items() if value}
        self._api.demand("POST", f"/deployments/{number}/statuses", given, needs=PERMISSION)

    def _create(self, commit: str) -> int:
        body = {"ref": commit, "environment": self._environment, "auto_merge": False, "required_contexts": []}
        return int(self._api.demand("POST", "/deployments", body, needs=PERMISSION)["id"])

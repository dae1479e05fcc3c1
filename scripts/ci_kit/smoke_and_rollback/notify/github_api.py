"""GitHub's REST API for one repository."""

from __future__ import annotations

from typing import Any

from ci_kit.smoke_and_rollback.notify.web import Answered, Web

VERSION = "2022-11-28"


class GitHubApi:
    """`url` is `GITHUB_API_URL`; `token` is sent there and nowhere else."""

    def __init__(self, web: Web, url: str, repository: str, token: str) -> None:
        self.repository = repository
        self._web = web
        self._base = f"{url.rstrip('/')}/repos/{repository}"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": VERSION,
        }

    def ask(self, method: str, path: str, body: Any = None) -> Answered:  # noqa: ANN401 - any JSON
        """One request; raises `NotTold` when there is no answer at all."""
        return self._web.ask(method, self._base + path, body, self._headers)

    def demand(self, method: str, path: str, body: Any = None, *, needs: str) -> Any:  # noqa: ANN401 - any JSON
        """The answer's data; raises `NotTold` for any status that is no success, naming the permission that it `needs`."""
        return self.ask(method, path, body).demand(f"GitHub, {method} {path.partition('?')[0]}", needs)

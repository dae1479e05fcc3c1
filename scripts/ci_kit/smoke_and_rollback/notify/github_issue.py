"""One GitHub issue for each environment, found again by a hidden marker, with a comment for each event.

Only whoever may set labels can make an issue that is found: the marker alone does not count.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ci_kit.markdown import cell, text
from ci_kit.smoke_and_rollback.notify.event import Event, Kind, NotTold
from ci_kit.smoke_and_rollback.notify.github_api import GitHubApi

LABELS = {"deployment": "1d76db", "rollback": "d93f0b", "bug": "d73a4a"}
PERMISSION = "permissions: issues: write"
_PAGES = 5


class GitHubIssue:
    """The issue of `environment`."""

    name = "github-issue"
    reaches_people = True

    def __init__(self, api: GitHubApi, environment: str) -> None:
        self._api = api
        self._marker = f"<!-- ci-kit deployment of {environment} -->"
        self._environment = environment

    def check(self) -> None:
        """Make the labels: that proves that the token may write issues, and calls nobody."""
        for name, colour in LABELS.items():
            answer = self._api.ask("POST", "/labels", {"name": name, "color": colour})
            if answer.status != 422:  # it is there already
                answer.demand("GitHub, POST /labels", PERMISSION)
        if self._api.demand("GET", "", needs="permissions: metadata: read").get("has_issues") is False:
            raise NotTold("the repository has no issues; switch them on in its settings")

    def send(self, event: Event) -> None:
        """Comment first: an edit calls nobody."""
        issue = self._find()
        if issue is None:
            body = {"title": f"Deployment to {self._environment}", "body": self._body(event), "labels": list(LABELS)}
            self._api.demand("POST", "/issues", body, needs=PERMISSION)
            return
        number = int(issue["number"])
        told = f"<!-- ci-kit event {event.marker} -->"
        if told not in str(issue.get("body")) and not self._commented(number, told):
            self._api.demand(
                "POST", f"/issues/{number}/comments", {"body": f"{_text(event)}\n{told}\n"}, needs=PERMISSION
            )
        self._api.demand("PATCH", f"/issues/{number}", {"body": self._body(event), "state": "open"}, needs=PERMISSION)

    def _find(self) -> dict[str, Any] | None:
        """The newest issue with the marker, open ones first."""
        labels = quote(",".join(LABELS))
        for state in ("open", "closed"):
            for page in range(1, _PAGES + 1):
                query = f"/issues?state={state}&labels={labels}&per_page=100&page={page}"
                found = self._api.demand("GET", query, needs=PERMISSION)
                for each in found:
                    if "pull_request" not in each and self._marker in (each.get("body") or ""):
                        return dict(each)
                if len(found) < 100:
                    break
        return None

    def _commented(self, number: int, told: str) -> bool:
        for page in range(1, _PAGES + 1):
            query = f"/issues/{number}/comments?per_page=100&page={page}"
            found = self._api.demand("GET", query, needs=PERMISSION)
            if any(told in (each.get("body") or "") for each in found):
                return True
            if len(found) < 100:
                break
        return False

    def _body(self, event: Event) -> str:
        return f"{self._marker}\n<!-- ci-kit event {event.marker} -->\n{_text(event)}\n*ci-kit updates this issue.*\n"


def _text(event: Event) -> str:
    rows = "\n".join(f"| {text(name)} | {_value(name, value)} |" for name, value in event.lines)
    done = "" if event.kind is not Kind.ROLLBACK_FAILED else "\n\n> [!CAUTION]\n> The release before is not back.\n"
    return f"**{text(event.headline)}**{done}\n\n| | |\n|---|---|\n{rows}\n"


def _value(name: str, value: str) -> str:
    """A commit and a run's address become links; everything else stays text."""
    if name in {"Commit", "Release"} and all(each in "0123456789abcdef" for each in value):
        return value
    return f"<{value}>" if name == "Run" and value.startswith("https://") and value.isascii() else cell(value)

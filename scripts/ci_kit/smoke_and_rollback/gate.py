"""What GitHub knows of a commit and of other runs, asked before anything ships."""

from __future__ import annotations

from urllib.parse import quote

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.smoke_and_rollback.deployment_state import Owner
from ci_kit.smoke_and_rollback.notify.event import NotTold
from ci_kit.smoke_and_rollback.notify.github_api import GitHubApi


def require_green(api: GitHubApi | None, commit: str, name: str) -> None:
    """Raise `CallerMistake` unless every check of this name on the commit has succeeded."""
    if api is None:
        raise CallerMistake(
            f"input gate: the check {name!r} cannot be asked for without a token and a repository.",
            next_step="Pass the input github-token, or write `gate: none` to deploy whatever its checks say.",
        )
    path = f"/commits/{quote(commit, safe='')}/check-runs?filter=latest&per_page=100&check_name={quote(name, safe='')}"
    try:
        found = api.demand("GET", path, needs="permissions: checks: read")["check_runs"]
        states = {str(each["conclusion"] or each["status"]) for each in found if each["name"] == name}
    except NotTold as error:
        raise InfrastructureFailure(f"the check {name!r}: {error}.", next_step="Run it again.") from None
    except (KeyError, TypeError) as error:
        raise InfrastructureFailure(
            f"the check {name!r}: GitHub's answer makes no sense.", next_step="Run it again."
        ) from error
    if states != {"success"}:
        state = f"is {', '.join(sorted(states))}" if states else "did not run"
        raise CallerMistake(
            f"the check {name!r} of {commit[:12]} {state}, so this commit is not deployed.",
            next_step="Deploy a commit whose checks are green. The input gate names the check; `none` asks for none.",
        )


def run_has_ended(api: GitHubApi | None, owner: Owner) -> bool:
    """Whether GitHub says that the run that holds a lock has ended; false where nobody can say."""
    repository, _, number = owner.run.rpartition("/")
    if api is None or not number.isdigit() or repository != api.repository:
        return False
    try:
        run = api.demand("GET", f"/actions/runs/{number}", needs="permissions: actions: read")
        return bool(run["status"] == "completed" or int(run["run_attempt"]) > owner.attempt)
    except (NotTold, KeyError, TypeError, ValueError):
        return False

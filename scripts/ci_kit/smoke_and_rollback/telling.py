"""Tell every channel that is wanted; a channel that fails never changes how a deployment ended."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ci_kit.clock import Clock
from ci_kit.errors import CallerMistake
from ci_kit.github import Event as GitHubEvent
from ci_kit.smoke_and_rollback.notify.event import Channel, Event, Kind, NotTold
from ci_kit.smoke_and_rollback.notify.github_api import GitHubApi
from ci_kit.smoke_and_rollback.notify.github_deployment import GitHubDeployment
from ci_kit.smoke_and_rollback.notify.github_issue import GitHubIssue
from ci_kit.smoke_and_rollback.notify.grafana import Grafana
from ci_kit.smoke_and_rollback.notify.mail import Email
from ci_kit.smoke_and_rollback.notify.slack import Slack
from ci_kit.smoke_and_rollback.notify.web import Web
from ci_kit.smoke_and_rollback.redact import redact
from ci_kit.smoke_and_rollback.spec import Spec

PAUSES_SECONDS = (1.0, 4.0)


@dataclass(frozen=True)
class Told:
    """One channel's part: `error` is empty when it told."""

    channel: str
    reaches_people: bool
    error: str = ""


def channels(spec: Spec, web: Web, api: GitHubApi | None, release: str, run_url: str) -> list[Channel]:
    """The channels that the specification wants. `api` None: nothing of GitHub can be asked here.

    Raises `CallerMistake` when a channel of GitHub is wanted without it.
    """
    notify, found = spec.notify, list[Channel]()
    if notify.slack:
        found.append(Slack(web, notify.slack))
    if notify.email:
        found.append(Email(notify.email))
    if notify.github_issue or notify.github_deployment:
        if api is None:
            raise CallerMistake(
                "notify: GitHub is to be told, and there is no token or no repository.",
                next_step="Pass the input github-token, on a runner; elsewhere leave github-issue and github-deployment out.",
                file=spec.file,
            )
        if notify.github_issue:
            found.append(GitHubIssue(api, spec.environment))
        if notify.github_deployment:
            found.append(GitHubDeployment(api, spec.environment, release, run_url, spec.target.base_url))
    if notify.grafana:
        found.append(Grafana(web, notify.grafana, spec.environment, spec.metrics))
    return found


def check(wanted: Sequence[Channel], secrets: tuple[str, ...]) -> list[Told]:
    """Ask each whether it works, before anything ships; raises `CallerMistake` when none that reaches people does."""
    found = [_try(channel, None, secrets) for channel in wanted]
    if any(each.reaches_people and not each.error for each in found):
        return found
    failed = "; ".join(f"{each.channel}: {each.error}" for each in found if each.error)
    what = f"no channel that reaches people works ({failed})" if failed else "no channel is set up that reaches people"
    raise CallerMistake(
        f"notify: {what}, so nobody would be told of a rollback; nothing was deployed.",
        next_step="Set up one of slack, email and github-issue under `notify`.",
    )


def tell(event: Event, wanted: Sequence[Channel], clock: Clock, secrets: tuple[str, ...]) -> list[Told]:
    """Tell each, several times where it fails. Good news goes only where nobody is called by it."""
    found = {c.name: _try(c, event, secrets) for c in wanted if event.kind is not Kind.PROMOTED or not c.reaches_people}
    for pause in PAUSES_SECONDS:
        failed = [channel for channel in wanted if channel.name in found and found[channel.name].error]
        if not failed:
            break
        clock.sleep(pause)
        found |= {channel.name: _try(channel, event, secrets) for channel in failed}
    return list(found.values())


def somebody_was_told(event: Event, found: Sequence[Told]) -> bool:
    """Whether this end needs to be told no more. Good news needs nobody."""
    return event.kind is Kind.PROMOTED or any(each.reaches_people and not each.error for each in found)


def _try(channel: Channel, event: Event | None, secrets: tuple[str, ...]) -> Told:
    try:
        if event is None:
            channel.check()
        else:
            channel.send(event)
    except NotTold as error:
        return Told(channel.name, channel.reaches_people, redact(str(error), secrets))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, ssl.SSLError) as error:
        # Whatever a server answers, the deployment's end stands; the text of such an error can hold what was sent.
        return Told(channel.name, channel.reaches_people, f"an answer that makes no sense ({type(error).__name__})")
    return Told(channel.name, channel.reaches_people)


def github_api(web: Web, environ: Mapping[str, str], event: GitHubEvent, token: str) -> GitHubApi | None:
    """GitHub's API for this run's repository, or None where there is no token or no repository."""
    url = environ.get("GITHUB_API_URL", "")
    return GitHubApi(web, url, event.repository, token) if url and event.repository and token else None

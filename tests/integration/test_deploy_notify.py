"""Every channel against a double of its service: told, retried, told once, and never with a secret."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.smoke_and_rollback import gate, telling
from ci_kit.smoke_and_rollback.deployment_state import Owner
from ci_kit.smoke_and_rollback.notify.event import Channel, Event, Kind, NotTold
from ci_kit.smoke_and_rollback.notify.github_api import GitHubApi
from ci_kit.smoke_and_rollback.notify.github_deployment import GitHubDeployment
from ci_kit.smoke_and_rollback.notify.github_issue import LABELS, GitHubIssue
from ci_kit.smoke_and_rollback.notify.grafana import Grafana
from ci_kit.smoke_and_rollback.notify.mail import Email
from ci_kit.smoke_and_rollback.notify.slack import Slack
from ci_kit.smoke_and_rollback.notify.web import Web
from ci_kit.smoke_and_rollback.spec import Email as EmailSettings
from ci_kit.smoke_and_rollback.spec import ExpectVersion, Metrics, Notify, Spec, Target
from ci_kit.smoke_and_rollback.spec import Grafana as GrafanaSettings
from integration.notify_doubles import TOKEN, GitHubDouble, GrafanaDouble, SlackDouble, SmtpDouble

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PASSWORD = "correct horse battery"


class Patient:
    """A clock that notes how long it was asked to wait, and does not."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def event(kind: Kind = Kind.ROLLED_BACK, **changes: Any) -> Event:  # noqa: ANN401 - any field
    given = Event(
        kind=kind,
        environment="production",
        release=COMMIT,
        commit=COMMIT,
        repository="acme/shop",
        run="acme/shop/7#1",
        run_url="https://github.test/acme/shop/actions/runs/7",
        at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        why="The smoke run says no: <!channel> | me: 503.",
        facts=(("Release before", "/srv/releases/1"),),
    )
    return replace(given, **changes)


def web() -> Web:
    return Web(Patient(), {})


@pytest.fixture
def slack() -> Iterator[SlackDouble]:
    double = SlackDouble()
    with double.running():
        yield double


@pytest.fixture
def github() -> Iterator[GitHubDouble]:
    double = GitHubDouble()
    with double.running():
        yield double


@pytest.fixture
def grafana() -> Iterator[GrafanaDouble]:
    double = GrafanaDouble()
    with double.running():
        yield double


def api(github: GitHubDouble, token: str = TOKEN) -> GitHubApi:
    return GitHubApi(web(), github.url, "acme/shop", token)


def test_slack_is_checked_without_a_message_and_told_with_one(slack: SlackDouble) -> None:
    channel = Slack(web(), slack.url + slack.path)
    channel.check()
    assert slack.messages == []
    channel.send(event())
    [said] = slack.messages
    assert "taken back in production" in said
    assert COMMIT in said
    assert "&lt;!channel&gt;" in said, "a name must not call everybody"


def test_a_dead_webhook_is_found_before_anything_ships_and_its_address_is_told_to_nobody(slack: SlackDouble) -> None:
    with pytest.raises(NotTold, match="404 no_service") as caught:
        Slack(web(), f"{slack.url}/services/T0/B0/other").check()
    assert "/services" not in str(caught.value)


def test_an_unreachable_service_is_named_by_its_host_alone() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(NotTold, match=r"^127\.0\.0\.1: no connection") as caught:
            Slack(web(), f"http://127.0.0.1:{closed.getsockname()[1]}/services/secret").check()
    assert "secret" not in str(caught.value)


def test_a_busy_service_is_asked_again(slack: SlackDouble) -> None:
    slack.failures += [503, 502]
    Slack(web(), slack.url + slack.path).send(event())
    assert len(slack.messages) == 1


def test_an_issue_is_made_then_found_again_commented_once_and_reopened(github: GitHubDouble) -> None:
    channel = GitHubIssue(api(github), "production")
    channel.check()
    assert set(LABELS) <= github.labels
    channel.send(event())
    [issue] = github.issues
    assert set(issue["labels"]) == set(LABELS)
    assert COMMIT in issue["body"]
    assert "https://github.test/acme/shop/actions/runs/7" in issue["body"]
    channel.send(event())
    assert github.comments == {}, "the event is told already"
    issue["state"] = "closed"
    second = event(run="acme/shop/8#1")
    channel.send(second)
    channel.send(second)
    assert len(github.issues) == 1
    assert issue["state"] == "open"
    [comment] = github.comments[1]
    assert "taken back" in comment["body"]


def test_another_environment_has_another_issue(github: GitHubDouble) -> None:
    GitHubIssue(api(github), "production").send(event())
    GitHubIssue(api(github), "staging").send(event(environment="staging"))
    assert len(github.issues) == 2


def test_a_stranger_with_the_marker_but_without_the_labels_is_not_taken_for_the_issue(github: GitHubDouble) -> None:
    stranger = {"number": 1, "state": "open", "labels": [], "body": "<!-- ci-kit deployment of production -->"}
    github.issues.append(stranger)
    GitHubIssue(api(github), "production").send(event())
    assert len(github.issues) == 2


def test_the_issue_is_found_behind_a_hundred_others(github: GitHubDouble) -> None:
    channel = GitHubIssue(api(github), "production")
    channel.send(event())
    for number in range(2, 152):
        github.issues.append({"number": number, "state": "open", "labels": list(LABELS), "body": "another one"})
    channel.send(event(run="acme/shop/8#1"))
    assert len(github.issues) == 151
    assert list(github.comments) == [1]


def test_markup_in_a_reason_stays_text(github: GitHubDouble) -> None:
    GitHubIssue(api(github), "production").send(event(why="@everyone ![x](http://evil.test/x.png) </table>"))
    assert "![x](" not in github.issues[0]["body"]
    assert "</table>" not in github.issues[0]["body"]


@pytest.mark.parametrize(
    ("change", "why"), [("may_write", "403; needed is permissions: issues"), ("has_issues", "no issues")]
)
def test_a_token_or_a_repository_that_takes_no_issues_is_found_before(
    github: GitHubDouble, change: str, why: str
) -> None:
    setattr(github, change, False)
    with pytest.raises(NotTold, match=why):
        GitHubIssue(api(github), "production").check()


def test_the_deployment_of_the_job_gets_its_status(github: GitHubDouble) -> None:
    github.deployments.append({"id": 1, "sha": COMMIT, "environment": "production"})
    channel = GitHubDeployment(api(github), "production", COMMIT, "https://github.test/run", "https://shop.test")
    channel.check()
    channel.send(event(why="x" * 300))
    assert [(each["deployment"], each["state"]) for each in github.statuses] == [(1, "in_progress"), (1, "failure")]
    assert github.statuses[1]["log_url"] == event().run_url


def test_without_a_deployment_one_is_made(github: GitHubDouble) -> None:
    channel = GitHubDeployment(api(github), "production", COMMIT, "", "https://shop.test")
    channel.check()
    channel.send(event(Kind.PROMOTED))
    assert len(github.deployments) == 1
    assert github.statuses[-1]["state"] == "success"


def test_grafana_gets_one_annotation_and_on_request_a_dashboard(grafana: GrafanaDouble) -> None:
    metrics = Metrics("http://p", 'r{version="2"}', 'e{version="2"}', 0.01, 'r{version="1"}', 'e{version="1"}')
    channel = Grafana(web(), GrafanaSettings(grafana.url, TOKEN, dashboard=True), "production", metrics)
    channel.check()
    channel.check()
    [dashboard] = grafana.dashboards.values()
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert 'sum(rate(e{version="2"}[5m])) / sum(rate(r{version="2"}[5m]))' in queries
    assert len(queries) == 4
    channel.send(event())
    channel.send(event())
    [annotation] = grafana.annotations
    assert {"ci-kit", "deployment", "production", "rolled-back"} <= set(annotation["tags"])
    assert annotation["time"] == 1767323045000


def test_a_wrong_token_of_grafana_is_found_before_and_not_shown(grafana: GrafanaDouble) -> None:
    with pytest.raises(NotTold, match="401; needed is a service account") as caught:
        Grafana(web(), GrafanaSettings(grafana.url, "wrong-token-123"), "production", None).check()
    assert "wrong-token" not in str(caught.value)


def mail(double: SmtpDouble, **changes: Any) -> Email:  # noqa: ANN401 - any field
    given = EmailSettings(("ops@known.test", "x@unknown.test"), "kit@sender.test", "127.0.0.1", double.port, "none")
    return Email(replace(given, **changes))


def test_a_mail_is_checked_without_a_message_and_sent_with_the_same_identity_twice() -> None:
    double = SmtpDouble(user="kit", password=PASSWORD)
    with double.running():
        channel = mail(double, user="kit", password=PASSWORD)
        channel.check()
        assert double.messages == []
        channel.send(event(why="one\r\nBcc: evil@known.test"))
        channel.send(event())
    first, second = double.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Bcc"] is None
    assert "taken back in production" in first["Subject"].replace("\n", "")
    assert COMMIT in str(first.get_payload())


def test_a_mail_that_nobody_would_get_is_found_before_and_no_password_is_shown() -> None:
    double = SmtpDouble(user="kit", password=PASSWORD)
    with double.running():
        with pytest.raises(NotTold, match="refuses every receiver"):
            mail(double, user="kit", password=PASSWORD, to=("x@unknown.test",)).check()
        with pytest.raises(NotTold, match="answers 535") as caught:
            mail(double, user="kit", password="not this one").check()
        with pytest.raises(NotTold, match="SMTPNotSupportedError"):
            mail(double, security="starttls").check()
    assert "not this one" not in str(caught.value)
    assert caught.value.__cause__ is None


def spec(notify: Notify) -> Spec:
    target = Target("https://shop.test", ExpectVersion("/version", "$.git_sha", COMMIT))
    return Spec("smoke.yml", "production", target, (), notify=notify)


def test_bad_news_goes_to_all_and_good_news_calls_nobody(slack: SlackDouble, github: GitHubDouble) -> None:
    wanted = telling.channels(
        spec(Notify(slack=slack.url + slack.path, github_issue=True, github_deployment=True)),
        web(), api(github), COMMIT, "https://github.test/run",
    )  # fmt: skip
    assert [each.error for each in telling.check(wanted, ())] == ["", "", ""]
    good = telling.tell(event(Kind.PROMOTED), wanted, Patient(), ())
    assert [each.channel for each in good] == ["github-deployment"]
    assert slack.messages == []
    assert telling.somebody_was_told(event(Kind.PROMOTED), good)
    bad = telling.tell(event(), wanted, Patient(), ())
    assert [(each.channel, each.error) for each in bad] == [
        ("slack", ""), ("github-issue", ""), ("github-deployment", ""),
    ]  # fmt: skip
    assert len(slack.messages) == len(github.issues) == 1


def test_a_channel_that_fails_is_tried_again_alone_and_then_reported(slack: SlackDouble, github: GitHubDouble) -> None:
    github.may_write = False
    clock = Patient()
    notify = Notify(slack=slack.url + slack.path, github_issue=True)
    wanted = telling.channels(spec(notify), web(), api(github), COMMIT, "")
    found = telling.tell(event(), wanted, clock, ())
    assert [(each.channel, bool(each.error)) for each in found] == [("slack", False), ("github-issue", True)]
    assert len(slack.messages) == 1
    assert clock.slept == list(telling.PAUSES_SECONDS)
    assert telling.somebody_was_told(event(), found)


def test_a_deployment_that_nobody_could_be_told_of_is_refused(github: GitHubDouble, grafana: GrafanaDouble) -> None:
    only = Notify(github_deployment=True, grafana=GrafanaSettings(grafana.url, TOKEN))
    with pytest.raises(CallerMistake, match="no channel is set up that reaches people"):
        telling.check(telling.channels(spec(only), web(), api(github), COMMIT, ""), ())
    github.may_write = False
    with pytest.raises(CallerMistake, match="github-issue: GitHub, POST /labels answers 403"):
        telling.check(telling.channels(spec(Notify(github_issue=True)), web(), api(github), COMMIT, ""), ())
    with pytest.raises(CallerMistake, match="no token"):
        telling.channels(spec(Notify(github_issue=True)), web(), None, COMMIT, "")


class Broken:
    name = "broken"
    reaches_people = True

    def check(self) -> None:
        raise NotTold(f"it said {PASSWORD}")

    def send(self, event: Event) -> None:  # noqa: ARG002 - the interface
        raise AttributeError(PASSWORD)


def test_no_channel_shows_a_secret_and_none_ends_the_run() -> None:
    broken: list[Channel] = [Broken()]
    with pytest.raises(CallerMistake) as caught:
        telling.check(broken, (PASSWORD,))
    assert PASSWORD not in str(caught.value)
    [found] = telling.tell(event(), broken, Patient(), (PASSWORD,))
    assert found.error == "an answer that makes no sense (AttributeError)"
    assert not telling.somebody_was_told(event(), [found])


def check_run(**changes: str | None) -> dict[str, str | None]:
    return {"name": "ci / gate", "status": "completed", "conclusion": "success", **changes}


def test_only_a_commit_whose_gate_is_green_is_deployed(github: GitHubDouble) -> None:
    with pytest.raises(CallerMistake, match="did not run"):
        gate.require_green(api(github), COMMIT, "ci / gate")
    github.check_runs = [check_run()]
    gate.require_green(api(github), COMMIT, "ci / gate")
    for other in (check_run(conclusion="failure"), check_run(status="in_progress", conclusion=None)):
        github.check_runs = [check_run(), other]
        with pytest.raises(CallerMistake, match=r"is (failure, success|in_progress, success)"):
            gate.require_green(api(github), COMMIT, "ci / gate")
    with pytest.raises(InfrastructureFailure, match="401; needed is permissions: checks: read"):
        gate.require_green(api(github, "wrong"), COMMIT, "ci / gate")
    with pytest.raises(CallerMistake, match="without a token"):
        gate.require_green(None, COMMIT, "ci / gate")


def test_github_says_which_run_has_ended(github: GitHubDouble) -> None:
    github.runs = {
        1: {"status": "completed", "run_attempt": 1},
        2: {"status": "in_progress", "run_attempt": 1},
        3: {"status": "in_progress", "run_attempt": 2},
    }
    ended = [gate.run_has_ended(api(github), Owner(f"acme/shop/{number}", 1)) for number in (1, 2, 3, 4)]
    assert ended == [True, False, True, False]
    assert not gate.run_has_ended(None, Owner("acme/shop/1", 1))
    assert not gate.run_has_ended(api(github), Owner("laptop", 1))
    assert not gate.run_has_ended(api(github), Owner("other/shop/1", 1))

"""Deployments of a real service behind a link, by the kit as a process: every end, and a run that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.deploy_kit import PYTHON, Site, site
from integration.notify_doubles import SmtpDouble

BAD = {
    "errors": "work: expected the status 200, found 503",
    "open": "me with no token: must be refused",
    "slow": "me: latency",
    "old-version": "the version",
    "database": "database: expected the status 200, found 503",
    "crash": "ready",
}
WAIT_SECONDS = 30.0


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as made:
        yield made


def test_a_good_build_is_promoted_and_nobody_is_called(shop: Site) -> None:
    done = shop.deploy("b2")
    assert (done.code, shop.live) == (0, "b2-none"), done.log
    assert done.report["verdict"] == "promoted"
    assert done.report["version-before"] == "a1"
    assert not shop.slack.messages
    assert not shop.github.issues
    assert "b2 is live in production" in done.summary
    assert shop.state["lock"] is None


@pytest.mark.parametrize("fault", BAD)
def test_each_kind_of_bad_build_is_taken_back_proven_and_told_of_once(shop: Site, fault: str) -> None:
    before = (shop.folder / "current").resolve()
    done = shop.deploy("b2", fault)
    assert done.code == 10, done.log
    assert (shop.folder / "current").resolve() == before
    report = done.report
    assert BAD[fault] in report["why"]
    assert [(run["version"], run["ok"]) for run in report["smoke"]] == [("b2", False), ("a1", True)]
    assert report["detected"]
    assert len(shop.slack.messages) == len(shop.github.issues) == 1
    assert shop.github.comments == {}
    assert {each["identity"] for each in shop.state["quarantine"]} == {"b2", str(before.with_name(f"b2-{fault}"))}
    assert "verdict" in done.outputs
    assert "smoke-password" not in done.summary + json.dumps(report) + shop.slack.messages[0]


def test_a_bad_release_is_not_shipped_again_until_a_person_allows_it(shop: Site) -> None:
    assert shop.deploy("b2", "open").code == 10
    again = shop.deploy("b2")
    assert (again.code, shop.live) == (2, "a1-none")
    assert "b2 is quarantined since" in again.log
    assert shop.run("finish", "b2", "--decision", "allow").code == 0
    assert shop.deploy("b2").code == 0


def test_what_was_taken_back_twice_is_one_issue_with_a_comment(shop: Site) -> None:
    shop.deploy("b2", "open")
    shop.run_id += 1
    shop.deploy("c3", "open")
    assert len(shop.github.issues) == 1
    assert len(shop.github.comments[1]) == 1


def test_nothing_ships_when_nobody_could_be_told_or_the_gate_is_not_green(shop: Site) -> None:
    shop.github.check_runs = [{"name": "ci / gate", "status": "completed", "conclusion": "failure"}]
    red = shop.deploy("b2", "none", "--gate", "ci / gate")
    assert red.code == 2
    assert "'ci / gate' of b2 is failure" in red.log
    shop.slack.failures, shop.github.may_write = [404], False
    deaf = shop.deploy("b2")
    assert deaf.code == 2
    assert "no channel that reaches people works" in deaf.log
    assert shop.live == "a1-none"
    assert not (shop.folder / ".current.ci-kit.json").exists(), "nothing was even locked"


def test_a_deploy_command_that_fails_is_told_of_and_no_rollback(shop: Site) -> None:
    done = shop.run("deploy", "b2", "--command", "/bin/false")
    assert (done.code, done.report["verdict"], shop.live) == (1, "not-deployed", "a1-none")
    assert len(shop.slack.messages) == 1
    assert shop.deploy("b2").code == 0, "nothing is quarantined, and nothing is left to finish"


def test_a_breaking_schema_is_told_of_and_left(shop: Site) -> None:
    shop.spec = shop.spec.replace("strategy: releases", "strategy: releases, schema: breaking")
    done = shop.deploy("b2", "database")
    assert (done.code, done.report["verdict"], shop.live) == (1, "not-rolled-back", "b2-database")
    assert "act now" in shop.slack.messages[0]
    assert shop.deploy("c3").code == 0, "the release that mends it is not refused"


def test_a_release_before_that_is_gone_is_a_failed_rollback_that_says_what_to_do(shop: Site) -> None:
    shop.deploy("b2")
    gone = (shop.folder / "current").resolve()
    shop.spec = shop.spec.replace("path: /work", "path: /gone")
    (shop.folder / "trap").write_text("")
    # The bad build's deploy command also removes the release before, as a careless clean-up would.
    command = f"/bin/sh -c '{shop.deploy_command('c3')} && rm -r {gone}'"
    done = shop.run("deploy", "c3", "--command", command)
    assert (done.code, done.report["verdict"]) == (11, "rollback-failed"), done.log
    assert "Restore" in done.report["by-hand"]
    again = shop.deploy("d4")
    assert again.code == 11
    assert "tried only once" in again.log
    assert len(shop.slack.messages) == 1


def test_a_drill_deploys_a_bad_build_and_measures(shop: Site) -> None:
    options = ("--drill", "true", "--drill-command")
    done = shop.run("deploy", "b2", *options, shop.deploy_command("b2", "errors"))
    assert (done.code, shop.live) == (0, "a1-none"), done.log
    assert done.report["drill"]
    assert 0 < done.report["seconds"]["detect"] < WAIT_SECONDS
    assert 0 < done.report["seconds"]["recover"] < WAIT_SECONDS
    assert "[drill]" in shop.slack.messages[0]
    assert shop.state["quarantine"] == []
    blind = shop.run("deploy", "b2", *options, shop.deploy_command("b2", "none"))
    assert (blind.code, shop.live) == (1, "a1-none")
    assert "The drill FAILED" in blind.log


def test_a_rollback_that_nobody_could_be_told_of_is_an_error_and_told_by_the_next_run(shop: Site) -> None:
    shop.slack.failures, shop.github.failures = [0, *[500] * 9], [*[0] * 4, *[500] * 9]
    done = shop.deploy("b2", "open")
    assert (done.code, shop.live) == (10, "a1-none"), "what cannot be told changes nothing"
    assert "Nobody could be told of this" in done.log
    assert "Nobody could be told of this" in done.summary
    assert [told["error"] != "" for told in done.report["told"]] == [True, True]
    shop.slack.failures, shop.github.failures = [], []
    shop.run_id = 2
    assert shop.deploy("c3").code == 0
    assert "b2 was bad and was taken back" in shop.slack.messages[0]
    assert len(shop.slack.messages) == len(shop.github.issues) == 1


def test_a_mail_alone_is_enough(shop: Site) -> None:
    double = SmtpDouble()
    mail = f"{{to: [ops@known.test], from: kit@sender.test, host: 127.0.0.1, port: {double.port}, security: none}}"
    shop.spec = shop.spec.partition("notify:")[0] + f"notify: {{email: {mail}}}\n"
    with double.running():
        done = shop.deploy("b2", "database")
    assert done.code == 10, done.log
    [message] = double.messages
    said = message.get_payload(decode=True)
    assert isinstance(said, bytes)
    assert b"database: expected the status 200, found 503" in said


def test_the_consumers_own_programs_take_a_release_back(shop: Site) -> None:
    words = {key: json.dumps([*PYTHON, key, str(shop.folder)]) for key in ("identity", "put-back")}
    block = f"rollback: {{strategy: command, identity: {words['identity']}, rollback: {words['put-back']}, "
    head, _, tail = shop.spec.partition("rollback: ")
    shop.spec = head + block + f"state: {shop.folder}/.current.ci-kit.json}}\n" + tail.partition("\n")[2]
    assert shop.deploy("b2").code == 0
    done = shop.deploy("c3", "errors")
    assert (done.code, shop.live) == (10, "b2-none"), done.log
    assert [run["ok"] for run in done.report["smoke"]] == [False, True]


def phase(shop: Site) -> str:
    try:
        record = shop.state["record"]
    except (OSError, ValueError):
        return ""
    return str(record["phase"]) if record else ""


def interrupted(shop: Site, at: str, number: signal.Signals, fault: str) -> int:
    """Start a deployment and send the signal as soon as it is in this phase; its exit code."""
    argv = shop.argv("deploy", "--command", shop.deploy_command("b2", fault))
    with subprocess.Popen(
        argv, env=shop.environment("b2"), cwd=shop.repository, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + WAIT_SECONDS
        while phase(shop) != at and time.monotonic() < until:
            try:
                process.wait(0.001)
            except subprocess.TimeoutExpired:
                continue
            break
        process.send_signal(number)
        return process.wait(WAIT_SECONDS)


@pytest.mark.parametrize("at", ["smoking", "rolling-back", "rolled-back"])
def test_a_run_that_is_killed_is_finished_by_the_step_behind_it(shop: Site, at: str) -> None:
    assert interrupted(shop, at, signal.SIGKILL, "slow") == -signal.SIGKILL
    done = shop.run("finish", "b2")
    assert (done.code, shop.live) == (10, "a1-none"), done.log
    assert len(shop.github.issues) == 1
    assert shop.github.comments == {}
    assert shop.state["lock"] is None
    assert shop.run("finish", "b2").code == 0, "nothing is left"


def test_a_run_that_is_cancelled_while_it_deploys_is_taken_back(shop: Site) -> None:
    assert interrupted(shop, "smoking", signal.SIGTERM, "slow") == 128 + signal.SIGTERM
    shop.attempt += 1
    done = shop.deploy("c3")
    assert (done.code, shop.live) == (0, "c3-none"), done.log
    assert "First an earlier deployment was finished (rolled-back)" in done.summary
    assert len(shop.github.issues) == 1


def test_a_run_that_still_works_is_not_disturbed(shop: Site) -> None:
    assert interrupted(shop, "smoking", signal.SIGKILL, "slow") == -signal.SIGKILL
    shop.github.runs = {1: {"status": "in_progress", "run_attempt": 1}}
    shop.run_id = 2
    busy = shop.deploy("c3")
    assert busy.code == 3
    assert "https://github.test/acme/shop/actions/runs/1" in busy.log
    assert shop.run("finish", "c3").code == 0, "what is another run's is not touched"
    shop.github.runs[1]["status"] = "completed"
    assert shop.deploy("c3").code == 0
    assert shop.live == "c3-none"

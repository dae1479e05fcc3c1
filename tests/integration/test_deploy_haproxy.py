"""Canary steps through a real haproxy, watched by a real Prometheus, with users that ask all the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.proxied_site import SCRAPE_SECONDS, ProxiedSite, proxied_site

MOST_SCRAPES = 2.0
MOST_ROLLBACK_SECONDS = 2.0


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ProxiedSite]:
    with proxied_site(tmp_path) as made:
        yield made


def test_a_good_build_gets_its_shares_and_then_all(shop: ProxiedSite) -> None:
    done = shop.deploy("b2")
    assert done.code == 0, done.log
    assert shop.answering() == {"b2"}
    shares = [step["why"] for step in done.report["steps"] if step["phase"] == "canary"]
    assert shares == ["10 % of the traffic", "50 % of the traffic", "100 % of the traffic"]
    assert shop.slack.messages == []


def test_a_build_that_fails_its_users_is_found_at_ten_percent_and_taken_back(shop: ProxiedSite) -> None:
    done = shop.deploy("b2", "errors")
    assert done.code == 10, done.log
    assert shop.answering() == {"a1"}
    assert done.report["why"].startswith("At 10 % of the traffic: ")
    assert done.report["seconds"]["rollback"] <= MOST_ROLLBACK_SECONDS
    began = {step["phase"]: step["at"] for step in done.report["steps"]}
    # A second for the polls between two scrapes and for a busy machine; the benchmark measures it alone.
    assert began["rolling-back"] - began["canary"] <= (MOST_SCRAPES + 1) * SCRAPE_SECONDS
    assert [(run["version"], run["ok"]) for run in done.report["smoke"]] == [("b2", True), ("a1", True)]
    assert len(shop.slack.messages) == len(shop.github.issues) == 1


def test_a_sick_environment_is_frozen_and_told_of(shop: ProxiedSite) -> None:
    (shop.folder / "sick").touch()
    done = shop.deploy("b2")
    assert done.code == 12, done.log
    assert "sick" in done.report["why"]
    assert shop.state["quarantine"] == []
    assert len(shop.slack.messages) == 1
    refused = shop.deploy("c3")
    assert refused.code == 12
    assert "waits for a person" in refused.log
    (shop.folder / "sick").unlink()
    assert shop.run("finish", "c3", "--decision", "rollback").code == 10
    assert shop.answering() == {"a1"}

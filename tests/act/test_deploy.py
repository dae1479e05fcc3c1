"""deploy.yml as a consumer calls it: a good build is promoted, a bad one is taken back in the same job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from act.consumer import lay, run
from ci_kit.act.request import Result
from integration.deploy_kit import Site, site

WORKFLOW = """
name: release
on: [push]
permissions: {}
jobs:
  production:
    permissions:
      contents: read
      checks: read
      actions: read
      issues: write
      deployments: write
    uses: org/ci-kit/.github/workflows/deploy.yml@0000000000000000000000000000000000000000
    with:
      environment: production
      gate: none
      command: COMMAND
      variables: |
        BASE_URL=http://127.0.0.1:PORT
        SITE=FOLDER
        RELEASE=RELEASE_NAME
    secrets:
      CI_KIT_ENV: ${{ secrets.CI_KIT_ENV }}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path / "shop") as made:
        yield made


def released(shop: Site, folder: Path, release: str, fault: str) -> Result:
    """One run of the consumer's workflow, with Slack alone to be told."""
    spec = shop.spec.partition("notify:")[0] + "notify: {slack: true}\n"
    values = {"COMMAND": json.dumps(shop.deploy_command(release, fault)), "PORT": str(shop.port)}
    workflow = WORKFLOW.replace("RELEASE_NAME", release).replace("FOLDER", str(shop.folder))
    for name, value in values.items():
        workflow = workflow.replace(name, value)
    files = {".github/workflows/release.yml": workflow, ".github/ci-kit-smoke.yml": spec}
    secret = f"SMOKE_PASSWORD={shop.password}\nSLACK_WEBHOOK_URL={shop.slack.url}{shop.slack.path}"
    return run(lay(folder / f"{release}-repository", files), folder / f"{release}-out", secrets={"CI_KIT_ENV": secret})


def test_a_good_build_is_promoted_and_a_bad_one_taken_back(shop: Site, tmp_path: Path) -> None:
    good = released(shop, tmp_path, "b2", "none")
    assert good.verdict == "success", good.one("deploy").log
    assert shop.live == "b2-none"
    assert shop.slack.messages == []
    shop.by_hand("restart")  # a job's end ends what it has started
    bad = released(shop, tmp_path, "c3", "errors")
    assert bad.verdict == "failure"
    assert shop.live == "b2-none"
    [report] = [json.loads(path.read_text(encoding="utf-8")) for path in bad.folder.glob("artifacts/*/deployment.json")]
    assert (report["verdict"], report["exit-code"]) == ("rolled-back", 10)
    assert [(run["version"], run["ok"]) for run in report["smoke"]] == [("c3", False), ("b2", True)]
    assert len(shop.slack.messages) == 1
    assert shop.password not in bad.one("deploy").log

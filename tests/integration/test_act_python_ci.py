"""The kit's own workflow through `act run`: a chosen leg, in a sub-folder with a service and a configuration of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from act.consumer import PROJECT, PYTHON, lay
from ci_kit.act.request import Request
from ci_kit.act.run import CHOSEN_LEGS, run_act

WORKFLOW = """
on: push
jobs:
  ci:
    permissions: {contents: read}
    uses: org/ci-kit/.github/workflows/python-ci.yml@0000000000000000000000000000000000000000
    with: {working-directory: shop, config: ci/kit.yml}
"""
CONFIG = """
python: ["VERSION"]
tiers:
  - name: unit
    paths: [tests]
    shards: 2
    services:
      redis: {image: "redis:7", ports: [PORT], ready: "redis://127.0.0.1:PORT"}
"""


def test_a_chosen_leg_is_judged_by_itself_and_the_gate_misses_the_others(
    tmp_path: Path, require_server: Callable[[str], str]
) -> None:
    require_server("redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    project = {f"shop/{name}": text for name, text in PROJECT.items() if not name.startswith(".github")}
    config = CONFIG.replace("VERSION", PYTHON).replace("PORT", port)
    files = {**project, ".github/workflows/ci.yml": WORKFLOW, "shop/ci/kit.yml": config}

    result = run_act(
        Request(
            lay(tmp_path / "mono", files),
            matrix=("shard:1/2",),
            actions="stand-ins",
            output=tmp_path / "out",
            cache=tmp_path / "caches",
            limit_seconds=300,
        )
    )

    leg = result.one("test")
    assert (leg.matrix["shard"], leg.result) == ("1/2", "success"), leg.log
    assert result.services == [f"redis:7 as redis-server on 127.0.0.1:{port}"]
    gate = result.one("gate")
    assert (gate.result, result.verdict, int(result.exit)) == ("failure", "failure", 1)
    assert f"unit · Python {PYTHON} · 2/2" in gate.log
    assert "1 of 2 test jobs delivered no report" in gate.log
    assert CHOSEN_LEGS in result.notes

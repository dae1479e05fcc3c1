"""The examples of docs/fixtures.md, run as they stand."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from integration.consumer import KIT
from integration.plugin_kit import PLUGIN, environment, run_pytest
from integration.test_fixtures_servers import free_port
from tooling.servers import redis_server

sys.path.append(str(PLUGIN / "src"))
from pytest_ci_kit import fixtures

PAGE = KIT / "docs" / "fixtures.md"


def test_every_example_runs(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == PAGE.read_text(encoding="utf-8").count("```python")
    with redis_server(free_port()) as redis:
        made = environment("newest pytest", tmp_path_factory)
        run = run_pytest(tmp_path, made, dict(blocks), "-n", "2", env={"REDIS_URL": redis})
    assert run.code == 0, run.log
    assert len(run.outcomes) == 10


def test_every_fixture_is_described() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in fixtures.__all__ if f"`{name}`" not in text] == []

"""`coverage-combine combine` where only affected tests ran: a number of a part is shown, never judged, and may be absent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from ci_kit.affected import Affected
from ci_kit.affected_plan import ONLY, TestChoice, write_choice
from ci_kit.plan import Plan, PlannedTier, write_plan
from ci_kit.share import Share
from integration.coverage_shop import COMMIT, Ran, Shop, no_number, run_coverage, write

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
READS = "def test_reads():\n    assert open('pyproject.toml').read()\n"
COMPONENT = "coverage: {total: 99, components: {core: {paths: ['src/**'], min: 99}}}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A repository whose one tier has two shards."""
    shop = Shop(tmp_path)
    write(shop.here, {"tests/test_reads.py": READS, ".github/ci-kit.yml": COMPONENT})
    tier = PlannedTier("unit", (Share(("tests/test_price.py",)), Share(("tests/test_reads.py",))))
    write_plan(tmp_path / "plan", Plan("ci", "pull-request", COMMIT, (tier,), (PYTHON,)))
    return shop


def leave_out(shop: Shop, *tests: str) -> None:
    found = Affected(all=False, reason="1 file differs", unaffected=frozenset(tests))
    write_choice(shop.folder / "plan", TestChoice(ONLY, tiers={"unit": found}))


def empty(shop: Shop, index: int) -> None:
    """A shard of which the change reaches no test: pytest ended before coverage had anything to write."""
    place = shop.results / f"ci-results-unit-py3-{index}of2-a1" / "coverage"
    place.mkdir(parents=True)
    shop.announce(place, index, count=2)
    test = {"name": "ci", "tier": "unit", "python": PYTHON, "shard": {"index": index, "count": 2}, "attempt": 1}
    (place.parent / "test.json").write_text(json.dumps(test | {"verdict": "empty"}))


def combine(shop: Shop) -> Ran:
    return shop.combine("--plan", str(shop.folder / "plan" / "plan.json"))


def test_no_shard_has_an_affected_test(shop: Shop) -> None:
    empty(shop, 1)
    empty(shop, 2)
    leave_out(shop, "tests/test_price.py::test_total", "tests/test_reads.py::test_reads")
    ran = combine(shop)
    assert ran.code == 0, ran.log
    assert ran.report["verdict"] == ran.outputs["verdict"] == "passed"
    assert ran.report["total"] is None
    assert "total" not in ran.outputs
    assert "run no line of the project" in ran.report["notes"][0]
    assert "## Coverage: nothing to measure" in ran.summary
    assert Path(ran.outputs["report"]).is_file()
    assert "::error" not in ran.log


def test_without_a_choice_nothing_measured_is_no_number(shop: Shop) -> None:
    empty(shop, 1)
    empty(shop, 2)
    no_number(combine(shop), "no leg measured any file of the repository")


def test_the_affected_tests_run_no_line(shop: Shop) -> None:
    empty(shop, 1)
    place = shop.results / "ci-results-unit-py3-2of2-a1" / "coverage"
    place.mkdir(parents=True)
    run_coverage(shop.here, place / "coverage", ["--parallel-mode"], ["tests/test_reads.py"])
    shop.announce(place, 2, count=2, root=str(shop.here.resolve()))
    no_number(combine(shop), "was run by any test leg")
    leave_out(shop, "tests/test_price.py::test_total")
    ran = combine(shop)
    assert ran.code == 0, ran.log
    assert ran.outputs["total"] == "0.00"
    assert [gate["threshold"] for gate in ran.report["gates"]] == [0.0]
    assert any("no threshold of coverage is judged" in note for note in ran.report["notes"])

"""Files that are cut over shards, with a real pytest in each: together the shards run what one plain run does, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.config import Gates, Tier
from ci_kit.pipeline.evidence import read_evidence
from ci_kit.pipeline.gate import judge
from ci_kit.plan import Plan, PlannedTier
from ci_kit.shard_count import Terms
from ci_kit.share import select
from ci_kit.test.model import Record
from ci_kit.test.record import read_record, write_task
from ci_kit.tier_plan import find_tier, plan_tier
from tooling.leg_reports import COMMIT, leg_report, result

PLUGIN = Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"
BIG = """
import pytest, unittest

@pytest.mark.parametrize("n", range({count}))
def test_many(n): pass

class TestA:
    def test_a(self): pass
    @pytest.mark.parametrize("text", ["x[1]", "a::b", "ü", "日本", "line\\nbreak", "", " ", "-m", "'"])
    def test_b(self, text): pass
    class TestInner:
        def test_c(self): pass

class Unit(unittest.TestCase):
    def test_d(self): pass
    def test_e(self):
        with self.subTest(n=1): pass
"""
FILES = {
    "tests/test_big.py": BIG.format(count=40),
    "tests/test_small.py": "def test_small(): pass\n",
    "tests/sub/test_ü.py": "def test_other(): pass\n",
    "tests/__init__.py": "",
}


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return root


def run_pytest(root: Path, *options: str, **environ: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(PLUGIN), "PYTHONDONTWRITEBYTECODE": "1", **environ}
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *options]
    done = subprocess.run(argv, cwd=root, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 5), done.stdout + done.stderr
    return done.stdout


def shards(root: Path, temp: Path, tier: PlannedTier, *options: str, **environ: str) -> Iterator[Record]:
    """Each shard's record; the tests really run."""
    for index in range(len(tier.shards)):
        folder = temp / f"shard{index}"
        task = write_task(folder, root, select(tier.shards, index))
        run_pytest(root, "-p", "pytest_ci_kit", f"--ci-kit-task={task}", *tier.paths, *options, **environ)
        yield read_record(folder)


def collect(root: Path, temp: Path, *paths: str) -> list[tuple[str, str]]:
    """Id and file of what a plain run collects, in its order."""
    whole = PlannedTier("all", plan_tier(find_tier(root, Tier("all", paths), {}), Terms(), 1).shards, paths=paths)
    [record] = shards(root, temp / "plain", whole)
    return [(test, record.places[test].file) for test in record.collected]


def history_of(tests: Sequence[tuple[str, str]], seconds: float = 1.0) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for test, file in tests:
        found.setdefault(file, {})[test] = seconds
    return found


def planned(root: Path, recorded: Mapping[str, Mapping[str, float]], *paths: str) -> PlannedTier:
    return plan_tier(find_tier(root, Tier("all", paths), recorded), Terms(), 3)


def said_by_the_gate(temp: Path, tier: PlannedTier, records: Sequence[Record]) -> list[str]:
    """What the gate finds in the reports of these shards."""
    for index, record in enumerate(records, 1):
        report = leg_report(
            tier.shards[index - 1].every_file, [result(test) for test in record.collected],
            tier=tier.name, shard=(index, len(records)), cut=dict(record.cut),
        )  # fmt: skip
        write(temp / "results", {f"{index}/test.json": json.dumps(report)})
    plan = Plan("ci", "pull-request", COMMIT, (tier,), ("3.12",), {"test": True})
    verdict = judge(plan, {"plan": "success", "test": "success"}, read_evidence(temp / "results", "ci"), Gates())
    return [finding.message for finding in verdict.findings]


def prove(root: Path, temp: Path, recorded: Mapping[str, Mapping[str, float]], *paths: str, cut: bool = True) -> None:
    """Plan with the record, run the shards, and hold them against a plain run, and the gate's opinion with it."""
    tier = planned(root, recorded, *paths)
    assert any(share.parts for share in tier.shards) == cut
    records = list(shards(root, temp, tier))
    ran = Counter(test for record in records for test in record.collected)
    assert [test for test, times in ran.items() if times > 1] == []
    assert sorted(ran) == sorted(test for test, _ in collect(root, temp, *paths))
    assert not any(record.deselected for record in records)
    assert said_by_the_gate(temp, tier, records) == []


def test_the_parts_of_a_file_are_the_whole_file(tmp_path: Path) -> None:
    root = write(tmp_path / "re po", FILES)
    recorded = history_of(collect(root, tmp_path))
    tier = planned(root, recorded)
    assert [part.file for share in tier.shards for part in share.parts] == ["tests/test_big.py"] * 3
    prove(root, tmp_path, recorded)


CHANGES: dict[str, dict[str, str]] = {
    "tests added at the beginning and at the end": {
        "tests/test_big.py": "def test_first(): pass\n" + BIG.format(count=40) + "def test_last(): pass\n"
    },
    "tests removed": {"tests/test_big.py": BIG.format(count=3)},
    "tests renamed": {"tests/test_big.py": BIG.format(count=40).replace("test_many", "test_much")},
    "another parametrization": {"tests/test_big.py": BIG.format(count=40).replace("range(40)", "range(20, 70)")},
    "all of it new": {"tests/test_big.py": "def test_x(): pass\nclass TestY:\n    def test_z(self): pass\n"},
    "no test left": {"tests/test_big.py": "def helper(): pass\n"},
    "a class that moved to another file": {
        "tests/test_big.py": BIG.format(count=40).partition("class TestA")[0],
        "tests/test_new.py": "class TestA" + BIG.format(count=40).partition("class TestA")[2].partition("class Unit")[0]
        .replace("@pytest", "@__import__('pytest')"),
    },
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_since(change: str, tmp_path: Path) -> None:
    root = write(tmp_path / "repo", FILES)
    recorded = history_of(collect(root, tmp_path))
    write(root, CHANGES[change])
    prove(root, tmp_path, recorded)


def test_a_record_of_nothing(tmp_path: Path) -> None:
    """Ids of other files, of no file, of another root folder, and a file that is gone."""
    root = write(tmp_path / "repo", FILES)
    recorded = history_of(collect(root, tmp_path))
    big = list(recorded["tests/test_big.py"])
    garbage = {f"garbage[{n}]": 50.0 for n in range(30)} | {f"sub/{test}": 9.0 for test in big[:9]}
    recorded["tests/test_big.py"] = {**dict.fromkeys(big[30:], 2.0), **garbage, **dict.fromkeys(big[:10], 1.0)}
    recorded["tests/test_small.py"] = {**dict.fromkeys(big, 1.0), "tests/test_small.py::test_small": 1e5, "": 1e5}
    recorded["tests/gone.py"] = {"tests/gone.py::test": 1e6}
    prove(root, tmp_path, recorded)


def test_ids_count_from_pytests_root_and_files_from_the_workspace(tmp_path: Path) -> None:
    root = write(tmp_path / "repo", {f"service/{name}": text for name, text in FILES.items()})
    write(root, {"service/tests/pytest.ini": "[pytest]\n"})
    tests = collect(root, tmp_path, "service/tests")
    assert ("test_big.py::test_many[0]", "service/tests/test_big.py") in tests
    prove(root, tmp_path, history_of(tests), "service/tests")


def test_ids_that_change_from_run_to_run_run_where_the_rest_runs(tmp_path: Path) -> None:
    text = """
    import pytest, uuid
    @pytest.mark.parametrize("n", [str(uuid.uuid4()) for _ in range(20)] + list(range(20)))
    def test_it(n): pass
    """
    root = write(tmp_path / "repo", {"test_a.py": text})
    tier = planned(root, history_of(collect(root, tmp_path)))
    records = list(shards(root, tmp_path, tier))
    ran = [test for record in records for test in record.collected]
    assert len(ran) == len(set(ran)) == 40
    assert said_by_the_gate(tmp_path, tier, records) == []


def test_the_gate_sees_a_test_that_no_shard_ran(tmp_path: Path) -> None:
    """Each job collects the ids that its own environment gives: a named one that its shard does not see is lost."""
    text = """
    import os, pytest
    @pytest.mark.parametrize("n", [n for n in range(30) if n % 7 or "LOSES" not in os.environ])
    def test_it(n): pass
    """
    root = write(tmp_path / "repo", {"test_a.py": text})
    tier = planned(root, history_of(collect(root, tmp_path)))
    [rest] = [index for index, share in enumerate(tier.shards) if share.parts[0].rest]
    whole = list(shards(root, tmp_path, tier))
    losing = list(shards(root, tmp_path / "losing", tier, LOSES="1"))
    records = [whole[index] if index == rest else losing[index] for index in range(3)]
    [message] = said_by_the_gate(tmp_path, tier, records)
    assert message.startswith(f"all · Python 3.12: of test_a.py, which is cut, shard {rest + 1} left 20 tests to other")
    assert said_by_the_gate(tmp_path, tier, losing) == []
    silent = [replace(record, cut={}) for record in whole]
    [message] = said_by_the_gate(tmp_path, tier, silent)
    assert message == "all · Python 3.12: a shard does not say what it ran of test_a.py, which is cut."


def test_a_marker_leaves_out_tests_of_every_part(tmp_path: Path) -> None:
    text = """
    import pytest
    @pytest.mark.parametrize("n", [pytest.param(n, marks=[pytest.mark.slow] * (n % 3 == 0)) for n in range(30)])
    def test_it(n): pass
    """
    root = write(tmp_path / "repo", {"test_a.py": text, "pytest.ini": "[pytest]\nmarkers = slow\n"})
    tier = planned(root, history_of(collect(root, tmp_path)))
    records = list(shards(root, tmp_path, tier, "-m", "not slow"))
    assert sorted(len(record.collected) + len(record.deselected) for record in records) == [10, 10, 10]
    assert sum(len(record.deselected) for record in records) == 10
    assert said_by_the_gate(tmp_path, tier, records) == []


def test_xdist_workers_agree_on_the_parts(tmp_path: Path) -> None:
    root = write(tmp_path / "repo", FILES)
    recorded = history_of(collect(root, tmp_path))
    tier = planned(root, recorded)
    records = list(shards(root, tmp_path, tier, "-n2", "--dist=loadscope"))
    ran = [test for record in records for test in record.collected]
    assert sorted(ran) == sorted(test for test, _ in collect(root, tmp_path))
    assert said_by_the_gate(tmp_path, tier, records) == []

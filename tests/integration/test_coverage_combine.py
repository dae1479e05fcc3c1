"""`coverage-combine combine` on sound data: the number, and what is judged by it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from integration.coverage_shop import (
    COMMIT,
    Shop,
    copy_of,
    data_file,
    facts,
    no_number,
    place,
    three_shards,
    unsharded,
    write,
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_shards(tmp_path_factory.mktemp("measured"))


@pytest.fixture
def three(measured: Path, tmp_path: Path) -> Shop:
    return copy_of(measured, tmp_path)


def test_three_shards_equal_one_run_line_by_line_and_branch_by_branch(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for index in (1, 2, 3):
        shop.measure(index)
    ran = shop.combine("--total", "50")
    assert ran.code == 0, ran.log
    one = unsharded(shop, tmp_path)
    combined = json.loads((ran.temp / "coverage" / "coverage.json").read_text())
    assert facts(combined) == facts(one)
    assert combined["totals"] == one["totals"]
    assert "src/shop/never.py" in combined["files"]
    assert "src/shop/omitted.py" not in combined["files"]
    # Each leg's part: together they ran all covered lines, and what one ran alone is not another's.
    legs, lines = ran.report["legs"], ran.report["total"]["lines"]["covered"]
    assert max(leg["lines-run"] for leg in legs) < lines <= sum(leg["lines-run"] for leg in legs)
    assert all(0 < leg["lines-run-alone"] <= leg["lines-run"] and leg["files-run"] for leg in legs)
    total = one["totals"]
    assert ran.report["total"]["covered"] == total["covered_lines"] + total["covered_branches"]
    assert ran.report["total"]["counted"] == total["num_statements"] + total["num_branches"]
    assert ran.outputs["verdict"] == "passed"
    assert ran.outputs["total"] == f"{ran.report['total']['percent']:.2f}"
    for name in ("coverage.xml", "coverage.lcov", "html/index.html"):
        assert (ran.temp / "coverage" / name).stat().st_size > 0
    assert ran.summary.startswith("## ✅ Coverage 80.00 %: passed\n")
    assert (ran.temp / "coverage" / "coverage.md").read_text().rstrip() == ran.summary.rstrip()
    picture = (ran.temp / "coverage" / "badge.svg").read_text()
    assert ran.outputs["badge"] == ran.report["written"]["badge"] == str(ran.temp / "coverage" / "badge.svg")
    assert "<title>coverage: 80 %</title>" in picture
    # The delivered files stay.
    assert all(list(place.glob("coverage.*.*")) for place in shop.results.glob("*/coverage"))


@pytest.mark.parametrize(
    ("event", "total", "options", "written"),
    [
        ("push", "80", (), True),
        ("pull_request", "80", (), False),
        ("merge_group", "80", (), False),
        ("pull_request", "80.01", (), True),
        ("pull_request", "80", ("--html", "true"), True),
        ("pull_request", "80.01", ("--html", "false"), False),
    ],
)
def test_html_is_written_where_nobody_waits_or_a_gate_says_no(
    three: Shop, event: str, total: str, options: tuple[str, ...], *, written: bool
) -> None:
    ran = three.combine("--total", total, *options, GITHUB_EVENT_NAME=event)
    assert ran.code == (0 if total == "80" else 1), ran.log
    assert bool(ran.outputs["html"]) == written
    assert (ran.temp / "coverage" / "html" / "index.html").is_file() == written


def test_other_roots_are_mapped_onto_this_checkout(three: Shop, measured: Path) -> None:
    ran = three.combine("--total", "80", "--html", "false")
    assert ran.code == 0, ran.log
    assert str(measured) in (place(three, 1) / "manifest.json").read_text()
    assert ran.report["total"]["percent"] == 80.0
    assert {file["path"] for file in ran.report["files"]} >= {"src/shop/price.py", "src/shop/grüße und mehr.py"}
    assert ran.outputs["html"] == ""
    assert not (ran.temp / "coverage" / "html").exists()


def test_relative_data_needs_no_mapping(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    text = (shop.here / "pyproject.toml").read_text().replace("branch = true", "branch = true\nrelative_files = true")
    (shop.here / "pyproject.toml").write_text(text)
    for index in (1, 2, 3):
        shop.measure(index)
    text = text.replace("relative_files = true", "")
    (shop.here / "pyproject.toml").write_text(text)
    ran = shop.combine("--total", "80", "--html", "false")
    assert ran.code == 0, ran.log
    assert ran.report["total"]["percent"] == 80.0


def test_the_highest_attempt_counts(three: Shop) -> None:
    data_file(three, 2).write_bytes(b"garbage")
    three.measure(2, attempt=2)
    ran = three.combine("--total", "80", "--html", "false")
    assert ran.code == 0, ran.log
    assert [leg["attempt"] for leg in ran.report["legs"]] == [1, 2, 1]
    assert "attempt 2 replaces attempt 1" in ran.log


def test_the_gates(three: Shop) -> None:
    config = """\
        coverage:
          total: 79
          file-floor: 10
          patch: 90
          regression: forbid
          components:
            price: {paths: ["src/shop/price.py"], min: 100}
            stock: {paths: ["src/shop/stock/**"], min: 99.9}
        """
    write(three.here, {".github/ci-kit.yml": config})
    ran = three.combine("--html", "false")
    assert ran.code == 1, ran.log
    by_name = {gate["name"]: gate for gate in ran.report["gates"]}
    assert by_name["total"]["passed"]
    assert by_name["total"]["threshold"] == 79
    assert by_name["price"]["passed"]
    assert not by_name["src/shop/never.py"]["passed"]
    assert ran.outputs["verdict"] == ran.report["verdict"] == "failed"
    assert ran.outputs["total"] == "80.00"
    assert "::error file=src/shop/never.py,line=1,title=coverage gate::" in ran.log
    assert len(ran.report["not-judged"]) == 2
    assert "Not judged: coverage.patch: 90 % of changed lines (changed lines are judged on pull requests" in ran.log
    assert "> Not judged: coverage.patch" in ran.summary
    ran = three.combine("--html", "false", "--total", "80.01")
    assert by_name["total"]["passed"]
    assert "1 line or branch short of 80.01 %" in ran.summary


def test_two_calls_in_one_job_do_not_collide(three: Shop) -> None:
    """Each call of a name combines its own results, whatever lies beside them."""
    alone = three.combine("--html", "false", "--total", "80").report["total"]
    shutil.copytree(place(three, 1).parent, three.results / "two-results-unit-py3-1of1-a1")
    three.announce(three.results / "two-results-unit-py3-1of1-a1" / "coverage", 1, count=1, name="two")
    # What another call's tests could not deliver is not this call's matter either.
    broken = three.results / "three-results-unit-py3-1of1-a1"
    (broken / "coverage").mkdir(parents=True)
    test = json.loads((place(three, 1) / "manifest.json").read_text()) | {"name": "three", "verdict": "error"}
    (broken / "test.json").write_text(json.dumps(test))
    (broken / "coverage" / "manifest.json").write_text("{")
    ran = three.combine("--html", "false", "--total", "80")
    assert ran.code == 0, ran.log
    assert (ran.report["total"], len(ran.report["legs"])) == (alone, 3)
    ran = three.combine("--html", "false", "--total", "1", "--name", "two")
    assert ran.code == 0, ran.log
    assert [leg["shard"] for leg in ran.report["legs"]] == [{"index": 1, "count": 1}]
    assert ran.report["total"]["covered"] < alone["covered"]


def test_the_default_gate_is_85(three: Shop) -> None:
    ran = three.combine("--html", "false")
    assert ran.code == 1
    assert ran.report["gates"][0]["threshold"] == 85
    assert ran.report["gates"][0]["short-by"] == 2


def test_a_component_that_matches_nothing(three: Shop) -> None:
    write(three.here, {".github/ci-kit.yml": "coverage: {components: {core: {paths: ['src/core/**'], min: 95}}}\n"})
    ran = three.combine()
    assert ran.code == 2
    said = "coverage.components.core: the pattern 'src/core/**' matches no measured file"
    assert said in ran.log
    # What was known by then is reported, though nothing was judged.
    assert ran.report["verdict"] == ran.outputs["verdict"] == "mistaken"
    assert ran.report["problems"][0]["message"].startswith(said)
    assert ran.report["total"]["percent"] == 80.0
    assert len(ran.report["legs"]) == 3
    assert {file["path"] for file in ran.report["files"]} >= {"src/shop/price.py", "src/shop/never.py"}
    assert ran.report["gates"] == []
    assert said in ran.summary.replace("\\", "")
    assert Path(ran.outputs["report"]).is_file()
    assert "total" not in ran.outputs


def test_a_source_that_this_python_cannot_parse(three: Shop) -> None:
    write(three.here, {"src/shop/never.py": "def f(:\n"})
    for index in (1, 2, 3):
        three.list_anew(index)
    ran = three.combine()
    assert ran.code == 2, ran.log
    assert "cannot parse src/shop/never.py" in ran.log
    assert "omit" in ran.log
    for index in (1, 2, 3):
        three.announce(place(three, index), index, python="3.99")
    ran = three.combine()
    assert ran.code == 2, ran.log
    assert "CI_KIT_LAUNCHER_PYTHON to python3.99" in ran.log
    assert "the input python of actions/coverage-combine" in ran.log
    assert (ran.report["verdict"], ran.report["total"], ran.report["files"]) == ("mistaken", None, [])


def test_coverages_own_gate_and_unknown_options_are_said(three: Shop) -> None:
    text = (three.here / "pyproject.toml").read_text()
    text = text.replace("[tool.coverage.report]", '[tool.coverage.report]\nfail_under = 99\nexclude_line = ["x"]')
    (three.here / "pyproject.toml").write_text(text)
    ran = three.combine("--total", "80", "--html", "false")
    assert ran.code == 0, ran.log
    for note in ("fail_under = 99 is not heeded: coverage.total", "[report] exclude_line is no option of coverage"):
        assert sum(note in each for each in ran.report["notes"]) == 1
        assert note in ran.log


def test_packages_as_source_mean_their_folders(three: Shop) -> None:
    for index in (1, 2, 3):
        three.announce(place(three, index), index, source=["shop.stock", "requests"])
    write(three.here, {"src/shop/stock/never.py": "X = 1\n"})
    ran = three.combine("--total", "1", "--html", "false")
    assert ran.code == 0, ran.log
    assert "src/shop/stock/never.py" in {file["path"] for file in ran.report["files"]}
    (note,) = [note for note in ran.report["notes"] if "[run] source" in note]
    assert note.startswith("[run] source: 'requests' is neither a folder nor one certain package")


def git(shop: Shop, *words: str) -> str:
    own = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(["git", *own, *words], cwd=shop.here, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def test_the_commit_is_the_one_that_is_checked_out_and_not_the_events(three: Shop) -> None:
    """`actions/checkout` with a `ref` leaves GITHUB_SHA as it is, on both sides."""
    git(three, "init", "-q")
    git(three, "add", "-A")
    git(three, "commit", "-q", "-m", "first")
    for index in (1, 2, 3):
        three.announce(place(three, index), index, commit=three.commit)
    ran = three.combine("--total", "80", "--html", "false")
    assert ran.code == 0, ran.log
    assert ran.report["commit"] == three.commit != COMMIT
    # The branch that both jobs name has moved on in between; the event is the same.
    before = three.commit
    git(three, "commit", "-q", "--allow-empty", "-m", "second")
    no_number(three.combine(), f"3/3: measured commit {before[:12]}; the checkout is at {three.commit[:12]}.")


def test_a_plugin_that_is_not_there(three: Shop) -> None:
    text = (three.here / "pyproject.toml").read_text()
    (three.here / "pyproject.toml").write_text(
        text.replace("branch = true", 'branch = true\nplugins = ["no_such_plugin"]')
    )
    ran = three.combine()
    assert ran.code == 2, ran.log
    assert "no_such_plugin" in ran.log


def test_a_broken_coverage_configuration(three: Shop) -> None:
    write(three.here, {".coveragerc": "[report]\nexclude_lines = (\n"})
    ran = three.combine()
    assert ran.code == 2, ran.log
    assert "Traceback" not in ran.log
    assert "coverage's configuration cannot be used" in ran.log


def test_a_failed_shard_is_said(three: Shop) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    test = {"name": "ci", "tier": "unit", "python": python, "shard": {"index": 2, "count": 3}, "attempt": 1, "verdict": "failed"}  # fmt: skip
    (place(three, 2).parent / "test.json").write_text(json.dumps(test))
    ran = three.combine("--total", "80", "--html", "false")
    assert ran.code == 0
    assert "2/3: its tests ended with the verdict 'failed'" in ran.log

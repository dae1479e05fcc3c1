"""`coverage-combine combine` on a pull request: a real repository, a real merge commit, real coverage data."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ci_kit.history import History, write_history
from ci_kit.history_coverage_pack import add_record, read_records
from ci_kit.pipeline.remember_coverage import remember_coverage
from integration.coverage_shop import SOURCES, Ran, Shop, copy_of, write
from integration.git_kit import Repository

HOSTILE = "src/shop/we`ird | <img src> [a] ::error.py"
VAT = """\


def vat(amount, country):
    if country == "DE":
        return amount * 0.19
    if country == "CH":
        rate = 0.081

        return amount * rate
    raise KeyError(
        country,
    )
"""
TEST_OF_VAT = """\


def test_vat():
    from shop.price import vat

    assert vat(100, "DE") == 19
"""


def text_of(name: str) -> str:
    return textwrap.dedent(SOURCES[name])


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose merge commit is checked out; its three shards measured that commit."""
    folder = tmp_path_factory.mktemp("pull")
    shop = Shop(folder)
    repository = Repository(shop.here)
    repository.commit()
    repository.git("checkout", "-q", "-b", "work")
    # The change forgets what else the shelf's test was good for: `except KeyError` of a file that it does not touch.
    shelf = text_of("tests/test_shelf.py").partition("def test_unknown")[0]
    repository.commit(
        {
            "src/shop/price.py": text_of("src/shop/price.py") + VAT,
            "tests/test_price.py": text_of("tests/test_price.py") + TEST_OF_VAT,
            "tests/test_shelf.py": shelf,
            HOSTILE: "def odd():\n    return 1\n",
        }
    )
    repository.git("checkout", "-q", "main")
    repository.commit({"README.md": "A shop.\n"})
    repository.git("checkout", "-q", "-b", "merged")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "work")
    for index in (1, 2, 3):
        shop.measure(index)
    return folder


@pytest.fixture
def pull(origin: Path, tmp_path: Path) -> Shop:
    return copy_of(origin, tmp_path)


def payload(shop: Shop, **other: object) -> Path:
    repository = Repository(shop.here)
    path = shop.folder / "event.json"
    event = {
        "number": 7,
        "repository": {"default_branch": "main", "full_name": "o/shop"},
        "pull_request": {
            "head": {"sha": repository.git("rev-parse", "work"), "repo": {"full_name": "somebody/shop"}},
            "base": {"sha": repository.git("rev-parse", "main"), "ref": "main"},
        },
    }
    path.write_text(json.dumps(event | other))
    return path


def combined(shop: Shop, *options: str, config: str = "", event: str = "pull_request", **environ: str) -> Ran:
    if config:
        write(shop.here, {".github/ci-kit.yml": config})
    path = environ.pop("GITHUB_EVENT_PATH", None) or str(payload(shop))
    given = {"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": path, "GITHUB_REPOSITORY": "o/shop", **environ}
    return shop.combine("--html", "false", *options, **given)


def gate(ran: Ran, name: str) -> Mapping[str, object]:
    (found,) = (gate for gate in ran.report["gates"] if gate["name"] == name)
    return dict(found)


def test_changed_lines_under_their_gate(pull: Shop) -> None:
    ran = combined(pull, config="coverage: {total: 0, patch: 90}\n")
    assert ran.code == 1, ran.log
    # vat has 7 statements and 4 branches, `def` and its first way ran; the other file's two lines did not.
    assert ran.report["patch"]["lines"] == {"covered": 3, "counted": 9}
    assert ran.report["patch"]["branches"] == {"covered": 1, "counted": 4}
    assert ran.report["patch"]["base"] == Repository(pull.here).git("rev-parse", "main")
    found = gate(ran, "changed lines")
    assert (found["kind"], found["passed"], found["short-by"], found["percent"]) == ("patch", False, 8, 30.76)
    assert ran.outputs["patch"] == "30.76"
    assert ran.outputs["verdict"] == "failed"
    assert "| changed lines | 30.76 % | 90 % | 8 lines and branches short of 90 % | ❌ failed |" in ran.summary
    assert "4 of 13 changed lines and branches are covered (30.76 %), in 2 files." in ran.summary
    (advice,) = ran.report["advice"]
    assert (advice["of"], advice["gap"]) == ("changed lines", 8)
    # Seven with the rest of vat, and one more: importing the other file. Its function is not needed for that.
    assert [(block["function"], block["lines"]) for block in advice["blocks"]] == [("vat", "19-23"), ("", "1")]
    assert advice["gain"] == 8


def test_uncovered_changes_are_annotated_as_ranges_the_largest_first(pull: Shop) -> None:
    ran = combined(pull, config="coverage: {total: 0, patch: 90}\n")
    said = [line for line in ran.log.splitlines() if line.startswith("::warning")]
    assert said[0] == (
        "::warning file=src/shop/price.py,line=19,endLine=23,title=uncovered change::"
        "No test runs these changed lines of vat: 4 lines and 3 branches."
    )
    assert len(said) == 3
    assert said[1].startswith("::warning file=src/shop/we`ird | <img src> [a] %3A%3Aerror.py,line=1,endLine=1,")
    (error,) = (line for line in ran.log.splitlines() if line.startswith("::error"))
    assert error.startswith("::error title=coverage gate::Coverage of the changed lines is 30.76 %25 (4 of 13)")


def test_changed_lines_above_their_gate(pull: Shop) -> None:
    ran = combined(pull, config="coverage: {total: 0, patch: 30.7}\n")
    assert ran.code == 0, ran.log
    assert gate(ran, "changed lines")["passed"]
    assert "| changed lines | 30.76 % | 30.7 % | just at 30.7 % | ✅ passed |" in ran.summary
    assert ran.report["advice"] == []


def test_without_a_threshold_changed_lines_are_told_and_not_judged(pull: Shop) -> None:
    ran = combined(pull, "--total", "0")
    assert ran.code == 0, ran.log
    assert [gate["kind"] for gate in ran.report["gates"]] == ["total"]
    assert ran.report["patch"]["counted"] == 13
    assert "### Changed lines" in ran.summary


def shallow(pull: Shop, depth: int) -> Shop:
    """The same checkout, as actions/checkout makes it with this `fetch-depth`."""
    whole = pull.here.rename(pull.folder / "origin")
    path = Repository(whole)
    clone = path.clone(pull.here, "-b", "merged", "--depth", str(depth))
    clone.git("checkout", "-q", "--detach")
    return pull


@pytest.mark.parametrize("depth", [1, 2])
def test_a_shallow_clone(depth: int, pull: Shop) -> None:
    event = payload(pull)
    shop = shallow(pull, depth)
    ran = combined(shop, config="coverage: {total: 0, patch: 90}\n", GITHUB_EVENT_PATH=str(event))
    if depth > 1:
        assert ran.code == 1, ran.log
        assert ran.report["patch"]["counted"] == 13
        return
    assert ran.code == 2, ran.log
    assert "changed lines cannot be judged" in ran.log
    assert "Give actions/checkout `fetch-depth: 2`." in ran.log
    assert (ran.report["verdict"], ran.report["total"]) == ("mistaken", None)
    # Without a threshold nobody has to do anything.
    ran = combined(shop, "--total", "0", config="coverage: {total: 0}\n", GITHUB_EVENT_PATH=str(event))
    assert ran.code == 0, ran.log
    assert ran.report["patch"] is None
    assert ran.outputs["patch"] == ""
    assert "Changed lines are not shown" in ran.log


def test_a_push_has_no_changed_lines_unless_a_base_is_asked_for(pull: Shop) -> None:
    config = "coverage: {total: 0, patch: 90}\n"
    ran = combined(pull, config=config, event="push")
    assert ran.code == 0, ran.log
    assert len(ran.report["not-judged"]) == 1
    assert (
        "> Not judged: coverage.patch: 90 % of changed lines (changed lines are judged on pull requests" in ran.summary
    )
    ran = combined(pull, "--base", "main", config=config, event="push")
    assert ran.code == 1, ran.log
    assert ran.report["patch"]["counted"] == 13
    ran = combined(pull, "--base", "no-such-branch", config=config, event="push")
    assert ran.code == 2, ran.log
    assert "input base" in ran.log


def test_names_from_a_pull_request_stay_text(pull: Shop) -> None:
    """Nothing of a hostile path becomes markup: no image, link, cell or command."""
    ran = combined(pull, config="coverage: {total: 99, file-floor: 60, patch: 90}\n")
    assert ran.code == 1, ran.log
    assert any(file["path"] == HOSTILE for file in ran.report["files"])
    assert re.findall(r"(.)<img", ran.summary) == ["\\"] * ran.summary.count("<img")
    assert re.findall(r"(.)\[a", ran.summary) == ["\\"] * ran.summary.count("[a")
    named, bars = 0, 0
    for line in ran.summary.splitlines():
        cells = line.replace(r"\|", "").count("|") if line.startswith("|") else 0
        assert cells == bars or not (bars and cells), line
        named, bars = named + ("ird" in line and cells > 0), cells
    assert named > 3
    assert "<img" not in (ran.temp / "coverage" / "badge.svg").read_text()


def test_a_fork_needs_no_token_and_gets_the_same(pull: Shop) -> None:
    config = "coverage: {total: 0, patch: 30}\n"
    fork = combined(pull, config=config)
    shutil.rmtree(pull.temp / "ci-kit" / "coverage")
    event = json.loads(payload(pull).read_text())
    event["pull_request"]["head"]["repo"]["full_name"] = "o/shop"
    own = combined(pull, config=config, GITHUB_EVENT_PATH=str(payload(pull, **event)), GITHUB_TOKEN="ghs_secret")
    assert fork.code == own.code == 0
    for ran in (fork, own):
        del ran.report["analysis"]
    assert fork.report == own.report
    assert fork.summary == own.summary


@pytest.fixture(scope="module")
def remembered(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The packed coverage of the pull request's target, as the gate of the default branch leaves it."""
    shop = copy_of(origin, tmp_path_factory.mktemp("target"))
    shutil.rmtree(shop.results)
    repository = Repository(shop.here)
    repository.git("checkout", "-q", "main")
    for index in (1, 2, 3):
        shop.measure(index)
    ran = combined(shop, "--total", "0", event="push")
    assert ran.code == 0, ran.log
    report = ran.report | {"commit": repository.git("rev-parse", "HEAD")}
    kept, _ = remember_coverage(History(), report, {"test": "success"}, datetime.now(UTC), partial=False)
    return kept.coverage


def leave(shop: Shop, packed: str) -> None:
    write_history(shop.temp / "ci-kit" / "history", History(coverage=packed))


FORBID = "coverage: {total: 0, regression: forbid}\n"


def test_a_regression_names_the_commit_and_what_was_lost(pull: Shop, remembered: str) -> None:
    leave(pull, remembered)
    ran = combined(pull, config=FORBID)
    assert ran.code == 1, ran.log
    step = ran.report["regression"]
    target = Repository(pull.here).git("rev-parse", "main")
    assert (step["commit"], step["passed"], step["forbidden"]) == (target, False, True)
    assert step["before"]["covered"] == 32
    assert ran.outputs["regression"] == "failed"
    assert ran.summary.startswith("## ❌ Coverage 64.15 %: a gate says no\n")
    assert (
        f"| no regression | {ran.outputs['total']} % | 80.00 % | 9 lines and branches short: 11 more uncovered than at"
        in ran.summary
    )
    assert f"compared with {target[:12]}" in ran.log
    # What the change uncovered in a file that it does not touch.
    assert ran.report["untouched"]["files"] == [
        {
            "path": "src/shop/stock/shelf.py",
            "lost-lines": ["13-14"],
            "lost-branches": [],
            "gained-lines": [],
            "gained-branches": [],
        }
    ]
    assert "#### Coverage changed in lines that were not touched" in ran.summary
    assert "| `src/shop/stock/shelf.py` | 13-14 | - |" in ran.summary
    (advice,) = ran.report["advice"]
    assert advice["of"] == "no regression"
    assert advice["gain"] >= advice["gap"] == step["short-by"]
    (error,) = (line for line in ran.log.splitlines() if line.startswith("::error"))
    assert "Coverage was 80.00 %25 and is 64.15 %25" in error


def test_a_tolerance_and_a_change_that_is_allowed(pull: Shop, remembered: str) -> None:
    leave(pull, remembered)
    ran = combined(pull, config=FORBID.replace("forbid", "forbid, regression-tolerance: 11"))
    assert ran.code == 0, ran.log
    assert ran.outputs["regression"] == "passed"
    assert ", 11 allowed | ✅ passed |" in ran.summary
    ran = combined(pull, config=FORBID.replace("forbid", "allow"))
    assert ran.code == 0, ran.log
    assert ran.outputs["regression"] == "failed", "it is told, and no gate"
    assert "| no regression |" not in ran.summary
    assert "### Since the last recorded commit" in ran.summary


def test_without_a_record_a_regression_is_not_judged_and_the_reason_said(pull: Shop, remembered: str) -> None:
    ran = combined(pull, config=FORBID)
    assert ran.code == 0, ran.log
    assert ran.outputs["regression"] == ""
    assert ran.report["regression"] is None
    (why,) = ran.report["not-judged"]
    assert "this is the first one, or the history was lost" in why
    leave(pull, remembered[:-40])
    (why,) = combined(pull, config=FORBID).report["not-judged"]
    assert "The coverage of earlier commits cannot be used" in why
    leave(pull, remembered)
    (why,) = combined(pull, config=FORBID + "history: none\n").report["not-judged"]
    assert "history: none" in why


def test_a_shallow_clone_has_no_earlier_commit(pull: Shop, remembered: str) -> None:
    event = payload(pull)
    leave(pull, remembered)
    ran = combined(shallow(pull, 1), config=FORBID, GITHUB_EVENT_PATH=str(event))
    assert ran.code == 0, ran.log
    (why,) = ran.report["not-judged"]
    assert "the checkout is shallow" in why
    assert "fetch-depth: 50" in why


def test_the_trend_of_the_remembered_commits(pull: Shop, remembered: str) -> None:
    (record,), _ = read_records(remembered)
    for number in range(3):
        remembered = add_record(remembered, replace(record, commit=f"{number:040x}"))
    leave(pull, remembered)
    ran = combined(pull, config=FORBID)
    assert [point["percent"] for point in ran.report["trend"]] == [80, 80, 80, 80, 64.15]
    assert "The last 5 commits with this one, 64.15 % to 80.00 %: ████▁" in ran.summary
    assert "xychart-beta" in ran.summary

"""The jobs of mutation testing: several where one would take too long, one afterwards, with the state of the first run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from act.consumer import PROJECT, PYTHON, SHOP, commit, lay, run
from ci_kit.act.request import Result

CONFIG = f'python: ["{PYTHON}"]\ncoverage: {{total: 20}}\nmutation: {{critical: ["src/shop.py"], max-shards: 2}}\n'
# Nothing is known yet but the lines, and of these there are many.
LONG = SHOP + '\n\nTEXT = """\n' + "a line\n" * 3000 + '"""\n'


def report(result: Result) -> dict[str, Any]:
    (found,) = result.folder.glob("artifacts/ci-mutation-a*/selective-mutation.json")
    answer: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return answer


def jobs(result: Result, name: str) -> list[str]:
    return [job.result for job in result.find(name)]


def test_shares_are_merged_and_the_next_run_builds_on_what_they_found(tmp_path: Path) -> None:
    repo = lay(tmp_path / "repo", {**PROJECT, ".github/ci-kit.yml": CONFIG, "src/shop.py": LONG})

    first = run(repo, tmp_path / "first", cache=tmp_path / "caches")

    assert first.verdict == "success", [(job.title, job.result) for job in first.jobs]
    assert jobs(first, "mutate") == ["success", "success"]
    assert jobs(first, "mutation") == ["success"]
    shares = [json.loads(path.read_text(encoding="utf-8")) for path in first.folder.glob("artifacts/*/shard.json")]
    assert sorted(share["shard"]["index"] for share in shares) == [1, 2]
    judged = {each["id"] for each in report(first)["mutants"]}
    assert len(judged) == sum(len(share["verdicts"]) for share in shares) > 10
    saved = [each.name for each in first.transfers if each.kind == "cache" and each.what == "saved"]
    assert len([name for name in saved if name.startswith("ci-kit-mutation-1-ci.")]) == 1

    (repo / "src" / "shop.py").write_text(
        LONG.replace("amount + amount * vat // 100", "amount * vat // 100 + amount"), encoding="utf-8"
    )
    commit(repo)
    second = run(repo, tmp_path / "second", cache=tmp_path / "caches")

    assert second.verdict == "success", [(job.title, job.result) for job in second.jobs]
    assert set(jobs(second, "mutate")) == {"skipped"}, "by what the first run took, one job is enough"
    baseline = report(second)["baseline"]
    assert baseline["commit"] == report(first)["commit"]
    assert [hold["state"] for hold in baseline["ratchet"]] == ["held"]

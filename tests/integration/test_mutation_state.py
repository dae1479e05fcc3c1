"""What the default branch's runs leave, what pull requests are held to, and several jobs that try the mutants of one run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ci_kit.selective_mutation.records import Records, RunRecord, read_records, write_records
from integration.git_kit import Repository
from integration.mutation_kit import JWT, TESTS, environment, pull_request
from integration.pipeline_kit import Step, run_step

WEAK = TESTS.replace('    assert accepts(4, False) == "user"\n', "    accepts(4, False)\n")
CONFIG = 'mutation: {critical: ["app/jwt.py"], policies: {"app/**": {new-survivors: forbid}}}\n'


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment("newest", tmp_path_factory)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "checkout")
    found.commit(
        {
            "app/__init__.py": "",
            "app/jwt.py": JWT,
            "tests/test_jwt.py": TESTS,
            "conftest.py": "",
            ".github/ci-kit.yml": CONFIG,
        }
    )
    return found


def state(repository: Repository) -> Path:
    return repository.root.parent / "runner-temp" / "ci-kit" / "mutation-history"


def push(repository: Repository, python: Path, run: int = 1, *, verb: str = "run", **environ: str) -> Step:
    """The step for HEAD as a push to the default branch."""
    sha = repository.git("rev-parse", "HEAD")
    given = {"CI_KIT_PYTHON": str(python), "GITHUB_RUN_ID": str(run), "GITHUB_SHA": sha, **environ}
    return run_step(repository.root, verb, room="selective-mutation", payload={}, **given)


def test_the_default_branch_leaves_a_state_which_the_next_run_builds_on(repository: Repository, python: Path) -> None:
    first = push(repository, python)
    assert first.code == 0, first.log
    assert first.outputs["state"] == str(state(repository))
    assert {path.name for path in state(repository).iterdir()} >= {"cache.json", "records.json"}
    baseline = first.report("selective-mutation")["baseline"]
    assert (baseline["commit"], baseline["new-survivors"]) == (None, None)
    assert "no earlier run has left a record" in first.summary
    repository.commit({"README.md": "more\n"})
    second = push(repository, python, 2)
    assert second.code == 0, second.log
    report = second.report("selective-mutation")
    assert report["baseline"]["new-survivors"] == 0
    assert [(hold["path"], hold["state"]) for hold in report["baseline"]["ratchet"]] == [("app/jwt.py", "held")]
    assert "the commit before this one" in second.summary
    # The same score again: the killers were only asked first, and every verdict is of this run.
    assert report["score"] == first.report("selective-mutation")["score"]
    assert len(report["trend"]) == 2
    found, why = read_records(state(repository) / "records.json")
    assert ([run.run for run in found.runs], why) == (["1", "2"], "")
    assert found.costs["app/jwt.py"]["accepts"][0] > 5


def test_a_run_that_is_done_twice_leaves_one_record(repository: Repository, python: Path) -> None:
    push(repository, python)
    again = push(repository, python, GITHUB_RUN_ATTEMPT="2")
    assert again.code == 0, again.log
    assert [run.attempt for run in read_records(state(repository) / "records.json")[0].runs] == [2]
    assert "there are records of 1 runs, but of no commit before this one" in again.summary


def test_a_pull_request_reads_the_state_and_leaves_none(repository: Repository, python: Path) -> None:
    push(repository, python)
    before = (state(repository) / "records.json").read_bytes()
    repository.commit({"app/jwt.py": JWT.replace('"user"', '"guest"'), "tests/test_jwt.py": WEAK})
    step = pull_request(repository, python, since="HEAD~1")
    assert step.code == 1, step.log
    assert "state" not in step.outputs
    assert (state(repository) / "records.json").read_bytes() == before
    report = step.report("selective-mutation")
    new = [each for each in report["mutants"] if each["new"]]
    assert 10 in {each["first-line"] for each in new}
    assert {each["first-line"] for each in new} <= {8, 10}, "what the assertion that is gone looked at"
    assert report["policies"][0] == {**report["policies"][0], "new-survivors": len(new), "passed": False}
    assert "survive here and not on the default branch" in step.log
    assert "::error file=app/jwt.py,line=10," in step.log
    assert "shows on the default branch" in step.summary


def test_survivors_of_the_default_branch_fail_no_pull_request(repository: Repository, python: Path) -> None:
    repository.commit({"tests/test_jwt.py": WEAK})
    push(repository, python)
    repository.commit({"tests/test_jwt.py": WEAK + "\n\ndef test_more():\n    accepts(0, False)\n"})
    step = pull_request(repository, python, since="HEAD~1")
    assert step.code == 0, step.log
    report = step.report("selective-mutation")
    assert report["counts"]["survived"] > 0
    assert report["policies"][0]["new-survivors"] == 0


@pytest.mark.parametrize("damage", ["", "{", '{"schema": "ci-kit/mutation-records/0"}', "gone"])
def test_a_state_that_is_lost_or_damaged_costs_time_and_is_said(
    damage: str, repository: Repository, python: Path
) -> None:
    first = push(repository, python)
    for file in state(repository).iterdir():
        file.write_text(damage)
    if damage == "gone":
        shutil.rmtree(state(repository))
    repository.commit({"README.md": "more\n"})
    step = push(repository, python, 2)
    assert step.code == 0, step.log
    report = step.report("selective-mutation")
    assert report["score"] == first.report("selective-mutation")["score"]
    assert report["baseline"]["new-survivors"] is None
    assert ("no earlier run has left" if damage == "gone" else "cannot be used") in step.summary
    assert "::warning title=mutation policy::Which survivors are new" in step.log
    assert len(read_records(state(repository) / "records.json")[0].runs) == 1


def test_a_score_that_falls_fails_until_it_is_mended_or_let_go(repository: Repository, python: Path) -> None:
    (repository.root / ".github/ci-kit.yml").write_text('mutation: {critical: ["app/jwt.py"]}\n')
    repository.commit()
    assert push(repository, python, 1).code == 0
    repository.commit({"tests/test_jwt.py": WEAK})
    # The label asks for the whole file, and shows the fall before the merge.
    step = pull_request(repository, python, "mutation-test", since="HEAD~1")
    assert step.code == 1, step.log
    assert "The mutation score of app/jwt.py was 100 %25, and now it is 71.42 %25." in step.log
    for number in (2, 3):
        repository.commit({"README.md": str(number)})
        step = push(repository, python, number)
        assert step.code == 1, step.log
        assert "title=mutation score has fallen" in step.log
        assert step.outputs["state"], "the record says that it is held to what it was"
    # The next pull request is not blamed for it.
    repository.commit({"tests/test_jwt.py": WEAK + "\n\ndef test_more():\n    accepts(0, False)\n"})
    assert pull_request(repository, python, "mutation-test", since="HEAD~1").code == 0
    repository.commit({"tests/test_jwt.py": TESTS})
    assert push(repository, python, 4).code == 0
    repository.commit({"tests/test_jwt.py": WEAK, ".github/ci-kit.yml": "mutation: {ratchet: report}\n"})
    assert push(repository, python, 5).code == 0, "let go for all files"
    repository.commit({".github/ci-kit.yml": "mutation: {}\n"})
    assert push(repository, python, 6).code == 0, "held to the lower score from now on"


def test_a_file_stays_a_target_until_it_is_released(repository: Repository, python: Path) -> None:
    push(repository, python)
    others = 'mutation: {{critical: ["app/other.py"]{more}}}\n'
    repository.commit({".github/ci-kit.yml": others.format(more=""), "app/jwt.py": JWT.replace('"user"', '"guest"')})
    step = pull_request(repository, python, since="HEAD~1")
    assert "touches security-critical code: app/jwt.py" in step.log
    repository.git("checkout", "-q", "main")
    repository.git("mv", "app/jwt.py", "app/tokens.py")
    text = TESTS.replace("app.jwt", "app.tokens").replace('"user"', '"guest"')
    repository.commit({"tests/test_jwt.py": text})
    step = pull_request(repository, python, "mutation-test", since="HEAD~1")
    assert step.code == 0, step.log
    assert {each["path"] for each in step.report("selective-mutation")["mutants"]} == {"app/tokens.py"}
    repository.git("checkout", "-q", "main")
    more = ', released: {"app/tokens.py": "only reads"}'
    repository.commit({".github/ci-kit.yml": others.format(more=more)})
    step = push(repository, python, 2)
    assert (step.code, step.outputs["verdict"]) == (0, "not-run"), step.log
    repository.git("rm", "-q", "app/tokens.py", "tests/test_jwt.py")
    text = TESTS.replace("app.jwt", "app.auth")
    repository.commit({".github/ci-kit.yml": "mutation: {}\n", "app/auth.py": JWT, "tests/test_auth.py": text})
    step = push(repository, python, 3)
    assert "app/jwt.py was security-critical and is gone" in step.log


def plan(repository: Repository, seconds: float) -> Step:
    """The step of the plan, with records that say how long the mutants took."""
    at = "2026-11-23T01:00:00+00:00"
    run = RunRecord("9", 1, "d" * 40, at, 1, 1, seconds, 10.0)
    write_records(state(repository), Records((run,), {"app/jwt.py": {"accepts": (20, seconds)}}))
    sha = repository.git("rev-parse", "HEAD")
    step = run_step(repository.root, "plan", payload={}, GITHUB_SHA=sha)
    assert step.code == 0, step.log
    return step


def test_most_runs_need_one_job(repository: Repository) -> None:
    step = plan(repository, 60.0)
    assert (step.outputs["mutation"], step.outputs["mutate"]) == ("true", "false")
    assert json.loads(step.outputs["matrix-mutate"]) == {"shard": ["1/1"]}
    assert "in one job" in step.summary
    found = json.loads((step.temp / "ci-kit" / "mutation-plan.json").read_text(encoding="utf-8"))
    assert (found["shards"], found["lost"], len(found["records"]["runs"])) == (1, "", 1)
    assert str(step.temp / "ci-kit" / "mutation-plan.json") in step.outputs["files"].splitlines()


class Sharded:
    """A run in several jobs, each with a temporary folder of its own, as on a runner."""

    def __init__(self, repository: Repository, python: Path) -> None:
        self.repository, self.python = repository, python
        step = plan(repository, 1800.0)
        self.shards = json.loads(step.outputs["matrix-mutate"])["shard"]
        assert step.outputs["mutate"] == "true"
        self.folder = repository.root.parent / "delivered"
        self.plan = repository.root.parent / "mutation-plan.json"
        shutil.copyfile(step.temp / "ci-kit" / "mutation-plan.json", self.plan)

    def share(self, shard: str, **environ: str) -> Step:
        """Try one share, and deliver it like an artifact."""
        given = {"CI_KIT_PLAN": str(self.plan), "CI_KIT_SHARD": shard, **environ}
        step = push(self.repository, self.python, verb="run", run=1, **given)
        if "artifact" in step.outputs:
            place = self.folder / step.outputs["artifact"]
            place.mkdir(parents=True)
            for file in step.outputs["files"].splitlines():
                shutil.copy(file, place)
        shutil.rmtree(step.temp / "ci-kit" / "mutation-history", ignore_errors=True)
        return step

    def merge(self, **environ: str) -> Step:
        """Judge."""
        given = {"CI_KIT_PLAN": str(self.plan), "CI_KIT_DATA": str(self.folder), **environ}
        return push(self.repository, self.python, verb="merge", run=1, **given)


def comparable(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["id"], each["status"]) for each in report["mutants"]]


def test_several_jobs_find_what_one_finds(repository: Repository, python: Path) -> None:
    repository.commit({"tests/test_jwt.py": WEAK})
    alone = push(repository, python).report("selective-mutation")
    run = Sharded(repository, python)
    assert run.shards == [f"{index}/{len(run.shards)}" for index in range(1, len(run.shards) + 1)]
    for shard in run.shards:
        step = run.share(shard)
        assert step.code == 0, step.log
        assert f"Share {shard} of the mutants" in step.summary
        assert "state" not in step.outputs
    step = run.merge()
    assert step.code == 0, step.log
    report = step.report("selective-mutation")
    assert comparable(report) == comparable(alone)
    assert (report["score"], report["verdict"]) == (alone["score"], "passed")
    # The state is whole: the next single job reuses what the shares found out.
    assert step.outputs["state"] == str(state(repository))
    repository.commit({"README.md": "more\n"})
    again = push(repository, python, 2)
    assert again.report("selective-mutation")["baseline"]["new-survivors"] == 0
    cache = json.loads((state(repository) / "cache.json").read_text(encoding="utf-8"))
    assert len(cache["entries"]) == len(alone["mutants"])


def test_a_share_that_is_missing_or_broken_gives_no_verdict_and_is_named(repository: Repository, python: Path) -> None:
    run = Sharded(repository, python)
    first, *others = run.shards
    for shard in others:
        assert run.share(shard).code == 0
    step = run.merge()
    assert step.code == 3, step.log
    assert f"share {first} delivered nothing" in step.log
    assert not step.outputs.get("verdict")
    assert not (step.temp / "ci-kit" / "selective-mutation.json").exists()
    assert "state" not in step.outputs
    assert run.share(first).code == 0
    (broken,) = run.folder.glob(f"ci-mutation-{others[0].replace('/', 'of')}-a1/shard.json")
    broken.write_text(broken.read_text(encoding="utf-8")[:-100], encoding="utf-8")
    step = run.merge()
    assert step.code == 3, step.log
    assert f"share {others[0]} cannot be used" in step.log
    # The failed job is run again.
    assert run.share(others[0], GITHUB_RUN_ATTEMPT="2").code == 0
    assert run.merge(GITHUB_RUN_ATTEMPT="2").code == 0


def test_mutants_of_which_no_share_judged_any_are_no_success(repository: Repository, python: Path) -> None:
    run = Sharded(repository, python)
    for shard in run.shards:
        assert run.share(shard).code == 0
    for path in run.folder.glob("*/shard.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        # The time was up.
        data["verdicts"] = [{**each, "status": "pending", "killer": None} for each in data["verdicts"]]
        path.write_text(json.dumps(data), encoding="utf-8")
    step = run.merge()
    assert step.code == 3, step.log
    assert "none was judged" in step.log
    assert "state" not in step.outputs


def test_a_share_must_be_of_the_plan_and_the_plan_of_this_run(repository: Repository, python: Path) -> None:
    run = Sharded(repository, python)
    step = run.share("1/99")
    assert step.code == 2, step.log
    assert "the plan has" in step.log
    repository.commit({"README.md": "more\n"})
    step = run.share(run.shards[0])
    assert step.code == 3, step.log
    assert "it is of the commit" in step.log
    run.plan.unlink()
    step = run.merge()
    assert step.code == 3, step.log
    assert "the plan of the mutants (mutation-plan.json) cannot be used: No such file" in step.log

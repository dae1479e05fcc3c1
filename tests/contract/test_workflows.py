"""House rules of workflow files, and what holds the jobs of the pipeline together."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci_kit.config import load_config
from ci_kit.errors import CallerMistake
from ci_kit.inputs import duration
from ci_kit.service import SERVICE_SLOTS
from tooling.findings import nothing
from tooling.yaml_files import ROOT, Job, YamlFile, all_files, expressions, workflows

each_workflow = pytest.mark.parametrize("workflow", workflows(), ids=lambda workflow: workflow.name)
each_file = pytest.mark.parametrize("file", all_files(), ids=lambda file: file.name)
STATUS = re.compile(r"\bneeds\.([\w-]+)\.(result|outputs(?:\.([\w-]+))?)")


def pipeline() -> YamlFile:
    (found,) = (workflow for workflow in workflows() if workflow.name == ".github/workflows/python-ci.yml")
    return found


def texts(job: Job) -> Iterator[str]:
    """Every expression of a job, conditions without braces too."""
    yield from expressions(dict(job.data))
    for owner in (job.data, *job.data.get("steps", ())):
        if "if" in owner:
            yield str(owner["if"])


@each_workflow
def test_permissions_start_from_nothing(workflow: YamlFile) -> None:
    assert workflow.data["permissions"] == {}
    nothing(
        f"{workflow.name}: job {job.id} names no permissions" for job in workflow.jobs if "permissions" not in job.data
    )


@each_workflow
def test_every_job_with_steps_has_a_time_limit(workflow: YamlFile) -> None:
    nothing(
        f"{workflow.name}: job {job.id}"
        for job in workflow.jobs
        if ("timeout-minutes" in job.data) != ("uses" not in job.data)
    )


@each_workflow
def test_every_step_has_a_time_limit(workflow: YamlFile) -> None:
    nothing(step.name for step in workflow.steps if "timeout-minutes" not in step.data)


@each_workflow
def test_the_innermost_time_limit_speaks_first(workflow: YamlFile, tmp_path: Path) -> None:
    """The launcher says what was stopped and keeps the report; a step's or job's limit says neither."""
    outputs = outputs_of_the_plan(tmp_path)

    def number(value: object) -> str:
        return re.sub(
            r"\$\{\{ (?:fromJSON\()?needs\.plan\.outputs\.([\w-]+)\)? \}\}", lambda match: outputs[match[1]], str(value)
        )

    for job in workflow.jobs:
        limits = {step.name: float(number(step.data["timeout-minutes"])) for step in job.steps}
        assert sum(limits.values()) <= float(number(job.data.get("timeout-minutes", 0))), job.id
        for step in job.steps:
            if step.uses.startswith("$/"):
                assert duration(number(step.data["with"]["timeout"])) < limits[step.name] * 60, step.name


@each_workflow
def test_every_download_is_tried_twice(workflow: YamlFile) -> None:
    for job in workflow.jobs:
        downloads = [step.data for step in job.steps if step.uses.startswith("actions/download-artifact@")]
        for first, again in zip(downloads[::2], downloads[1::2], strict=True):
            assert first["continue-on-error"] is True, first["name"]
            assert again["if"] == f"steps.{first['id']}.outcome == 'failure'"
            assert "continue-on-error" not in again
            assert first["with"] == again["with"]


@each_workflow
def test_every_workflow_limits_its_concurrency(workflow: YamlFile) -> None:
    group = workflow.data["concurrency"]["group"]
    if "workflow_call" in workflow.trigger:
        assert group.startswith(f"ci-kit-{workflow.path.stem}-${{{{ github.workflow }}}}-${{{{ inputs.name }}}}-")
    else:
        assert "github.workflow" in group


@each_file
def test_runs_are_one_line_without_expressions(file: YamlFile) -> None:
    for step in file.steps:
        if step.run:
            assert "\n" not in step.run.strip(), step.name
            assert "${{" not in step.run, step.name
            assert step.data.get("shell") == "bash", step.name


@each_file
def test_steps_have_imperative_names(file: YamlFile) -> None:
    nothing(
        step.name
        for step in file.steps
        if not re.match(r"[A-Z][a-z]+\b", str(step.data.get("name", "")))
        or re.match(r"[A-Z][a-z]+(ing|s)\b", step.data["name"])
    )


@each_file
def test_steps_of_composite_actions_have_no_time_limit_of_their_own(file: YamlFile) -> None:
    if not file.is_workflow:
        nothing(step.name for step in file.steps if "timeout-minutes" in step.data)


@each_workflow
def test_checkouts_leave_no_token_behind(workflow: YamlFile) -> None:
    nothing(
        step.name
        for step in workflow.steps
        if step.uses.startswith("actions/checkout@")
        and (step.data.get("with") or {}).get("persist-credentials") is not False
    )


@each_workflow
def test_jobs_refer_only_to_jobs_that_they_need_and_to_outputs_that_exist(workflow: YamlFile) -> None:
    jobs = {job.id: job for job in workflow.jobs}
    nothing(
        f"{workflow.name}: {job.id} needs {sorted(job.needs - jobs.keys())}"
        for job in workflow.jobs
        if job.needs - jobs.keys()
    )
    nothing(
        f"{workflow.name}: {job.id} reads needs.{needed}.{what}"
        for job in workflow.jobs
        for text in texts(job)
        for needed, what, output in STATUS.findall(text)
        if needed not in job.needs
        or (output and "uses" not in jobs[needed].data and output not in (jobs[needed].data.get("outputs") or {}))
    )
    for output in workflow.outputs.values():
        job, name = re.fullmatch(r"\$\{\{ jobs\.([\w-]+)\.outputs\.([\w-]+) \}\}", output["value"]).groups()  # type: ignore[union-attr]
        assert name in jobs[job].data["outputs"]


def test_the_pipeline_asks_for_reading_only() -> None:
    """A called workflow that asks for more than its caller holds is refused by GitHub."""
    assert {json.dumps(job.data["permissions"]) for job in pipeline().jobs} == {'{"contents": "read"}'}


def test_the_gate_needs_every_other_job_and_always_runs() -> None:
    jobs = {job.id: job for job in pipeline().jobs if job.needs.isdisjoint({"gate"})}
    gate = jobs.pop("gate")
    assert jobs.pop("mutate").needs == {"plan", "test"}, "mutants are a check of their own, and never in the gate's way"
    assert jobs.pop("mutation").needs == {"plan", "test", "mutate"}
    assert gate.needs == jobs.keys()
    assert gate.data["if"] == "always()"
    (judge,) = (step for step in gate.steps if (step.data.get("with") or {}).get("verb") == "gate")
    assert judge.data["if"] == "always()"
    assert {
        word.partition("=")[0]: word.partition("=")[2]
        for word in re.sub(r"\$\{\{ (.*?) \}\}", r"\1", judge.data["with"]["jobs"]).split()
    } == {job: f"needs.{job}.result" for job in jobs}


def behind_the_gate() -> list[str]:
    return [job.id for job in pipeline().jobs if "gate" in job.needs]


def test_what_comes_behind_the_gate_has_no_say() -> None:
    (sender,) = (job for job in pipeline().jobs if job.id in behind_the_gate())
    assert sender.needs == {"gate"}
    assert sender.data["continue-on-error"] is True
    assert sender.data["timeout-minutes"] <= 5
    assert not [job.id for job in pipeline().jobs if sender.id in job.needs]
    senders = {step.uses.partition("@")[0]: step.data for step in sender.steps if not step.uses.startswith("actions/")}
    assert {action: step["if"] for action, step in senders.items()} == {
        "codecov/codecov-action": "inputs.codecov",
        "coverallsapp/github-action": "inputs.coveralls",
    }
    assert all(step["continue-on-error"] is True for step in senders.values())
    assert all(pipeline().inputs[name]["default"] is False for name in ("codecov", "coveralls"))


def test_every_job_that_a_plan_announces_exists_and_obeys_it(tmp_path: Path) -> None:
    announced = plan_of_the_example(tmp_path)["jobs"]
    jobs = {job.id: job for job in pipeline().jobs}
    assert set(announced) == jobs.keys() - {"plan", "gate", "mutate", "mutation", *behind_the_gate()}
    for name in [*announced, "mutate"]:
        assert jobs[name].data["if"] == f"needs.plan.outputs.{name} == 'true'"
        assert name in jobs["plan"].data["outputs"]
    # It is not skipped with the job of the shares, which is only there where one job would take too long.
    asked = "!cancelled() && needs.plan.outputs.mutation == 'true' && needs.test.result == 'success'"
    assert jobs["mutation"].data["if"] == asked
    assert "mutation" in jobs["plan"].data["outputs"]


def test_one_job_tries_and_judges_the_mutants_or_several_try_and_one_judges() -> None:
    """Where one job is enough, no second one waits for it; where shares are tried, the plan's list says which."""
    jobs = {job.id: job for job in pipeline().jobs}
    many, one = "needs.plan.outputs.mutate == 'true'", "needs.plan.outputs.mutate != 'true'"
    actions = {
        job: [step.data for step in jobs[job].steps if step.uses == "$/actions/selective-mutation"]
        for job in ("mutate", "mutation")
    }
    (share,) = actions["mutate"]
    alone, merge = actions["mutation"]
    assert (alone["if"], merge["if"], merge["with"]["verb"]) == (one, many, "merge")
    page = {"html": "${{ inputs.html }}"}  # of the judged whole, so a share has none
    assert {**share["with"], **page} == {**alone["with"], "shard": "${{ matrix.shard }}"}
    assert "html" not in share["with"]
    assert page.items() <= merge["with"].items()
    assert share["with"]["plan"] == merge["with"]["plan"] == "${{ runner.temp }}/ci-kit/plan/mutation-plan.json"
    assert jobs["mutate"].data["strategy"]["fail-fast"] is False
    conditional = {step.data["name"]: step.data.get("if") for step in jobs["mutation"].steps}
    assert (conditional["Set up"], conditional["Download the shares"]) == (one, many)


def test_what_mutants_tell_is_restored_where_it_is_saved_and_saved_by_no_pull_request() -> None:
    caches = [
        (step.uses.partition("@")[0], step.data)
        for file in all_files()
        for step in file.steps
        if "mutation-history" in json.dumps(step.data) and step.uses.startswith("actions/cache/")
    ]
    assert sorted(name for name, _ in caches) == ["actions/cache/restore"] * 2 + ["actions/cache/save"]
    [saved] = [data for name, data in caches if name == "actions/cache/save"]
    assert saved["if"] == (
        "always() && steps.run.outputs.state != '' && !startsWith(github.event_name, 'pull_request')"
    )
    for name, data in caches:
        assert data["continue-on-error"] is True
        assert {key: data["with"][key] for key in ("path", "key")} == saved["with"]
        assert ("restore-keys" in data["with"]) == (name == "actions/cache/restore")


def test_the_plan_sets_every_output_of_its_job(tmp_path: Path) -> None:
    (plan,) = (job for job in pipeline().jobs if job.id == "plan")
    assert plan.data["outputs"].keys() <= outputs_of_the_plan(tmp_path).keys()


def outputs_of_the_plan(folder: Path) -> dict[str, str]:
    plan_of_the_example(folder)
    written = (folder / "output").read_text(encoding="utf-8")
    return {
        name: value for name, _, value in re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n\2$", written, re.MULTILINE | re.DOTALL)
    }


def plan_of_the_example(folder: Path) -> dict[str, dict[str, bool]]:
    """Run the real verb on an example, as a step of GitHub's would."""
    env = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT / "scripts"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(ROOT / "examples" / "small-library"),
        "GITHUB_OUTPUT": str(folder / "output"),
        "RUNNER_TEMP": str(folder),
    }
    done = subprocess.run(
        [sys.executable, "-m", "ci_kit", "pipeline", "plan"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, dict[str, bool]] = json.loads((folder / "ci-kit" / "plan.json").read_text(encoding="utf-8"))
    return found


def test_service_slots_are_as_many_as_the_configuration_allows() -> None:
    for job in pipeline().jobs:
        if job.id.startswith("test"):
            slots = {f"service-{i}": f"${{{{ matrix.services.s{i} || '' }}}}" for i in range(1, SERVICE_SLOTS + 1)}
            assert job.data["services"] == slots
            assert job.data["strategy"]["fail-fast"] is False


def test_the_two_test_jobs_differ_only_in_their_stage() -> None:
    jobs = {job.id: json.dumps(job.data) for job in pipeline().jobs}
    assert (
        jobs["test"]
        .replace("outputs.test ", "outputs.test-after ")
        .replace("outputs.matrix)", "outputs.matrix-after)")
        .replace('"needs": "plan"', '"needs": ["plan", "test"]')
        .replace('"name": "test (', '"name": "test-after (')
        == jobs["test-after"]
    )


def self_test() -> YamlFile:
    (found,) = (workflow for workflow in workflows() if workflow.name == ".github/workflows/self-test.yml")
    return found


def test_the_all_green_job_of_this_repository_needs_every_other_job() -> None:
    jobs = {job.id: job for job in self_test().jobs}
    green = jobs.pop("all-green")
    assert green.needs == jobs.keys()
    assert green.data["if"] == "always()"


def test_the_mistake_of_the_self_test_is_the_one_that_it_asks_for(tmp_path: Path) -> None:
    envs = [step.env for step in self_test().steps]
    (misspelt,) = (env["MISSPELT"] for env in envs if "MISSPELT" in env)
    (message,) = (env["MESSAGE"] for env in envs if "MESSAGE" in env)
    (tmp_path / "misspelt.yml").write_text(misspelt + "\n", encoding="utf-8")
    with pytest.raises(CallerMistake, match=re.escape(message)):
        load_config(tmp_path, Path("misspelt.yml"))


def test_a_queue_never_loses_who_waits_in_it() -> None:
    """`queue` is left out for readers that do not know it yet, and GitHub refuses it beside a cancelling group."""
    owners = [
        owner.get("concurrency") for file in workflows() for owner in (file.data, *(job.data for job in file.jobs))
    ]
    queues = [found for found in owners if isinstance(found, dict) and "queue" in found]
    assert queues
    nothing(str(found) for found in queues if found["queue"] != "max" or found.get("cancel-in-progress") is not False)


def test_who_writes_the_history_waits_for_the_others_and_reads_the_newest_first() -> None:
    """Otherwise of two runs at the same time the later one would write a history without the earlier one."""
    jobs = {job.id: job for job in pipeline().jobs}
    gate = [step.data for step in jobs["gate"].steps]
    keeps = "needs.plan.outputs.keeps-history == 'true'"
    group = jobs["gate"].data["concurrency"]["group"]
    assert group == f"ci-kit-history-${{{{ inputs.name }}}}-${{{{ {keeps} && 'default-branch' || github.run_id }}}}"
    caches = {
        use: [step["with"] for step in steps if step.get("uses", "").startswith(f"actions/cache/{use}@")]
        for use, steps in (("restore", gate), ("save", gate))
    }
    (planned,) = (
        step.data["with"]
        for step in jobs["plan"].steps
        if step.uses.startswith("actions/cache/restore@") and step.data["with"]["path"].endswith("/history")
    )
    [restored], [saved] = caches["restore"], caches["save"]
    assert restored == planned
    assert restored | saved == restored
    names = [step["name"] for step in gate]
    (restore,) = (step for step in gate if step.get("with") == restored)
    assert restore["if"] == keeps
    assert names.index(restore["name"]) < names.index("Combine coverage") < names.index("Judge the run")
    assert gate[-1]["with"] == saved

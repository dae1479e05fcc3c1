"""act's log as jobs and steps, with the flaws that it has."""

from __future__ import annotations

import json

import pytest
from ci_kit.act.log import RunLog, parse_annotation, skipped_jobs
from ci_kit.act.masks import Masks
from ci_kit.act.outcome import JobRun, verdict
from ci_kit.act.translate import Job
from ci_kit.act.workflows import reachable

FILE = ".github/workflows/ci.yml"
JOBS = [
    Job(0, "me/app", FILE, "call", "org/ci-kit/w.yml@x", (), ()),
    Job(1, "org/ci-kit", "w.yml", "test", None, (), (("0", "Run one"), ("up", "Two"))),
    Job(2, "org/ci-kit", "w.yml", "gate", None, ("test",), (("0", "Judge"),)),
]
LEG_1, LEG_2 = "@0»call«/CI/@1»T 1«-1", "@0»call«/CI/@1»T 2«-2"


class Log:
    """Builds act's lines for one job."""

    def __init__(self, *secrets: str) -> None:
        self.said: list[tuple[str, str]] = []
        self.read = RunLog(JOBS, Masks(secrets), lambda what, run, _: self.said.append((what, run.title)))
        self.second = 0

    def add(self, job: str, message: str, **fields: object) -> None:
        """One record, a second later than the last."""
        self.second += 1
        matrix = {"n": int(job[-1])} if job[-1].isdigit() else {}
        record = {"job": job, "jobID": "x", "level": "info", "matrix": matrix, "msg": message}
        self.read.feed(json.dumps(record | {"time": f"2026-01-01T00:00:{self.second:02}Z"} | fields) + "\n")

    def step(self, job: str, *ids: str, result: str = "success", stage: str = "Main") -> None:
        """A step from its start to its end."""
        self.add(job, f"⭐ Run {stage} {ids[-1]}", stage=stage, stepID=ids)
        done = {"stage": stage, "stepID": ids, "stepResult": result, "executionTime": 2_000_000_000}
        self.add(job, f"  x  {result} - {stage} {ids[-1]} [2s]", **done)
        if result == "failure":
            self.add(job, "exit status 1", stage=stage, stepID=ids, level="error")

    def end(self, job: str, result: str) -> None:
        """The job's end as act tells it."""
        self.add(job, "🏁  Job", jobResult=result)


def test_one_failed_leg_does_not_fail_the_others() -> None:
    """act tells `failure` for both; the steps tell them apart."""
    log = Log()
    for leg, result in ((LEG_1, "failure"), (LEG_2, "success")):
        log.step(leg, "ci-kit-act-prepare")
        log.step(leg, "1", result=result)
        log.end(leg, "failure")
    one, two = log.read.jobs()
    assert (one.result, two.result) == ("failure", "success")
    assert (one.leg, one.matrix, one.caller, one.id, one.name) == (1, {"n": 1}, "call", "test", "T 1")
    assert [(s.name, s.result, s.seconds) for s in one.steps] == [("Run one", "failure", 2.0), ("Two", "skipped", 0.0)]
    assert ("done", "call / T 2") in log.said


def test_a_failure_that_may_happen_is_none() -> None:
    """`continue-on-error`: the step failed, the job did not."""
    log = Log()
    log.add(LEG_1, "⭐ Run Main up", stage="Main", stepID=["up"])
    log.add(LEG_1, "Failed but continue next step", stage="Main", stepID=["up"])
    fields = {"stage": "Main", "stepID": ["up"], "stepResult": "failure", "executionTime": 1}
    log.add(LEG_1, "  x  Failure - Main up [1ns]", **fields)
    log.end(LEG_1, "success")
    (job,) = log.read.jobs()
    assert job.result == "success"
    assert (job.step("Two").result, job.step("up").tolerated) == ("failure", True)


def test_inner_and_post_steps_have_entries_of_their_own() -> None:
    """A composite action's steps are found by their path, and a post step is no second main step."""
    log = Log()
    log.add(LEG_1, "⭐ Run Main outer", stage="Main", stepID=["1"])
    log.step(LEG_1, "1", "inner", result="failure")
    log.step(LEG_1, "1", result="failure")
    log.step(LEG_1, "1", stage="Post")
    log.end(LEG_1, "failure")
    (job,) = log.read.jobs()
    paths = [(s.path, s.stage, s.result) for s in job.steps]
    assert (("0", "inner"), "main", "failure") in paths
    assert (("0",), "post", "success") in paths
    assert (("0",), "main", "failure") in paths


def test_a_job_that_breaks_outside_its_steps_failed() -> None:
    """An expression that act cannot evaluate is an error of the job."""
    log = Log()
    log.add(LEG_1, "Error in if-expression", level="error")
    log.end(LEG_1, "failure")
    assert log.read.jobs()[0].result == "failure"
    assert log.read.jobs()[0].errors == ["Error in if-expression"]


def test_a_job_without_an_end_failed_or_was_cancelled() -> None:
    """act died under it, or the time limit struck."""
    log = Log()
    log.step(LEG_1, "1")
    assert log.read.jobs(cancelled=True)[0].result == "cancelled"


def test_secrets_and_masks_show_nowhere() -> None:
    """Not in messages, outputs, annotations, summaries; not even single lines of a secret."""
    log = Log("first-line\nsecond-line")
    ids = {"stage": "Main", "stepID": ["1"]}
    log.add(LEG_1, "⭐ Run Main one", **ids)
    log.add(LEG_1, "  x  ***", command="add-mask", arg="masked", raw="::add-mask::masked\n", **ids)
    log.add(LEG_1, "second-line and masked\n", raw_output=True, **ids)
    log.add(LEG_1, "x", command="set-output", name="o", arg="masked", **ids)
    log.add(LEG_1, "x", command="error", raw="::error title=second-line,file=a.py,line=3::masked\n", **ids)
    log.add(LEG_1, "x", command="summary", content="# masked", **ids)
    log.end(LEG_1, "success")
    (job,) = log.read.jobs()
    everything = repr(job)
    assert "second-line" not in everything
    assert "masked" not in everything
    assert job.log == "*** and ***"
    assert (job.annotations[0].file, job.annotations[0].line, job.annotations[0].title) == ("a.py", 3, "***")


def test_a_mask_with_two_colons_hides_the_whole_value() -> None:
    """act takes `add-mask::se` for the command's name; an ignored one (after stop-commands) masks nothing."""
    log = Log()
    ids = {"stage": "Main", "stepID": ["1"]}
    log.add(LEG_1, "⭐ Run Main one", **ids)
    log.add(LEG_1, "x", command="add-mask::se", arg="t", raw="::add-mask::se cr::et\n", **ids)
    log.add(LEG_1, "x", command="add-mask", arg="older", raw="##[add-mask]older\n", **ids)
    log.add(LEG_1, "x", command="ignored", raw="::add-mask::word\n", **ids)
    log.add(LEG_1, "a se cr::et, an older one, a word\n", raw_output=True, **ids)
    assert log.read.jobs()[0].log == "::add-mask::word\na ***, an *** one, a word"


def test_an_annotation_with_two_colons_is_one() -> None:
    """act takes `error::tests/a.py` for the command's name."""
    log = Log()
    ids = {"stage": "Main", "stepID": ["1"]}
    log.add(LEG_1, "⭐ Run Main one", **ids)
    log.add(LEG_1, "x", command="error::tests/a.py", arg="test_b", raw="::error::tests/a.py::test_b failed\n", **ids)
    (note,) = log.read.jobs()[0].annotations
    assert (note.level, note.message) == ("error", "tests/a.py::test_b failed")


def test_what_was_shown_before_its_mask_stays() -> None:
    """As on GitHub: a mask works from where it is said."""
    log = Log()
    ids = {"stage": "Main", "stepID": ["1"]}
    log.add(LEG_1, "⭐ Run Main one", **ids)
    log.add(LEG_1, "early\n", raw_output=True, **ids)
    log.add(LEG_1, "x", command="add-mask", arg="early", raw="::add-mask::early\n", **ids)
    log.add(LEG_1, "early\n", raw_output=True, **ids)
    assert log.read.jobs()[0].log == "early\n***"


def test_jobs_that_never_started_are_listed_as_skipped() -> None:
    """act is silent about them; they come from the files, once for each caller."""
    log = Log()
    log.step(LEG_1, "1")
    log.end(LEG_1, "success")
    reach, called = reachable(JOBS, [("me/app", FILE)], "")
    assert called == {"org/ci-kit:w.yml": ["call"]}
    missing = skipped_jobs(reach, log.read.jobs(), called)
    assert [(j.id, j.caller, j.result) for j in missing] == [("gate", "call", "skipped")]


def test_what_act_says_outside_jobs_is_kept() -> None:
    """It is the only reason that a run gives which never came to a job."""
    log = Log("secret")
    log.read.feed("Error: workflow is not valid: secret\n")
    log.read.feed('{"level":"warning","msg":"no docker","time":"2026-01-01T00:00:00Z"}\n')
    assert log.read.messages == ["Error: workflow is not valid: ***"]


@pytest.mark.parametrize(
    ("raw", "message", "properties"),
    [
        ("::error::tests/a.py::test_b failed\r\n", "tests/a.py::test_b failed", {}),
        (
            "::error file=a.py,line=3,title=a%3A b%2C c=d::x%0Ay %2525\n",
            "x\ny %25",
            {"file": "a.py", "line": "3", "title": "a: b, c=d"},
        ),
        ("::notice title=::x", "x", {"title": ""}),
        ("something else", "something else", {}),
    ],
)
def test_annotations_are_read_as_github_reads_them(raw: str, message: str, properties: dict[str, str]) -> None:
    """The first `::` ends the properties; `%25` is undone last."""
    assert parse_annotation(raw) == (message, properties)


def test_a_job_for_another_system_is_skipped() -> None:
    """Its label has no image and is not this machine."""
    log = Log()
    log.add(LEG_1, "🚧  Skipping unsupported platform -- Try running with `-P macos-latest=...`")
    (job,) = log.read.jobs()
    assert (job.result, "macos-latest" in job.errors[0]) == ("skipped", True)


def test_a_composites_summary_is_kept_once() -> None:
    """act reads the last inner step's again when the outer one ends; two steps with the same words are two."""
    log = Log()
    for ids in (["1", "a"], ["1"], ["up"]):
        log.add(LEG_1, f"⭐ Run Main {ids[-1]}", stage="Main", stepID=ids)
        log.add(LEG_1, "x", command="summary", content="# same", stage="Main", stepID=ids)
    log.end(LEG_1, "success")
    assert log.read.jobs()[0].summary == ["# same", "# same"]


def test_verdict() -> None:
    """Red beats cancelled beats green; nothing at all is skipped."""

    def of(*results: str) -> str:
        return verdict([JobRun("a", "a", "f", "r", result=result) for result in results])

    assert [of("success", "failure", "cancelled"), of("success", "cancelled"), of("success", "skipped"), of("skipped")] == [
        "failure", "cancelled", "success", "skipped",
    ]  # fmt: skip

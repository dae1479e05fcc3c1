"""Do: run tests again, as the run itself did but in fresh processes, to find out what their failures are."""

from __future__ import annotations

import shutil
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ci_kit.errors import KitError
from ci_kit.share import Selection
from ci_kit.test.cases import Cases
from ci_kit.test.command import pytest_command
from ci_kit.test.diagnosis import Case, Diagnosis, Experiment, Observation, Seen, diagnose
from ci_kit.test.model import BAD, Ending, Failing, Finding, Place, Result, Stream
from ci_kit.test.record import read_record, write_task
from ci_kit.test.redact import redact_files
from ci_kit.test.shard_run import ShardRun
from ci_kit.test.stream import read_stream, stream_lines
from ci_kit.tools import Tools

START_SECONDS = 3.0  # a fresh pytest with its imports, before the first experiment has shown it
SHARE_OF_THE_REST = 3
MOST_SECONDS = 60.0


def budget_of(left_seconds: float) -> float:
    """How long experiments may take: a third of what is left of the tests' time limit, at most a minute."""
    return max(0.0, min(MOST_SECONDS, left_seconds / SHARE_OF_THE_REST))


def how_it_ended(code: int) -> str:
    """An exit code as people say it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


@dataclass
class Laboratory:
    """Runs lists of tests. `deadline` is by the monotonic clock; `seconds` what each test took in the run."""

    run: ShardRun
    environ: Mapping[str, str] = field(repr=False)
    tools: Tools
    places: Mapping[str, Place]
    seconds: Mapping[str, float]
    deadline: float
    start_seconds: float = START_SECONDS
    runs: int = 0

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.tools.clock.monotonic()

    def estimate(self, ids: Sequence[str]) -> float:
        """How long these tests take, with the start of pytest."""
        return self.start_seconds + sum(self.seconds.get(name, 0.0) for name in ids)

    def observe(self, experiment: Experiment) -> Observation:
        """Run it, within the time that is left."""
        test = experiment.ids[-1]
        ending, stream, died_in = self.try_out(experiment.ids, experiment.workers)
        results = {result.id: result for result in stream.results}
        others = tuple(name for name, result in results.items() if result.outcome in BAD and name != test)
        if test in results:
            failed = results[test].outcome in BAD
            return Observation(Seen.FAILED if failed else Seen.PASSED, others=others)
        if ending.timed_out:
            return Observation(Seen.LATE)
        if died_in == test:
            return Observation(Seen.DIED, how_it_ended(ending.code or 0))
        return Observation(Seen.MISSING)

    def try_out(self, ids: Sequence[str], workers: int = 0) -> tuple[Ending, Stream, str | None]:
        """How pytest ended, what it reported, and in which test it died."""
        self.runs += 1
        folder = self.run.private / f"experiment-{self.runs}"
        files = frozenset(self.places[name].file for name in ids if name in self.places)
        stream = folder / "report-log.jsonl"
        selection = Selection(files, frozenset(), owns_unplanned=False)
        # The list decides the order; the seed is for plug-ins that seed what tests draw (pytest-randomly).
        task = write_task(folder, self.run.root, selection, {"exact": list(ids), "seed": self.run.seed})
        request = replace(
            self.run.request,
            task=task, stream=stream, workers=workers, scope="none", reruns=0, maxfail=0,
            extra=(*self.run.request.extra, *_own_files(self.run.options, folder)),
        )  # fmt: skip
        estimate = self.estimate(ids)
        limit = max(1.0, min(self.left, 3 * estimate + 10.0))
        done = self.tools.runner.run(
            pytest_command(request), cwd=self.run.root, env=self.environ, timeout_seconds=limit, stream=False
        )
        redact_files([path for path in (stream, *(folder / "record").glob("*")) if path.is_file()], self.run.secrets)
        record = read_record(folder)
        found = read_stream(stream_lines(stream), Place)
        tests = sum(result.seconds for result in found.results)
        if found.finished and self.runs == 1:
            self.start_seconds = max(0.2, done.seconds - tests)
        shutil.rmtree(folder, ignore_errors=True)
        died = None if found.finished or done.timed_out else record.running.get("main")
        return Ending(done.code, done.seconds, done.timed_out, limit), found, died


# Reports of the project's own, which must stay those of the run itself.
_REPORTS = ("--junitxml", "--junit-xml", "--html", "--json-report-file", "--md-report-output", "--alluredir")


def _own_files(options: Sequence[str], folder: Path) -> Iterator[str]:
    for name in {word.partition("=")[0] for word in options} & set(_REPORTS):
        yield f"{name}={folder / 'report'}"


def without_coverage(environ: Mapping[str, str]) -> dict[str, str]:
    """Experiments are not measured: what they run more often must not count."""
    return {name: value for name, value in environ.items() if not name.startswith("COVERAGE_PROCESS_")}


@dataclass
class Examination:
    """The findings so far; filled while experiments run, so that an interruption keeps what is known."""

    findings: dict[str, Finding] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def examine(cases: Cases, lab: Laboratory, examination: Examination, log: Callable[[str], None]) -> None:
    """One experiment for each case in turn, so that an expensive one does not use up the time of all."""
    examination.findings |= cases.known
    budget = lab.left
    waiting: deque[tuple[Case, Diagnosis, Experiment]] = deque()
    for case in cases.open:
        diagnosis = diagnose(case)
        waiting.append((case, diagnosis, next(diagnosis)))
        examination.findings[case.id] = waiting[-1][2].so_far
    if waiting:
        log(f"Finding out about {len(waiting)} failures, for at most {budget:.0f} s.")
    while waiting:
        case, diagnosis, experiment = waiting.popleft()
        examination.findings[case.id] = experiment.so_far
        if lab.left < lab.start_seconds:
            why = f"{experiment.so_far.evidence} The {budget:.0f} s for experiments were used up."
            examination.findings[case.id] = replace(experiment.so_far, evidence=why)
            continue
        try:
            late = lab.estimate(experiment.ids) > lab.left
            observation = Observation(Seen.LATE) if late else lab.observe(experiment)
            waiting.append((case, diagnosis, diagnosis.send(observation)))
        except StopIteration as end:
            examination.findings[case.id] = end.value
            log(f"{case.id}: {end.value.failing}: {end.value.evidence}")
        except KitError as error:
            text = f"It could not be run again: {error.message}"
            examination.findings[case.id] = Finding(Failing.UNCLASSIFIED, text, (case.id,))


def with_findings(results: Sequence[Result], findings: Mapping[str, Finding]) -> tuple[Result, ...]:
    """The results, each with what was found out about it."""
    return tuple(
        replace(result, finding=findings[result.id]) if result.id in findings else result for result in results
    )


def run_again(names: Sequence[str], lab: Laboratory, times: int) -> tuple[dict[str, int], int]:
    """Run tests up to `times` more, each time all in one fresh process, while there is time: who failed how often, and how
    many times they ran.
    """
    failed: dict[str, int] = {}
    for done in range(times):
        if not names or lab.estimate(names) > lab.left:
            return failed, done
        _, stream, died = lab.try_out(names)
        bad = [result.id for result in stream.results if result.outcome in BAD] + ([died] if died else [])
        for name in bad:
            failed[name] = failed.get(name, 0) + 1
    return failed, times

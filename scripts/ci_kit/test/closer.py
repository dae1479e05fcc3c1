"""Do: after a failure, ask whether the services still live, and find out what kind of failure each one is."""

from __future__ import annotations

from collections.abc import Mapping

from ci_kit.test.cases import find_cases
from ci_kit.test.deliver import Delivery, read
from ci_kit.test.experiments import Examination, Laboratory, budget_of, examine, run_again, without_coverage
from ci_kit.test.model import BAD
from ci_kit.test.new_tests import TIMES, judged, new_or_changed
from ci_kit.test.preparation import Prepared
from ci_kit.test.services import find_dead
from ci_kit.tools import Tools


def look_closer(delivery: Delivery, prepared: Prepared, left_seconds: float, tools: Tools) -> None:
    """Fill what the delivery says about failures. `left_seconds` is the rest of the tests' time limit."""
    run, ran = delivery.run, delivery.ran
    reading = delivery.reading = read(run, ran, tools)
    results, record = reading.stream.results, reading.record
    failed = any(result.outcome in BAD for result in results)
    # What a file or a conftest.py does when it is imported may need the service too.
    failed = failed or bool(reading.stream.collect_errors) or record.conftest is not None
    if failed or ran.ending.timed_out or (ran.ending.code or 0) < 0:
        delivery.dead_service = find_dead(prepared.services, tools)
    if delivery.dead_service is not None or record.unstable:
        return
    cases = find_cases(results, record, reading.deaths, run.request.workers)
    lab = Laboratory(
        run,
        without_coverage(prepared.environ),
        tools,
        record.places,
        {result.id: result.seconds for result in results},
        tools.clock.monotonic() + budget_of(left_seconds),
    )
    examine(cases, lab, delivery.examination, tools.workflow.log)
    known = run.task.get("durations")
    if tools.event.is_pull_request and isinstance(known, Mapping):
        changed = run.task.get("changed")
        names = new_or_changed(results, known, changed if isinstance(changed, list) else ())
        _try_often(names, lab, delivery.examination)


def _try_often(names: tuple[str, ...], lab: Laboratory, examination: Examination) -> None:
    failed, times = run_again(names, lab, TIMES)
    examination.findings |= judged(failed, times)
    if times:
        what = "test" if len(names) == 1 else "tests"
        examination.notes.append(
            f"{len(names)} new or changed {what} ran {times} more times, to see whether they are flaky."
        )

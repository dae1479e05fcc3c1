"""`test run`: one shard's tests, measured, examined, reported and judged."""

from __future__ import annotations

import signal
from dataclasses import replace

from ci_kit.errors import InfrastructureFailure
from ci_kit.test import say
from ci_kit.test.closer import look_closer
from ci_kit.test.deliver import Delivery, deliver
from ci_kit.test.limit import Limit, limit_of
from ci_kit.test.model import Ending
from ci_kit.test.preparation import Prepared, RunInputs, prepare
from ci_kit.test.segments import Ran, run_all
from ci_kit.test.waiting import wait_for
from ci_kit.tools import Tools

__all__ = ["RunInputs", "run"]


def run(given: RunInputs, tools: Tools) -> int:
    """Run the shard; 0 passed or empty, 1 tests failed, 2 the caller's mistake, 3 pytest did not come to its end."""
    prepared = prepare(given, tools)
    # Said before pytest starts, so that the upload step finds the folder however this ends.
    tools.workflow.output("results", str(prepared.run.folder))
    tools.workflow.output("artifact", prepared.run.folder.name)
    tools.workflow.output("upload", "true" if given.upload else "false")
    selection = prepared.run.selection
    if not selection.mine and not selection.owns_unplanned:
        return deliver(Delivery(prepared.run, Ran(Ending(None, 0.0))), tools)
    try:
        wait_for(prepared.ready, tools)
    except InfrastructureFailure as error:
        deliver(Delivery(prepared.run, Ran(Ending(None, 0.0, why=error.message))), tools)
        raise
    # Only now: waiting for services takes from the step's time too.
    limit = limit_of(prepared.test_seconds, given.timeout, tools.clock.monotonic() - prepared.started)
    return _run_pytest(prepared, limit, tools)


def _run_pytest(prepared: Prepared, limit: Limit, tools: Tools) -> int:
    tools.workflow.log(say.opening(prepared.run))
    delivery = Delivery(prepared.run, Ran(Ending(-signal.SIGTERM, 0.0)))
    started = tools.clock.monotonic()
    try:
        run_all(prepared.run, prepared.environ, delivery.ran, limit.seconds, tools)
        if delivery.ran.ending.timed_out and limit.note:
            delivery.run = replace(prepared.run, notes=(*prepared.run.notes, limit.note))
        look_closer(delivery, prepared, limit.seconds - (tools.clock.monotonic() - started), tools)
    except BaseException:
        # The step itself is being ended: what is known so far is still worth its report.
        delivery.ran.ending = replace(delivery.ran.ending, seconds=tools.clock.monotonic() - started)
        deliver(delivery, tools)
        raise
    return deliver(delivery, tools)

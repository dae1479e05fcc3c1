"""`test run`: one shard's tests, measured, reported and judged."""

from __future__ import annotations

import signal
from dataclasses import replace

from ci_kit.errors import InfrastructureFailure
from ci_kit.test import say
from ci_kit.test.command import pytest_command
from ci_kit.test.deliver import deliver
from ci_kit.test.limit import Limit, limit_of
from ci_kit.test.model import Ending
from ci_kit.test.preparation import Prepared, RunInputs, prepare
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
        return deliver(prepared.run, Ending(None, 0.0), tools)
    try:
        wait_for(prepared.ready, tools)
    except InfrastructureFailure as error:
        deliver(prepared.run, Ending(None, 0.0, why=error.message), tools)
        raise
    # Only now: waiting for services takes from the step's time too.
    limit = limit_of(prepared.test_seconds, given.timeout, tools.clock.monotonic() - prepared.started)
    return _run_pytest(prepared, limit, tools)


def _run_pytest(prepared: Prepared, limit: Limit, tools: Tools) -> int:
    argv = pytest_command(prepared.run.request)
    tools.workflow.log(say.opening(prepared.run))
    tools.workflow.log("$ " + " ".join(argv))
    started = tools.clock.monotonic()
    try:
        with tools.workflow.foreign_output():
            done = tools.runner.run(argv, cwd=prepared.run.root, env=prepared.environ, timeout_seconds=limit.seconds)
    except BaseException:
        # The step itself is being ended: what is known so far is still worth its report.
        seconds = tools.clock.monotonic() - started
        deliver(prepared.run, Ending(-signal.SIGTERM, seconds), tools)
        raise
    run = (
        replace(prepared.run, notes=(*prepared.run.notes, limit.note))
        if done.timed_out and limit.note
        else prepared.run
    )
    return deliver(run, Ending(done.code, done.seconds, done.timed_out, limit.seconds, done.output), tools)

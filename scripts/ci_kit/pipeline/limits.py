"""The time limits of a test job, each a little above the one inside it, so that the innermost one speaks first."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Before and after pytest in the verb `test run`: its environment, the wait for services, the report.
VERB_MINUTES = 3
# Beside that verb in the step: starting it, and the upload of the results.
STEP_MINUTES = 4
# The other steps of the job: check-out, plan, set-up; pulling the images of services.
JOB_MINUTES = 30


@dataclass(frozen=True)
class Limits:
    """All from `test.timeout` of the configuration, in minutes. `verb` is the launcher's limit."""

    verb: int
    step: int
    job: int


def limits_of(test_seconds: float) -> Limits:
    """The limits of a job whose tests may take `test_seconds`."""
    verb = math.ceil(test_seconds / 60) + VERB_MINUTES
    return Limits(verb, verb + STEP_MINUTES, verb + STEP_MINUTES + JOB_MINUTES)

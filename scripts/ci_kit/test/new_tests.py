"""Decide which tests are new, to be run some more times on a pull request: a flaky test is cheapest before it is merged."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ci_kit.test.model import Failing, Finding, Outcome, Result

TIMES = 3
MOST = 50


def new_tests(results: Sequence[Result], known: Collection[str]) -> tuple[str, ...]:
    """Tests that passed and that the history does not know, in files that it knows, at most `MOST`.

    Of a file without any known test nothing can be said: the history may just not reach so far.
    """
    files = {name.partition("::")[0] for name in known}
    new = (
        result.id
        for result in results
        if result.outcome is Outcome.PASSED and result.id not in known and result.id.partition("::")[0] in files
    )
    return tuple(new)[:MOST]


def judged(failed: dict[str, int], times: int) -> dict[str, Finding]:
    """A new test that passed in the run and then failed is flaky."""
    return {
        name: Finding(
            Failing.FLAKY, f"It is new: it passed in the run, and failed in {count} of {times} more runs.", (name,)
        )
        for name, count in failed.items()
    }

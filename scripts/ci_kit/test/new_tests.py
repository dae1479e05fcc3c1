"""Decide which tests are new or changed, to be run some more times on a pull request: a flaky test is cheapest before it is merged."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ci_kit.test.model import Failing, Finding, Outcome, Result

TIMES = 3
MOST = 50


def new_or_changed(results: Sequence[Result], known: Collection[str], changed: Collection[str]) -> tuple[str, ...]:
    """Tests that passed and are `changed`, or that the history does not know in files that it knows, at most `MOST`.

    Of a file without any known test nothing can be said: the history may just not reach so far.
    """
    files = {name.partition("::")[0] for name in known}
    passed = (result.id for result in results if result.outcome is Outcome.PASSED)
    found = (name for name in passed if name in changed or (name not in known and name.partition("::")[0] in files))
    return tuple(found)[:MOST]


def judged(failed: dict[str, int], times: int) -> dict[str, Finding]:
    """A new or changed test that passed in the run and then failed is flaky."""
    return {
        name: Finding(
            Failing.FLAKY,
            f"It is new or changed: it passed in the run, and failed in {count} of {times} more runs.",
            (name,),
        )
        for name, count in failed.items()
    }

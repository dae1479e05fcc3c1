"""Run chosen tests in a forked child of a process that has collected: to the first failure, then the tear-down."""

from __future__ import annotations

import contextlib
from typing import Dict, List, Protocol

import pytest


class Speaker(Protocol):
    """Who is told what happens."""

    def say(self, **words: object) -> None:
        """One line."""


class Mute:
    """Tells nobody."""

    def say(self, **words: object) -> None:
        """Nothing."""


class Witness:
    """The plug-in that hears how tests end."""

    def __init__(self, voice: Speaker, numbers: Dict[str, int]) -> None:
        self._voice = voice
        self._numbers = numbers
        self.failed = False

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test starts; said at once, because the process may not live to say it later."""
        self._voice.say(runs=self._numbers.get(nodeid, -1))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first failure counts."""
        if report.failed and not self.failed:
            self.failed = True
            self._voice.say(failed=report.nodeid, why=shown(report))


def shown(report: object) -> str:
    """The last line of what a report says, short."""
    lines = str(getattr(report, "longreprtext", "")).strip().splitlines()
    return lines[-1].strip()[:300] if lines else ""


def run_items(session: pytest.Session, items: List[pytest.Item], voice: Speaker, numbers: Dict[str, int]) -> bool:
    """Run the items in their order, to the first that fails; whether none did."""
    witness = Witness(voice, numbers)
    session.config.pluginmanager.register(witness, "ci-kit-mutating-witness")
    following = [*items[1:], None]
    try:
        for item, after in zip(items, following):  # noqa: B905 - Python 3.9 has no `strict`
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if witness.failed or session.shouldfail or session.shouldstop:
                break
    finally:
        session.config.pluginmanager.unregister(witness)
        if witness.failed:
            # What session fixtures made outside this process does not end with it.
            with contextlib.suppress(Exception):
                session._setupstate.teardown_exact(None)  # noqa: SLF001 - pytest does it in its own session finish
    voice.say(done=True)
    return not witness.failed

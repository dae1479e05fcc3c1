"""`test wait`: a step that waits for services."""

from __future__ import annotations

from dataclasses import dataclass

from ci_kit import inputs
from ci_kit.errors import CallerMistake, Exit
from ci_kit.inputs import setting
from ci_kit.test.waiting import TRIES, wait_for
from ci_kit.tools import Tools


@dataclass(frozen=True)
class WaitInputs:
    """Inputs of `test wait`."""

    wait_for: tuple[str, ...] = setting(
        (), inputs.words, "addresses such as redis://127.0.0.1:6379, postgresql://…, tcp://…, http://…", positional=True
    )
    wait_retries: int = setting(TRIES, inputs.integer(1, 3600), "how often to try, a second apart (default 30)")


def run(given: WaitInputs, tools: Tools) -> int:
    """Wait for every service; 3 when one does not answer."""
    if not given.wait_for:
        raise CallerMistake("there is nothing to wait for.", next_step="Name an address: test wait tcp://127.0.0.1:80.")
    wait_for(given.wait_for, tools, tries=given.wait_retries)
    return Exit.GOOD

"""Wait until services answer."""

from __future__ import annotations

from collections.abc import Iterable

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.test.ready import HOW_TO_WRITE, Address, parse_address, probe
from ci_kit.tools import Tools

TRIES = 30
PAUSE_SECONDS = 1.0
ANSWER_SECONDS = 3.0


def wait_for(addresses: Iterable[str], tools: Tools, *, tries: int = TRIES) -> None:
    """Probe each address until it is ready, at most `tries` times with a second between.

    Raises `CallerMistake` for what is not an address, and `InfrastructureFailure` naming the service that is not ready.
    """
    for address in [_address(text) for text in addresses]:
        started = tools.clock.monotonic()
        why: str | None = None
        for attempt in range(tries):
            if attempt:
                tools.clock.sleep(PAUSE_SECONDS)
            why = probe(address, ANSWER_SECONDS)
            if why is None:
                seconds = tools.clock.monotonic() - started
                tools.workflow.log(f"{address.shown} is ready after {seconds:.1f} s.")
                break
        else:
            raise InfrastructureFailure(
                f"{address.shown} is not ready after {tries} tries: {why}.",
                next_step="Look at the service's own log; check its image, ports and options.",
            )


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise CallerMistake(str(error), next_step=HOW_TO_WRITE) from error

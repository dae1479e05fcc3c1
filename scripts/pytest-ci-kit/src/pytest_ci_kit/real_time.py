"""Keep pytest's measurements true when a test freezes time."""

from __future__ import annotations

import functools

from _pytest import timing


def keep_real_time() -> None:
    """Put pytest's clocks where freezegun does not find them.

    It replaces time's functions by identity in every module, `_pytest.timing` among them. A freeze that a fixture begins
    would then be measured from the real clock to the frozen one: a duration of many years, in reports and histories.
    """
    for name in ("time", "perf_counter", "sleep"):
        setattr(timing, name, functools.partial(getattr(timing, name)))

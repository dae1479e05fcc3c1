"""Time as a value that is passed in, so that every expiry can be tested without waiting."""

from __future__ import annotations

from collections.abc import Callable

Clock = Callable[[], float]
"""Returns the seconds since the Unix epoch, like `time.time`."""

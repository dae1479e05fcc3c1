"""Work without Python's cycle collector, for a step that builds much, keeps most of it and then ends."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector off; also a decorator.

    Coverage's analysis makes millions of objects (syntax trees, sets, a report) and no cycles, so reference counts free
    them all: the collector would take a quarter of the step's CPU and find nothing (`benchmarks/coverage_combine.py`).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()

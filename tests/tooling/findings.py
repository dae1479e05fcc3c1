"""How a contract test says what is wrong: every finding, one a line, without a traceback."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def nothing(found: Iterable[str]) -> None:
    """Fail with the list of findings, if there are any."""
    listed = list(found)
    if listed:
        pytest.fail(f"{len(listed)} findings:\n" + "\n".join(listed), pytrace=False)

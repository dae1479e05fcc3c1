"""Servers that some tests need: absent ones skip a test on a laptop and fail it in CI."""

from __future__ import annotations

import os
import shutil

import pytest

PACKAGES = {"redis-server": "redis-server", "haproxy": "haproxy", "prometheus": "prometheus", "docker": "docker.io"}


def require_server(program: str) -> str:
    """The path of `program`.

    Without it the calling test is skipped, with the reason and the install command, or fails when
    `CI_KIT_REQUIRE_SERVICES=1`.
    """
    found = shutil.which(program)
    if found is not None:
        return found
    reason = f"{program} is not installed; on Debian: apt-get install {PACKAGES.get(program, program)}"
    if os.environ.get("CI_KIT_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

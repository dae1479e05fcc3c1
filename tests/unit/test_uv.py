"""Which of a consumer's settings reach an installation of the kit's own pins, and where uv is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.uv import find_uv, where_from_only


@pytest.mark.parametrize(
    "name",
    ["UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_MY_OWN_PASSWORD", "UV_HTTP_TIMEOUT", "UV_CACHE_DIR",
     "PIP_INDEX_URL", "PIP_CERT", "HTTPS_PROXY", "NETRC"],
)  # fmt: skip
def test_where_packages_come_from_is_the_consumers(name: str) -> None:
    assert where_from_only({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name",
    ["UV_INDEX_STRATEGY", "UV_NO_BINARY", "UV_TARGET", "UV_PREFIX", "UV_CONSTRAINT", "UV_PYTHON", "UV_LINK_MODE_X",
     "PIP_TARGET", "PIP_INDEX_URL_X", "PIP_NO_BINARY", "CI_KIT_ENV", "ACTIONS_RUNTIME_TOKEN", "GITHUB_ENV"],
)  # fmt: skip
def test_what_is_installed_and_where_is_not(name: str) -> None:
    assert where_from_only({name: "x"}) == {}


def test_uv_on_path_comes_before_the_one_in_a_folder(tmp_path: Path) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    for folder in (near, far):
        folder.mkdir()
        (folder / "uv").touch(0o755)
    assert find_uv({"PATH": str(near)}, far) == near / "uv"
    assert find_uv({"PATH": str(tmp_path)}, far) == far / "uv"
    assert find_uv({"PATH": str(tmp_path)}) is None

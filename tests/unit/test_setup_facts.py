"""What setup-and-cache reads from a project's folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ci_kit.setup_and_cache.facts import read_facts


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_txt", ".txt").replace("_toml", ".toml").replace(
            "_lock", ".lock"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_an_empty_folder(tmp_path: Path) -> None:
    found = read_facts(tmp_path, tmp_path)
    assert (found.locks, found.requirements, found.pyproject, found.digests) == ({}, (), {}, {})


def test_requirements_with_what_they_include(tmp_path: Path) -> None:
    write(
        tmp_path,
        requirements_txt="-r lists/core.txt\nsix==1.17.0 --hash=sha256:00\n-r https://example.invalid/other.txt\n",
        requirements__dev_txt="-r ../requirements.txt\n-c pins.txt\n-r missing.txt\npytest\n",
        requirements__pins_txt="pytest==9.2.0\n",
        lists__core_txt="-r core.txt\nidna\n",
        constraints_txt="idna<4\n",
        unrelated_txt="x\n",
    )
    found = read_facts(tmp_path, tmp_path)
    assert found.requirements == ("requirements.txt", "requirements/dev.txt")
    assert found.constraints == ("constraints.txt",)
    assert found.unhashed == ("requirements/dev.txt",)
    assert {Path(name).name for name in found.digests} == {
        "requirements.txt", "dev.txt", "pins.txt", "core.txt", "constraints.txt",
    }  # fmt: skip
    assert found.digests["constraints.txt"] == hashlib.sha256(b"idna<4\n").hexdigest()


def test_a_workspace_lock_above_the_folder(tmp_path: Path) -> None:
    write(
        tmp_path,
        uv_lock="version = 1\n",
        pyproject_toml="[tool.uv.workspace]\nmembers = ['packages/*']\n",
        packages__one__pyproject_toml="[project]\nname = 'one'\n",
    )
    assert read_facts(tmp_path / "packages" / "one", tmp_path).locks == {"uv.lock": "../../uv.lock"}


@pytest.mark.parametrize("pyproject", ["", "[tool.uv]\npackage = false\n"])
def test_a_lock_above_that_is_no_workspaces_is_not_taken(tmp_path: Path, pyproject: str) -> None:
    write(tmp_path, uv_lock="version = 1\n", pyproject_toml=pyproject, sub__pyproject_toml="[project]\nname = 'one'\n")
    assert read_facts(tmp_path / "sub", tmp_path).locks == {}


def test_nothing_outside_of_the_workspace_is_looked_at(tmp_path: Path) -> None:
    write(
        tmp_path,
        uv_lock="version = 1\n",
        pyproject_toml="[tool.uv.workspace]\nmembers = ['*']\n",
        sub__pyproject_toml="[project]\nname = 'one'\n",
    )
    assert read_facts(tmp_path / "sub", tmp_path / "sub").locks == {}


def test_a_folder_with_the_name_of_a_lock_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").mkdir()
    assert read_facts(tmp_path, tmp_path).locks == {}

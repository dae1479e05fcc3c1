"""What a repository's own files say: Python versions and linters."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake
from ci_kit.project import MOST_PATCHES, Project, admits, default_python, newest, read_project
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet

BOUNDS = st.builds(
    lambda release, rest: release + rest,
    st.sampled_from(["2.7", "3", "3.9", "3.10", "3.11", "3.12", "3.12.0", "3.12.4", "3.12.4.1", "3.11.30", "4", "4.0"]),
    st.sampled_from(["", "", "", ".*", "a1", "rc1", ".dev0", ".post1"]),
)
CLAUSES = st.builds(lambda *parts: "".join(parts), st.sampled_from(["~=", "==", "!=", "<=", ">=", "<", ">", "==="]),
                    st.sampled_from(["", " "]), BOUNDS)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(clauses=st.lists(CLAUSES, max_size=3), minor=st.integers(8, 14))
def test_admits_agrees_with_packaging(clauses: list[str], minor: int) -> None:
    text = ",".join(clauses)
    try:
        specifier = SpecifierSet(text)
    except InvalidSpecifier:
        return
    expected = any(specifier.contains(f"3.{minor}.{patch}") for patch in range(MOST_PATCHES))
    assert admits(text, f"3.{minor}") == expected


@given(specifier=st.text(max_size=30))
def test_admits_takes_any_text(specifier: str) -> None:
    assert admits(specifier, "3.12") in {True, False}


@pytest.mark.parametrize(
    ("project", "version"),
    [
        (Project(), "3.13"),
        (Project(requires_python=">=3.9"), "3.13"),
        (Project(requires_python=">=3.9,<3.12"), "3.11"),
        (Project(requires_python=">=3.14"), "3.14"),
        (Project(python_file="3.11"), "3.11"),
        (Project(python_file="3.12.4", requires_python=">=3.9"), "3.12"),
        (Project(python_file="pypy3.10", requires_python=">=3.9,<3.11"), "3.10"),
        (Project(requires_python="no specifier"), "3.13"),
    ],
)
def test_the_default_version(project: Project, version: str) -> None:
    assert default_python(project) == version


def test_no_known_version_is_admitted() -> None:
    with pytest.raises(CallerMistake, match=r"admits none of 3\.9") as caught:
        default_python(Project(requires_python=">=2.7,<3"))
    assert "ci-kit.yml" in caught.value.next_step


def test_the_newest_is_found_by_number() -> None:
    assert newest(("3.9", "3.11", "3.10")) == "3.11"


@pytest.mark.parametrize(
    ("files", "requires"),
    [
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.11"\n'}, ">=3.11"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.9"\n'}, ">=3.9,<4"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "~3.11.2"\n'}, ">=3.11.2,==3.11.*"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = ">= 3.9, <3.13"\n'}, ">=3.9,<3.13"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "3.11.*"\n'}, "==3.11.*"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "~2.7 || ^3.6"\n'}, ""),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "*"\n'}, ""),
        ({"setup.cfg": "[options]\npython_requires = >=3.10\n"}, ">=3.10"),
        ({"pyproject.toml": "project = 1\ntool = 2\n", "setup.cfg": "no section\n"}, ""),
        ({"pyproject.toml": "[project]\nrequires-python = 3\n"}, ""),
        ({}, ""),
    ],
)
def test_the_required_python(files: dict[str, str], requires: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_project(tmp_path).requires_python == requires


def test_the_version_file_may_have_remarks(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text("# ours\n\n3.12\n3.11\n", encoding="utf-8")
    assert read_project(tmp_path).python_file == "3.12"


@pytest.mark.parametrize(
    ("name", "text", "lint"),
    [
        ("pyproject.toml", "[tool.ruff]\n[tool.mypy]\n[tool.pyright]\n", ("ruff check .", "mypy .", "pyright")),
        ("ruff.toml", "", ("ruff check .",)),
        (".ruff.toml", "", ("ruff check .",)),
        (".flake8", "", ("flake8",)),
        ("setup.cfg", "[flake8]\n[mypy]\n", ("flake8", "mypy .")),
        ("tox.ini", "[flake8]\n", ("flake8",)),
        ("mypy.ini", "", ("mypy .",)),
        ("pyrightconfig.json", "", ("pyright",)),
        ("README.md", "", ()),
    ],
)
def test_linters_are_those_that_the_project_configures(
    name: str, text: str, lint: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_project(tmp_path).lint == lint


def test_a_broken_pyproject_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = \n", encoding="utf-8")
    with pytest.raises(CallerMistake) as caught:
        read_project(tmp_path)
    assert (caught.value.file, caught.value.line) == ("pyproject.toml", 2)


def test_a_pyproject_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CallerMistake, match="cannot be read"):
        read_project(tmp_path)

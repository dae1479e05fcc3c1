"""Which settings of pytest hold, read from files alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake
from ci_kit.pytest_config import NORECURSE, PYTHON_FILES, PytestConfig, read_pytest_config

FORMS = {
    "pytest.toml": '[pytest]\ntestpaths = ["checks", "with space"]\n',
    ".pytest.toml": '[pytest]\ntestpaths = ["checks", "with space"]\n',
    "pytest.ini": "[pytest]\ntestpaths = checks 'with space'\n",
    ".pytest.ini": "[pytest]\ntestpaths =\n  checks\n  # a remark\n  'with space'\n",
    "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["checks", "with space"]\n',
    "tox.ini": "[tox]\nenvlist = py\n[pytest]\ntestpaths = checks 'with space'\n",
    "setup.cfg": "[metadata]\nname = x\n[tool:pytest]\ntestpaths = checks 'with space'\n",
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_read(name: str, tmp_path: Path) -> None:
    write(tmp_path, {name: FORMS[name]})
    config = read_pytest_config(tmp_path)
    assert (config.file, config.testpaths) == (name, ("checks", "with space"))
    assert (config.python_files, config.norecursedirs) == (PYTHON_FILES, NORECURSE)


def test_the_order_of_the_files_is_pytests_own(tmp_path: Path) -> None:
    write(tmp_path, FORMS)
    seen = []
    while (name := read_pytest_config(tmp_path).file) is not None:
        seen.append(name)
        (tmp_path / name).unlink()
    assert seen == list(FORMS)


def test_native_toml_in_pyproject(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": '[tool.pytest]\ntestpaths = ["checks"]\naddopts = ["-ra"]\n'})
    assert read_pytest_config(tmp_path) == PytestConfig("pyproject.toml", testpaths=("checks",), addopts=("-ra",))


@pytest.mark.parametrize("name", ["pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"])
def test_a_file_named_for_pytest_counts_even_when_it_is_empty(name: str, tmp_path: Path) -> None:
    write(tmp_path, {name: "", "setup.cfg": FORMS["setup.cfg"]})
    assert read_pytest_config(tmp_path) == PytestConfig(name)


@pytest.mark.parametrize("text", ["", "tool = 3\n", "[tool]\npytest = 3\n", "[tool.pytest]\nini_options = 3\n"])
def test_a_file_without_pytests_table_does_not_count(text: str, tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": text, "tox.ini": "[tox]\n"})
    assert read_pytest_config(tmp_path) == PytestConfig()


def test_the_search_goes_up_and_test_paths_then_do_not_count(tmp_path: Path) -> None:
    write(tmp_path, {"pytest.ini": "[pytest]\ntestpaths = checks\npython_files = check_*.py\n", "sub/x": ""})
    config = read_pytest_config(tmp_path / "sub")
    assert (config.file, config.testpaths, config.python_files) == ("../pytest.ini", (), ("check_*.py",))


def test_the_search_begins_where_the_paths_meet(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pytest.ini": "[pytest]\npython_files = root_*.py\n",
            "tests/pytest.ini": "[pytest]\npython_files = inner_*.py\n",
            "tests/unit/test_a.py": "",
            "tests/api/test_b.py": "",
        },
    )
    assert read_pytest_config(tmp_path).python_files == ("root_*.py",)
    assert read_pytest_config(tmp_path, ["tests/unit", "tests/api/test_b.py::test_x"]).python_files == ("inner_*.py",)
    assert read_pytest_config(tmp_path, ["tests/unit/test_a.py"]).python_files == ("inner_*.py",)
    assert read_pytest_config(tmp_path, ["tests", "."]).python_files == ("root_*.py",)


def test_options_in_both_spellings(tmp_path: Path) -> None:
    config = PytestConfig(addopts=("--ignore=a", "-q", "--ignore", "b", "--doctest-modules", "--ignore"))
    assert config.values_of("--ignore") == ("a", "b")
    assert config.has_option("--doctest-modules")
    assert not config.has_option("--doctest")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pyproject.toml", b"[tool.pytest.ini_options\n"),
        ("pytest.toml", b"\xff"),
        ("pytest.ini", b"no section = 1\n"),
        ("tox.ini", b"\xff"),
        ("setup.cfg", b"[metadata\nname\n"),
    ],
)
def test_a_broken_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CallerMistake) as caught:
        read_pytest_config(tmp_path)
    assert caught.value.file == name

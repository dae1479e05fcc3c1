"""The files that the plan finds, against the files that a real pytest opens: the oldest and the newest that the kit supports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from ci_kit.discovery import find_paths, find_test_files
from ci_kit.errors import CallerMistake
from ci_kit.pytest_config import read_pytest_config
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from tooling.collecting import Collector
from tooling.environment import tool

TEST = "def test_a():\n    pass\n"


@pytest.fixture(scope="module", params=["installed", "8.4.2"])
def collector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    python = sys.executable
    if request.param != "installed":
        venv = tmp_path_factory.mktemp("pytest") / "venv"
        for argv in (["venv", "--python", sys.executable, str(venv)], ["pip", "install", f"pytest=={request.param}"]):
            env = os.environ | {"VIRTUAL_ENV": str(venv)}
            subprocess.run([tool("uv"), *argv, "--quiet"], env=env, timeout=300, check=True)
        python = str(venv / "bin" / "python")
    running = Collector(python)
    yield running
    running.close()


def write(root: Path, files: dict[str, str]) -> Path:
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def found(root: Path, paths: tuple[str, ...] = ()) -> set[str]:
    return set(find_paths(root, read_pytest_config(root, paths), paths))


TREES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "no settings": ({"test_a.py": TEST, "pkg/b_test.py": TEST, "pkg/c.py": TEST, "tests/deep/er/test_d.py": TEST}, ()),
    "names with spaces and letters of the world": ({"my tests/ü/test_ä ö.py": TEST, "tests/日本/test_語.py": TEST}, ()),
    "folders that pytest does not enter": (
        {f"{name}/test_a.py": TEST for name in ("build", "dist", ".x", "x.egg", "node_modules", "venv", "CVS", "ok")},
        (),
    ),
    "such a folder when it is given": ({"build/test_a.py": TEST, "build/venv/test_b.py": TEST}, ("build",)),
    "environments": (
        {
            "env/pyvenv.cfg": "",
            "env/lib/test_a.py": TEST,
            "conda/conda-meta/history": "",
            "conda/test_b.py": TEST,
            "t/test_c.py": TEST,
        },
        (),
    ),
    "an environment, asked for": (
        {"pytest.ini": "[pytest]\naddopts = --collect-in-virtualenv\n", "e/pyvenv.cfg": "", "e/test_a.py": TEST},
        (),
    ),
    "test paths": (
        {
            "pytest.ini": "[pytest]\ntestpaths = src/*/tests 'my tests' missing\n",
            "src/a/tests/test_a.py": TEST,
            "src/b/tests/test_b.py": TEST,
            "my tests/test_c.py": TEST,
            "other/test_d.py": TEST,
        },
        (),
    ),
    "test paths with ** and a file": (
        {
            "pytest.ini": "[pytest]\ntestpaths = **/checks one/plain.py\n",
            "a/b/checks/test_a.py": TEST,
            "one/plain.py": TEST,
            "one/test_b.py": TEST,
        },
        (),
    ),
    "no test path exists": ({"pytest.ini": "[pytest]\ntestpaths = missing\n", "x/test_a.py": TEST}, ()),
    "file patterns with a folder": (
        {
            "pytest.ini": "[pytest]\npython_files = unit/*.py check_?.py\n",
            "unit/x.py": TEST,
            "unit/deep/y.py": TEST,
            "check_a.py": TEST,
            "test_a.py": TEST,
        },
        (),
    ),
    "norecursedirs with a folder": (
        {
            "pyproject.toml": '[tool.pytest.ini_options]\nnorecursedirs = ["a/skip", "data*"]\n',
            "a/skip/test_a.py": TEST,
            "b/skip/test_b.py": TEST,
            "data1/test_c.py": TEST,
            "build/test_d.py": TEST,
            ".x/test_e.py": TEST,
        },
        (),
    ),
    "ignored": (
        {
            "pytest.ini": "[pytest]\naddopts = --ignore=old --ignore tests/test_b.py --ignore-glob='*/slow_*' --ignore-glob gen/*.py\n",
            "old/test_a.py": TEST,
            "tests/test_b.py": TEST,
            "tests/test_c.py": TEST,
            "tests/slow_x/test_d.py": TEST,
            "gen/test_e.py": TEST,
        },
        (),
    ),
    "an ignored path when it is given": (
        {"pytest.ini": "[pytest]\naddopts = --ignore=old\n", "old/test_a.py": TEST, "old/x/test_b.py": TEST},
        ("old",),
    ),
    "doctests in text files": ({"test_x.txt": ">>> 1\n1\n", "notes.txt": ">>> 1\n1\n", "docs/test_y.rst": "x"}, ()),
    "doctest globs": (
        {
            "pytest.ini": "[pytest]\naddopts = --doctest-glob=*.md --doctest-glob '*.rst'\n",
            "README.md": ">>> 1\n1\n",
            "docs/a.rst": ">>> 1\n1\n",
            "test_x.txt": "x",
        },
        (),
    ),
    "doctests in modules": (
        {"pytest.ini": "[pytest]\naddopts = --doctest-modules\n", "pkg/__init__.py": "", "pkg/a.py": "", "test_b.py": ""},
        (),
    ),
    "packages": ({"pkg/__init__.py": "", "pkg/tests/__init__.py": "", "pkg/tests/test_a.py": TEST}, ()),
    "a package whose __init__ counts": (
        {"pytest.ini": "[pytest]\npython_files = *.py\n", "pkg/__init__.py": TEST, "pkg/a.py": TEST},
        (),
    ),
    "given folders": ({"a/test_a.py": TEST, "b/test_b.py": TEST, "c/test_c.py": TEST}, ("a", "./b/")),
    "given files": ({"a/plain.py": TEST, "a/test_b.py": TEST, "d/notes.txt": "x"}, ("a/plain.py::test_a", "d/notes.txt")),
    "settings of a folder": (
        {"pytest.ini": "[pytest]\n", "tests/pytest.ini": "[pytest]\npython_files = check_*.py\n", "tests/check_a.py": TEST,
         "tests/test_b.py": TEST},
        ("tests",),
    ),
    "files that are no tests at all": (
        {"test_empty.py": "", "test_syntax.py": "def (:\n", "test_import.py": "import missing_module\n", "test_a.py": TEST},
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_the_plan_finds_what_pytest_opens(name: str, collector: Collector, tmp_path: Path) -> None:
    files, paths = TREES[name]
    root = write(tmp_path / "root", files)
    assert found(root, paths) == collector.files(root, paths) != set()


def test_settings_above_the_project(collector: Collector, tmp_path: Path) -> None:
    write(tmp_path, {"pytest.ini": "[pytest]\ntestpaths = other\npython_files = check_*.py\n", "root/check_a.py": TEST})
    root = write(tmp_path / "root", {"test_b.py": TEST})
    assert found(root) == collector.files(root) == {"check_a.py"}


def test_links_to_files_and_folders(collector: Collector, tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"real/test_a.py": TEST, "real/sub/test_b.py": TEST})
    write(tmp_path / "outside", {"test_c.py": TEST})
    (root / "link").symlink_to("real/sub")
    (root / "elsewhere").symlink_to(tmp_path / "outside")
    (root / "test_link.py").symlink_to("real/test_a.py")
    (root / "test_broken.py").symlink_to("nothing")
    (root / "test_round.py").symlink_to("test_round.py")
    expected = {"real/test_a.py", "real/sub/test_b.py", "link/test_b.py", "elsewhere/test_c.py", "test_link.py"}
    assert found(root) == collector.files(root) == expected
    assert found(root, ("link",)) == collector.files(root, ("link",)) == {"link/test_b.py"}


def test_a_folder_that_leads_back_into_itself_is_entered_once(collector: Collector, tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"tests/test_a.py": TEST})
    (root / "tests" / "again").symlink_to(".")
    assert found(root) == {"tests/test_a.py"}
    # pytest goes round until the system refuses; all that runs in shard 1, as everything that no plan foresaw.
    assert found(root) < collector.files(root)


def test_what_conftest_leaves_out_is_found_all_the_same(collector: Collector, tmp_path: Path) -> None:
    """It is code, which planning never runs; the shard that gets the file collects nothing of it, as a plain run."""
    conftest = "collect_ignore = ['test_b.py']\ncollect_ignore_glob = ['old_*']\n"
    root = write(
        tmp_path / "root", {"conftest.py": conftest, "test_a.py": TEST, "test_b.py": TEST, "old_x/test_c.py": TEST}
    )
    assert found(root) == {"test_a.py", "test_b.py", "old_x/test_c.py"}
    assert collector.files(root) == {"test_a.py"}


def test_no_tests_anywhere(collector: Collector, tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"src/a.py": ""})
    assert found(root) == collector.files(root) == set()


def test_odd_files_do_no_harm(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"test_a.py": TEST})
    (root / "test_binary.py").write_bytes(bytes(range(256)) * 100)
    (root / "test_large.py").write_bytes(b"def test_a(): pass\n" * 280_000)
    os.mkfifo(root / "test_fifo.py")
    (root / "test_folder.py").mkdir()
    (root / os.fsdecode(b"test_\xff.py")).write_text(TEST)
    (root / "test_new\nline.py").write_text(TEST)
    names = {file.path: file.tests for file in find_test_files(root, read_pytest_config(root))}
    assert set(names) == {"test_a.py", "test_binary.py", "test_large.py", "test_new\nline.py"}
    assert names["test_a.py"] == 1 < names["test_large.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_does_no_harm(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"test_a.py": TEST, "closed/test_b.py": TEST})
    (root / "test_a.py").chmod(0)
    (root / "closed").chmod(0)
    try:
        assert [(file.path, file.tests) for file in find_test_files(root, read_pytest_config(root))] == [
            ("test_a.py", 1)
        ]
    finally:
        (root / "closed").chmod(0o755)


@pytest.mark.parametrize(
    ("path", "said"),
    [("tests/unti", "'tests/unti' does not exist (did you mean 'unit'?)"), ("nowhere/x", "does not exist."),
     ("../outside", "outside the project"), ("/etc", "outside the project"), ("tests/*", "without wildcards")],
)  # fmt: skip
def test_a_wrong_path_is_named(path: str, said: str, tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"tests/unit/test_a.py": TEST})
    (tmp_path / "outside").mkdir()
    with pytest.raises(CallerMistake) as caught:
        found(root, (path,))
    assert said in str(caught.value)


FOLDERS = st.sampled_from(["tests", "unit", "build", ".hidden", "my env", "ünï", "pkg", "__pycache__", "a.egg", "old"])
FILES = st.sampled_from(
    [
        "test_a.py",
        "b_test.py",
        "check_c.py",
        "test_d.txt",
        "notes.md",
        "__init__.py",
        "e.py",
        "test_f.pyc",
        "pyvenv.cfg",
    ]
)
PATHS = st.builds(lambda folders, file: "/".join([*folders, file]), st.lists(FOLDERS, max_size=3), FILES)


def some(*words: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(words), max_size=3, unique=True)


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "testpaths": some("tests", "*/unit", "**/old", "pkg/test_a.py", "missing", ".hidden"),
        "python_files": some("test_*.py", "check_*.py", "unit/*.py", "*", "tests/*/*.py", "[ab]*"),
        "norecursedirs": some("build", ".*", "old", "tests/unit", "p*", "*/pkg"),
        "addopts": some(
            "--doctest-modules", "--doctest-glob=*.md", "--ignore=old", "--ignore=tests/test_a.py",
            "--ignore-glob=*/b_*", "--collect-in-virtualenv"
        ),
    },
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@hypothesis.given(data=st.data(), names=st.sets(PATHS, min_size=1, max_size=12), config=SETTINGS)
def test_any_tree(
    data: st.DataObject, names: set[str], config: dict[str, list[str]], collector: Collector, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    write(root, dict.fromkeys(names, ""))
    lines = [f"{key} = {' '.join(values)}" for key, values in config.items()]
    write(root, {"pytest.ini": "\n".join(["[pytest]", *lines])})
    given = {parent.as_posix() for name in names for parent in Path(name).parents}
    given |= {name for name in names if name.endswith((".py", ".txt"))}
    paths = tuple(data.draw(st.lists(st.sampled_from(sorted(given)), max_size=2, unique=True)))
    # How pytest treats a path inside another one differs between its versions.
    assume(not any(Path(one).is_relative_to(other) for one in paths for other in paths if one != other))
    assert found(root, paths) == collector.files(root, paths)

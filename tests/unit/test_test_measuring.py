from __future__ import annotations

from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import coverage
import pytest
from ci_kit.errors import CallerMistake
from ci_kit.test.measuring import Measuring, decide, default_source
from ci_kit.test.model import Interpreter


def settings(**options: object) -> dict[str, Any]:
    named = {name.replace("__", ":"): value for name, value in options.items()}
    return {"options": named, "paths": {}, "plugins": {}, "c-tracer": True}


def measure(found: dict[str, Any], root: Path, version: str = "7.17.3", **more: Any) -> Measuring:  # noqa: ANN401
    base: dict[str, Any] = {"configured": (), "fallback": ("src",), "branch": False, "data_file": root / "data"}
    python = Interpreter(Path("/v/bin/python"), "3.12.1", "CPython", "/v/bin/python", Path("/v"), True, {"coverage": version})  # fmt: skip
    return decide(found, python, root=root, **(base | more))


def read(measuring: Measuring, folder: Path) -> coverage.Coverage:
    """What coverage.py itself reads in the file."""
    rc = folder / "rc.ini"
    rc.write_text(measuring.rc, encoding="utf-8")
    return coverage.Coverage(config_file=str(rc))


def test_the_consumers_settings_are_kept_and_the_kits_added(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    found = settings(
        run__source=["src", "package"], run__branch=True, run__concurrency=["thread", "multiprocessing"],
        run__omit=["src/a b.py", "*/b.py", "/c.py"], run__dynamic_context="test_function", run__parallel=False,
        report__exclude_lines=["x"], run__disable_warnings=["no-ctracer"],
    )  # fmt: skip
    found["paths"] = {"source": ["src", "/elsewhere/$HOME/src"]}
    measuring = measure(found, tmp_path)
    read_back = read(measuring, tmp_path)
    assert read_back.get_option("run:source") == [str(tmp_path / "src"), "package"]
    assert read_back.get_option("run:omit") == [str(tmp_path / "src/a b.py"), "*/b.py", "/c.py"]
    assert read_back.get_option("run:concurrency") == ["thread", "multiprocessing"]
    assert read_back.get_option("run:dynamic_context") == "test_function"
    assert read_back.get_option("run:data_file") == str(tmp_path / "data")
    assert read_back.get_option("paths") == {"source": ["src", "/elsewhere/$HOME/src"]}
    for option in ("run:branch", "run:parallel", "run:relative_files"):
        assert read_back.get_option(option) is True
    assert measuring.source == ("src", "package")
    assert measuring.branch


def test_plugins_keep_their_own_sections(tmp_path: Path) -> None:
    found = settings(run__plugins=["some_plugin"])
    found["plugins"] = {"some_plugin": {"templates": "a,b"}}
    parser = RawConfigParser()
    parser.read_string(measure(found, tmp_path).rc)
    assert parser["some_plugin"]["templates"] == "a,b"


def test_what_is_measured(tmp_path: Path) -> None:
    assert measure(settings(), tmp_path).source == ("src",)
    assert measure(settings(run__source=["lib"]), tmp_path).source == ("lib",)
    assert measure(settings(run__source_pkgs=["lib"]), tmp_path).source == ("lib",)
    assert measure(settings(run__source=["lib"]), tmp_path, configured=("core",)).source == ("core",)
    assert measure(settings(run__include=["lib/*"]), tmp_path).source == ()
    assert measure(settings(run__source=[str(tmp_path / "lib")]), tmp_path).source == ("lib",)


def test_what_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match="no such option"):
        measure({"error": "no such option"}, tmp_path)
    with pytest.raises(CallerMistake, match=r"6\.5"):
        measure(settings(), tmp_path, "6.5.0")
    with pytest.raises(CallerMistake, match="comma"):
        measure(settings(run__omit=["a,b.py"]), tmp_path)


@pytest.mark.parametrize(
    ("files", "source"),
    [
        (["src/lib/__init__.py", "other/__init__.py"], ("src",)),
        (["src/lib.py"], ("src",)),
        (["app/__init__.py", "core/__init__.py", "tests/__init__.py", ".hidden/__init__.py"], ("app", "core")),
        (["module.py", "tests/test_a.py"], (".",)),
        ([], (".",)),
    ],
)
def test_sources_are_found_from_the_layout(tmp_path: Path, files: list[str], source: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert default_source(tmp_path) == source


def test_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    found = settings(run__debug=["trace"], run__debug_file="/elsewhere", run__data_file="/other", run__source=["src"])
    read_back = read(measure(found, tmp_path), tmp_path)
    assert read_back.get_option("run:debug") == []
    assert read_back.get_option("run:debug_file") is None
    assert read_back.get_option("run:data_file") == str(tmp_path / "data")


def test_how_it_measures_is_written_for_releases_that_know_it(tmp_path: Path) -> None:
    found = settings(run__patch=["subprocess"], run__core="sysmon")
    read_back = read(measure(found, tmp_path), tmp_path)
    assert read_back.get_option("run:core") == "sysmon"
    assert read_back.get_option("run:patch") == ["_exit", "subprocess"]
    # Not coverage's own handler: `start-coverage` saves at SIGTERM, see `test_pools_that_end_at_once_end`.
    assert read_back.get_option("run:sigterm") is False
    assert read(measure(found, tmp_path, branch=True), tmp_path).get_option("run:core") == "ctrace"
    older = measure(settings(run__core="sysmon"), tmp_path, "7.9.2")
    assert "core" not in older.rc
    assert "patch" not in older.rc
    assert older.core.name == "ctrace"

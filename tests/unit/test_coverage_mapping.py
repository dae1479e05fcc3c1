from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.coverage_combine.mapping import aliases, below, paths_block, suggest_paths, unmapped
from ci_kit.coverage_combine.reports import unparsable


def test_the_consumers_paths_come_first_and_this_checkout_needs_none() -> None:
    assert aliases({}, ["/w/repo", "/w/repo/"], "/w/repo") == {}
    found = aliases({"source": ["src", "*/site-packages"]}, ["/other/repo", "D:\\a\\repo", "/w/repo"], "/w/repo")
    assert list(found) == ["source", "ci-kit workspace"]
    assert found["ci-kit workspace"] == ["./", "/other/repo", "D:\\a\\repo"]


def test_a_root_is_no_pattern() -> None:
    assert aliases({}, ["/w/[x]*"], "/here")["ci-kit workspace"] == ["./", "/w/?x??"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/w/repo/src/a.py", "src/a.py"),
        ("/w/repository/a.py", None),
        ("D:\\a\\repo\\src\\a.py", "src/a.py"),
        ("src/a.py", "src/a.py"),
        ("/usr/lib/a.py", None),
    ],
)
def test_below(path: str, expected: str | None) -> None:
    assert below(path, ["/w/repo", "D:\\a\\repo"]) == expected
    assert unmapped([path], ["/w/repo", "D:\\a\\repo"])[0].inside == expected


HERE = ["src/shop/__init__.py", "src/shop/price.py", "src/shop/stock/__init__.py", "src/other/price.py", "setup.py"]


@pytest.mark.parametrize(
    ("strangers", "expected"),
    [
        (["/opt/app/shop/price.py"], {"src": ["/opt/app"]}),
        (["C:\\app\\shop\\price.py"], {"src": ["C:/app"]}),
        (["/build/x/src/shop/price.py", "/build/y/src/shop/price.py"], {".": ["/build/x", "/build/y"]}),
        (["/one/shop/price.py", "/one/shop/stock/__init__.py", "/two/other/price.py"], {"src": ["/one", "/two"]}),
        (["/v/price.py"], {}),
        (["/v/none.py"], {}),
        (["/v/__init__.py"], {}),
    ],
)
def test_suggested_paths(strangers: list[str], expected: dict[str, list[str]]) -> None:
    assert suggest_paths(strangers, HERE) == expected


def test_two_packages_have_two_homes() -> None:
    here = ["packages/one/src/a/x.py", "packages/one/src/a/y.py", "packages/two/src/b/z.py"]
    found = suggest_paths(["/opt/a/x.py", "/opt/a/y.py", "/opt/b/z.py"], here)
    assert found == {"packages/one/src": ["/opt"], "packages/two/src": ["/opt"]}
    assert paths_block(found, toml=True) == (
        '[tool.coverage.paths]\nsource = ["packages/one/src", "/opt"]\nsource2 = ["packages/two/src", "/opt"]'
    )


def test_the_block_as_it_is_written() -> None:
    homes = {"src": ["/a", "/b"], "lib": ["/c"]}
    assert paths_block(homes, toml=False) == ("[paths]\nsource =\n    src\n    /a\n    /b\nsource2 =\n    lib\n    /c")


def test_a_source_that_cannot_be_parsed_names_the_python_to_use() -> None:
    message = "Couldn't parse '/w/src/a.py' as Python source: 'invalid syntax' at line 3"
    error = unparsable(message, ["3.9", "3.13", "3.12", "pypy"], (3, 11), Path("/w"))
    assert "CI_KIT_LAUNCHER_PYTHON to python3.13" in error.next_step
    assert (error.file, error.line) == ("src/a.py", 3)
    error = unparsable(message, ["3.9", "3.11"], (3, 11), Path("/w"))
    assert "omit" in error.next_step

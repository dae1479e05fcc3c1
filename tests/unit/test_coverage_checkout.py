"""What `[run] source` of the legs means in this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.coverage_combine.checkout import checkout_files, package_home, to_measure
from ci_kit.coverage_combine.delivery import Announced, Manifest

FILES = (
    "src/shop/__init__.py",
    "src/shop/price.py",
    "src/shop/stock/__init__.py",
    "src/one.py",
    "tests/shop/test_a.py",
)


def manifest(root: str, *source: str) -> Manifest:
    return Manifest(root, "", True, "7.17", source, (), Announced("sources.sha256", "0" * 64, 0))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in (*FILES, ".hidden/x.py", "node_modules/x.py", "src/loose/x.py", "src/shop/a.b.py", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path.resolve()


def test_hidden_folders_are_not_looked_into(here: Path) -> None:
    assert set(checkout_files(here)) == {*FILES, "src/loose/x.py", "src/shop/a.b.py"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("src", {"src/shop/__init__.py", "src/shop/price.py", "src/shop/stock/__init__.py", "src/one.py"}),
        ("shop", {"src/shop/__init__.py", "src/shop/price.py", "src/shop/stock/__init__.py"}),
        ("shop.stock", {"src/shop/stock/__init__.py"}),
        ("one", {"src/one.py"}),
        ("/there/src/shop/stock", {"src/shop/stock/__init__.py"}),
    ],
)
def test_folders_and_packages(here: Path, source: str, expected: set[str]) -> None:
    found = to_measure(here, [manifest("/there", source)], [], namespaces=False)
    assert (found.files, found.notes) == (frozenset(expected), ())


def test_namespace_packages_count_when_the_configuration_says_so(here: Path) -> None:
    assert "src/loose/x.py" in to_measure(here, [manifest("/w", "src")], [], namespaces=True).files


@pytest.mark.parametrize("source", ["requests", "no/such/folder", "no-name"])
def test_what_means_nothing_here_is_said_once(here: Path, source: str) -> None:
    found = to_measure(here, [manifest("/w", source), manifest("/other", source)], [], namespaces=False)
    assert found.files == frozenset()
    (note,) = found.notes
    assert note.startswith(f"[run] source: '{source}' is neither a folder nor one certain package of this checkout")


def test_a_folder_outside_the_checkout_is_said(here: Path) -> None:
    (note,) = to_measure(here, [manifest("/w", "/opt/app")], [], namespaces=False).notes
    assert "'/opt/app' is outside the checkout" in note


@pytest.mark.parametrize(
    ("name", "files", "homes", "expected"),
    [
        ("a", ["a/x.py", "src/a/x.py"], [], "a"),
        ("a", ["lib/a/x.py", "src/a/x.py"], [], "src/a"),
        ("a", ["one/a/x.py", "two/a/x.py"], [], None),
        ("a", ["one/a/x.py", "two/a/x.py"], ["two"], "two/a"),
        ("a.b", ["lib/a/b/x.py"], [], "lib/a/b"),
        ("a", ["lib/a.py"], [], "lib/a.py"),
        ("a", ["lib/ab.py", "lib/ba/x.py"], [], None),
        ("a", ["a/a/x.py"], [], "a"),
    ],
)
def test_a_package_is_looked_for_where_python_would_find_it(
    name: str, files: list[str], homes: list[str], expected: str | None
) -> None:
    assert package_home(name, files, homes) == expected

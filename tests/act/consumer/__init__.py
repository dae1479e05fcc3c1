"""Consuming repositories for the act layer, and how they are run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ci_kit.act.copies import Wanted
from ci_kit.act.request import Request, Result
from ci_kit.act.run import run_act

ROOT = Path(__file__).resolve().parents[3]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

WORKFLOW = """
name: ci
on: [push, pull_request]
permissions: {}
jobs:
  ci:
    permissions:
      contents: read
    uses: org/ci-kit/.github/workflows/python-ci.yml@0000000000000000000000000000000000000000
"""

SINGLE = """
name: ci
on: [push, pull_request]
permissions: {}
jobs:
  ci:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      contents: read
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - uses: org/ci-kit@0000000000000000000000000000000000000000
"""

SHOP = '''
"""A small module under test."""


def price(amount: int, vat: int) -> int:
    """Gross price in cents."""
    if amount < 0:
        raise ValueError(amount)
    return amount + amount * vat // 100


def label(amount: int) -> str:
    """Price as text."""
    return f"{amount / 100:.2f}"
'''

TESTS = {
    "tests/test_price.py": """
import pytest
from shop import price


@pytest.mark.parametrize("amount", [0, 100, 12345])
def test_price(amount):
    assert price(amount, 20) == amount + amount * 20 // 100


def test_negative():
    with pytest.raises(ValueError):
        price(-1, 20)
""",
    "tests/test_label.py": """
from shop import label


def test_label():
    assert label(1999) == "19.99"
""",
}

PROJECT = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n\n[tool.pytest.ini_options]\npythonpath = ["src"]\n',
    "src/shop.py": SHOP,
    ".github/workflows/ci.yml": WORKFLOW,
    ".github/ci-kit.yml": f'python: ["{PYTHON}"]\ntiers: [{{name: unit, paths: [tests], shards: 2}}]\n',
    **TESTS,
}


def lay(folder: Path, files: Mapping[str, str | None]) -> Path:
    """Write `files` below `folder` (None removes one) and commit them as a new repository."""
    for name, text in files.items():
        path = folder / name
        if text is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return commit(folder)


def commit(folder: Path) -> Path:
    """Everything in `folder` as one more commit on main."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "state")
    return folder


def git(folder: Path, *words: str) -> str:
    """Run git and answer what it printed."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=60).stdout


def copy_example(name: str, target: Path) -> Path:
    """An example of this repository as a consumer's checkout, without what running it left behind."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", f"examples/{name}")
    source = ROOT / "examples" / name
    for file in filter(None, listed.split("\0")):
        path = ROOT / file
        if path.exists():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
    return target


def run(
    repo: Path,
    output: Path,
    *,
    event: str = "push",
    secrets: Mapping[str, str] | None = None,
    cache: Path | None = None,
    **wanted: object,
) -> Result:
    """One run of the repository's workflows through act, with the stand-ins."""
    return run_act(
        Request(
            repo,
            wanted=Wanted(event=event, **wanted),  # type: ignore[arg-type]
            secrets=secrets or {},
            output=output,
            cache=cache,
            actions="stand-ins",
            limit_seconds=600,
        )
    )

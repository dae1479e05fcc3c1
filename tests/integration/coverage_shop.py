"""A small repository, measured in real shards, and `coverage-combine combine` run on them as a subprocess."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coverage
from ci_kit import source_digest

KIT = Path(__file__).resolve().parents[2]
COMMIT = "a" * 40
SOURCES = {
    "src/shop/__init__.py": '"""A shop."""\n',
    "src/shop/price.py": """\
        def total(items, discount=None):
            result = 0
            for item in items:
                if item < 0:
                    raise ValueError(item)
                result += item
            if discount:
                result -= discount
            return max(result, 0)


        def debug(items):
            print(items)
        """,
    "src/shop/stock/__init__.py": "",
    "src/shop/stock/shelf.py": """\
        class Shelf:
            def __init__(self):
                self.things = {}

            def put(self, name, count=1):
                while count > 0:
                    self.things[name] = self.things.get(name, 0) + 1
                    count -= 1

            def take(self, name):
                try:
                    self.things[name] -= 1
                except KeyError:
                    return False
                finally:
                    self.last = name
                return True
        """,
    "src/shop/never.py": "def unused(flag):\n    if flag:\n        return 1\n    return 2\n",
    "src/shop/grüße und mehr.py": "def odd():\n    return 1\n",
    "src/shop/omitted.py": "def left_out():\n    return 1\n",
    "tests/test_price.py": """\
        import pytest
        from shop.price import total

        def test_total():
            assert total([1, 2]) == 3

        def test_negative():
            with pytest.raises(ValueError):
                total([-1])
        """,
    "tests/test_discount.py": """\
        from shop.price import total

        def test_discount():
            assert total([5], discount=2) == 3
        """,
    "tests/test_shelf.py": """\
        from shop.stock.shelf import Shelf

        def test_put_and_take():
            shelf = Shelf()
            shelf.put("a", 2)
            assert shelf.take("a")

        def test_unknown():
            assert not Shelf().take("x")
        """,
    "pyproject.toml": """\
        [tool.pytest.ini_options]
        pythonpath = ["src"]
        [tool.coverage.run]
        branch = true
        source = ["src"]
        omit = ["*/omitted.py"]
        [tool.coverage.report]
        exclude_also = ["print\\\\("]
        """,
}
SHARDS = [["tests/test_price.py"], ["tests/test_discount.py"], ["tests/test_shelf.py"]]


@dataclass(frozen=True)
class Ran:
    code: int
    log: str
    report: dict[str, Any]
    outputs: dict[str, str]
    summary: str
    temp: Path


class Shop:
    """A repository, its shards' results, and the kit run on them."""

    def __init__(self, folder: Path, sources: Mapping[str, str] = SOURCES) -> None:
        self.folder = folder
        self.here = folder / "work"
        self.temp = folder / "temp"
        self.results = self.temp / "ci-kit" / "results"
        write(self.here, sources)

    @property
    def commit(self) -> str:
        """What is checked out, or what the runner says where there is no git."""
        if not (self.here / ".git").exists():
            return COMMIT
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.here, check=True, capture_output=True, text=True, timeout=30)  # fmt: skip
        return done.stdout.strip()

    def measure(
        self,
        index: int,
        *,
        count: int = 3,
        root: Path | None = None,
        tests: Sequence[str] | None = None,
        **manifest: object,
    ) -> Path:
        """One leg: real pytest under `coverage run --parallel`, its data and a manifest. Answers the coverage folder."""
        root = root or self.here
        attempt = manifest.get("attempt", 1)
        place = self.results / f"ci-results-unit-py3-{index}of{count}-a{attempt}" / "coverage"
        place.mkdir(parents=True)
        run_coverage(root, place / "coverage", ["--parallel-mode"], tests or SHARDS[index - 1])
        self.announce(place, index, count=count, root=str(root.resolve()), **manifest)
        return place

    def announce(self, place: Path, index: int, *, count: int = 3, **changed: object) -> None:
        files = sorted(place.glob("coverage.*"))
        path = place / "manifest.json"
        before = json.loads(path.read_text()) if path.exists() else {}
        root = str(changed.get("root") or before.get("root") or self.here.resolve())
        if not (place / source_digest.NAME).exists():
            list_sources(place, files, Path(root))
        manifest = {
            "schema": "ci-kit/coverage-manifest/1",
            "name": "ci",
            "tier": "unit",
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "shard": {"index": index, "count": count},
            "attempt": 1,
            "commit": self.commit,
            "python-version": platform.python_version(),
            "coverage-version": coverage.__version__,
            "core": "ctrace",
            "branch": True,
            "root": root,
            "source": ["src"],
            "sources": described(place / source_digest.NAME),
            "files": [described(file) for file in files],
        }
        path.write_text(
            json.dumps(manifest | {key.replace("_", "-"): value for key, value in changed.items()}), encoding="utf-8"
        )

    def list_anew(self, index: int) -> None:
        """As if the leg had measured the sources that are here now."""
        folder = place(self, index)
        path = folder / source_digest.NAME
        names = [name for name, _ in source_digest.read(path.read_text(encoding="utf-8"))]
        path.write_text(source_digest.written(names, self.here), encoding="utf-8")
        self.announce(folder, index)

    def combine(self, *options: str, **environ: str) -> Ran:
        self.temp.mkdir(exist_ok=True)
        output, summary = self.folder / "output.txt", self.folder / "summary.md"
        for path in (output, summary):
            path.write_text("")
        done = subprocess.run(
            [sys.executable, "-m", "ci_kit", "coverage-combine", "combine", *options],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(KIT / "scripts"),
                "GITHUB_WORKSPACE": str(self.here),
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_SHA": COMMIT,
                "GITHUB_ACTIONS": "true",
                "RUNNER_ENVIRONMENT": "github-hosted",
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        path = self.temp / "ci-kit" / "coverage-combine.json"
        report = json.loads(path.read_text()) if path.exists() else {}
        return Ran(
            done.returncode,
            done.stdout + done.stderr,
            report,
            outputs(output),
            summary.read_text(),
            self.temp / "ci-kit",
        )


def list_sources(place: Path, files: Sequence[Path], root: Path) -> None:
    measured: set[str] = set()
    for file in files:
        data = coverage.CoverageData(str(file))
        data.read()
        measured |= data.measured_files()
        data.close()
    (place / source_digest.NAME).write_text(source_digest.written(measured, root), encoding="utf-8")


def described(path: Path) -> dict[str, Any]:
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}


def write(folder: Path, sources: Mapping[str, str]) -> None:
    for name, text in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")


def run_coverage(root: Path, data_file: Path, options: Sequence[str], tests: Sequence[str], **environ: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "coverage", "run", f"--data-file={data_file}", *options, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=root,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environ},
        check=True,
        timeout=120,
        capture_output=True,
    )  # fmt: skip


def outputs(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(path.read_text().splitlines())
    for line in lines:
        name, delimiter = line.split("<<", 1)
        value: list[str] = []
        for part in lines:
            if part == delimiter:
                break
            value.append(part)
        found[name] = "\n".join(value)
    return found


def unsharded(shop: Shop, folder: Path) -> dict[str, Any]:
    """What one plain `coverage run` of all tests says, through coverage's own command line."""
    data_file = folder / "unsharded.data"
    run_coverage(shop.here, data_file, [], [test for shard in SHARDS for test in shard])
    target = folder / "unsharded.json"
    subprocess.run(
        [sys.executable, "-m", "coverage", "json", f"--data-file={data_file}", "-o", str(target)],
        cwd=shop.here, check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    data: dict[str, Any] = json.loads(target.read_text())
    return data


def facts(data: dict[str, Any]) -> dict[str, Any]:
    keys = ("executed_lines", "missing_lines", "excluded_lines", "executed_branches", "missing_branches", "summary")
    return {path: {key: file.get(key) for key in keys} for path, file in data["files"].items()}


def no_number(ran: Ran, *expected: str) -> None:
    """Exit 3, the reason said in the log, the annotation, the summary and the report, and no number anywhere."""
    assert ran.code == 3, ran.log
    for text in expected:
        assert text in ran.log, ran.log
    assert "::error" in ran.log
    assert ran.report["verdict"] == ran.outputs["verdict"] == "untrusted"
    assert ran.report["total"] is None
    assert ran.report["problems"]
    assert "total" not in ran.outputs
    assert "%" not in ran.summary
    assert not list((ran.temp / "coverage").iterdir())


def place(shop: Shop, index: int) -> Path:
    return next(shop.results.glob(f"*-{index}of3-a1")) / "coverage"


def data_file(shop: Shop, index: int) -> Path:
    return next(place(shop, index).glob("coverage.*"))


def three_shards(folder: Path) -> Path:
    """A shop in `folder`, measured in three shards."""
    shop = Shop(folder)
    for index in (1, 2, 3):
        shop.measure(index)
    return folder


def copy_of(measured: Path, folder: Path) -> Shop:
    """A measured shop elsewhere: its results name the place where they were measured, like another machine's."""
    shutil.copytree(measured, folder, dirs_exist_ok=True)
    return Shop(folder, {})

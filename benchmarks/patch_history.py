"""What a change's lines are covered by: a project's own tests measured at each commit, and diff-cover asked about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affected_history import History, Project, command, uv
from common import ROOT

sys.path.append(str(ROOT / "scripts"))
from ci_kit.test.measuring import default_source

DIFF_COVER = "diff-cover==11.0.1"
LIMIT_SECONDS = 300
QUIET = ("-p", "no:cacheprovider", "-q", "--tb=no", "-o", "addopts=")
CLICK = ("8.0.0", "8.0.1", "8.0.2", "8.0.3", "8.0.4", "8.1.0", "8.1.1", "8.1.2", "8.1.3", "8.1.4", "8.1.5", "8.1.6", "8.1.7", "8.1.8")  # fmt: skip
MARSHMALLOW = (
    *("3.10.0", "3.11.0", "3.11.1", "3.12.0", "3.12.1", "3.12.2", "3.13.0", "3.14.0", "3.14.1", "3.15.0", "3.16.0"),
    *("3.17.0", "3.17.1", "3.18.0", "3.19.0", "3.20.0", "3.20.1", "3.20.2", "3.21.0", "3.21.1", "3.21.2", "3.21.3", "3.22.0"),
)  # fmt: skip
CACHETOOLS = (
    *("4.2.0", "4.2.1", "4.2.2", "4.2.4", "5.0.0", "5.1.0", "5.2.0", "5.2.1", "5.3.0", "5.3.1", "5.3.2", "5.3.3", "5.4.0"),
    *("5.5.0", "5.5.1", "5.5.2", "6.0.0", "6.1.0", "6.2.0", "6.2.1"),
)  # fmt: skip
PROJECTS = (
    Project("cachetools", CACHETOOLS),
    Project("marshmallow", MARSHMALLOW, ("pytz", "simplejson", "packaging")),
    Project("sqlparse", ("0.3.0", "0.3.1", "0.4.0", "0.4.1", "0.4.2", "0.4.3", "0.4.4", "0.5.0", "0.5.1", "0.5.2", "0.5.3", "0.5.4", "0.5.5")),
    Project("click", CLICK),
    Project("jinja2", ("3.0.0", "3.0.1", "3.0.2", "3.0.3", "3.1.0", "3.1.1", "3.1.2", "3.1.3", "3.1.4", "3.1.5", "3.1.6"), ("markupsafe", "trio")),
    Project("boltons", ("18.0.0", "18.0.1", "19.0.0", "19.0.1", "19.1.0", "19.2.0", "19.3.0", "20.0.0", "20.1.0", "20.2.0", "20.2.1", "21.0.0", "23.0.0", "23.1.0", "23.1.1", "24.0.0", "24.1.0", "25.0.0")),
    Project("jmespath", ("0.9.0", "0.9.1", "0.9.2", "0.9.3", "0.9.4", "0.9.5", "0.10.0", "1.0.0", "1.0.1", "1.1.0")),
    Project("h11", ("0.8.0", "0.8.1", "0.9.0", "0.10.0", "0.11.0", "0.12.0", "0.13.0", "0.14.0", "0.16.0")),
    Project("blinker", ("1.5", "1.6.1", "1.6.2", "1.6.3", "1.7.0", "1.8.0", "1.8.1", "1.8.2", "1.9.0")),
    Project("tabulate", ("0.8.3", "0.8.4", "0.8.5", "0.8.6", "0.8.7", "0.8.8", "0.8.9", "0.8.10", "0.9.0"), ("wcwidth",)),
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What diff-cover counts of one file: lines, those that did not run, and those that did not go every way."""

    lines: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    partial: frozenset[int] = frozenset()


def diff_cover(folder: Path) -> Path:
    """The peer, in an environment of its own."""
    command(uv(), "venv", "-q", "--python", sys.executable, folder, cwd=folder.parent)
    command(uv(), "pip", "install", "-q", "--python", folder / "bin" / "python", DIFF_COVER, cwd=folder.parent)
    return folder / "bin" / "diff-cover"


def measure(history: History, commit: str, python: Path, folder: Path) -> Mapping[str, Any] | None:
    """Check the commit out in the history's repository and run its tests there: the JSON report, the XML beside it.

    None when nothing was measured in time. What fails in the tests is left to the project.
    """
    root = history.repo
    folder.mkdir(parents=True, exist_ok=True)
    for words in (("checkout", "-q", "--force", "--detach", commit), ("clean", "-q", "-ffdx")):
        command("git", *words, cwd=root)
    sources = "".join(f"\n    {entry}" for entry in default_source(root))
    rc, data = folder / "rc", folder / "data"
    rc.write_text(
        f"[run]\nbranch = true\nrelative_files = true\ndata_file = {data}\nsource ={sources}\n", encoding="utf-8"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    env |= {
        "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COVERAGE_RCFILE": str(rc),
    }
    data.unlink(missing_ok=True)
    tasks: list[list[str]] = [
        ["run", "-m", "pytest", *QUIET], ["xml", "-q", "-o", str(folder / "coverage.xml")], ["json", "-q", "-o", str(folder / "coverage.json")],
    ]  # fmt: skip
    for task in tasks:
        try:
            done = subprocess.run(
                [str(python), "-m", "coverage", *task], cwd=root, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                timeout=LIMIT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None
        if done.returncode and task[0] != "run":
            return None
    command("git", "checkout", "-q", "--force", ".", cwd=root)
    found: Mapping[str, Any] = json.loads((folder / "coverage.json").read_text(encoding="utf-8"))
    return found


def ask_peer(program: Path, root: Path, before: str, folder: Path) -> dict[str, Seen]:
    """Diff-cover's lines by file, once as it is and once with branches."""
    answers = []
    for more in ([], ["--branch-coverage"]):
        out = folder / "peer.json"
        command(
            program, folder / "coverage.xml", f"--compare-branch={before}", "--format", f"json:{out}", "-q", *more, cwd=root
        )  # fmt: skip
        answers.append(json.loads(out.read_text(encoding="utf-8"))["src_stats"])
    plain, branches = answers
    return {
        path: Seen(
            frozenset((*part["covered_lines"], *part["violation_lines"])),
            frozenset(part["violation_lines"]),
            frozenset(branches[path]["violation_lines"]),
        )
        for path, part in plain.items()
    }

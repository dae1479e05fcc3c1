"""Run the pipeline's verbs as a runner does: the launcher as a subprocess in a project's folder, with GitHub's variables."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 120
KEPT = ("PATH", "HOME", "XDG_CACHE_HOME", "LANG")


@dataclass(frozen=True)
class Step:
    """A step that has ended: exit code, log, outputs and summary."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str
    temp: Path

    def report(self, name: str) -> dict[str, Any]:
        """A report that the step wrote."""
        found: dict[str, Any] = json.loads((self.temp / "ci-kit" / f"{name}.json").read_text(encoding="utf-8"))
        return found


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below `root`, which is made."""
    root.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def run_step(root: Path, verb: str, *, payload: object = None, room: str = "pipeline", **environ: str) -> Step:
    """`ci-kit <room> <verb>` in the checkout `root`; keyword arguments are environment variables."""
    temp = root.parent / "runner-temp"
    temp.mkdir(exist_ok=True)
    files = {name: temp / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_EVENT_PATH")}
    for path in files.values():
        path.write_text("", encoding="utf-8")
    files["GITHUB_EVENT_PATH"].write_text(json.dumps(payload or {}), encoding="utf-8")
    usual = {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        "GITHUB_ACTIONS": "true",
        "RUNNER_ENVIRONMENT": "github-hosted",
        "GITHUB_WORKSPACE": str(root),
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_SHA": "c" * 40,
        "RUNNER_TEMP": str(temp),
        **{name: str(path) for name, path in files.items()},
    }
    done = subprocess.run(
        [str(ROOT / "scripts" / "ci-kit"), room, verb],
        cwd=root,
        env=usual | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return Step(
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        _outputs(files["GITHUB_OUTPUT"].read_text(encoding="utf-8")),
        files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8"),
        temp,
    )


def _outputs(text: str) -> dict[str, str]:
    found = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found

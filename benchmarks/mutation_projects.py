"""The projects whose mutants are judged, with environments: two from the package index at pinned versions, and our own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affected_history import Project, command, from_releases, lay, uv
from common import ROOT

CHILD = Path(__file__).with_name("mutation_child.py")
LOCKS = tuple(ROOT / "requirements" / f"{name}.txt" for name in ("runtime", "runtime-selective-mutation"))


@dataclass(frozen=True)
class Subject:
    """`targets` are mutated. `arguments` leave out tests that need the network or that sleep."""

    name: str
    version: str
    targets: tuple[str, ...]
    needs: tuple[str, ...]
    arguments: tuple[str, ...] = ()


PYJWT = Subject(
    "pyjwt", "2.10.1", ("jwt/api_jws.py", "jwt/api_jwt.py", "jwt/utils.py"), ("cryptography",),
    ("--ignore=tests/test_jwks_client.py",),
)  # fmt: skip
ITSDANGEROUS = Subject(
    "itsdangerous", "2.2.0",
    ("src/itsdangerous/signer.py", "src/itsdangerous/timed.py", "src/itsdangerous/serializer.py", "src/itsdangerous/encoding.py"),
    ("freezegun",),
)  # fmt: skip
AUTH_SERVICE = Subject("auth-service", "", ("app/core/jwt.py", "app/core/security.py", "app/core/lockout.py"), ())
SUBJECTS = (PYJWT, ITSDANGEROUS, AUTH_SERVICE)
TEST_TOOLS = ("pytest", "coverage")


@dataclass(frozen=True)
class Laid:
    """A subject as a repository, and the interpreter of its tests."""

    subject: Subject
    folder: Path
    python: Path

    def source(self, path: str) -> str:
        """A target's text."""
        with (self.folder / path).open(encoding="utf-8", newline="") as file:
            return file.read()

    def environ(self) -> dict[str, str]:
        """What its tests see: nothing of this benchmark's own."""
        kept = {name: v for name, v in os.environ.items() if not name.startswith(("PYTEST", "COV", "PYTHON", "CI_"))}
        path = [self.folder / "src"] if (self.folder / "src").is_dir() else []
        return {**kept, "PYTHONPATH": os.pathsep.join(map(str, [*path, self.folder])), "PYTHONHASHSEED": "0"}


def lay_out(subject: Subject, folder: Path, *more: str) -> Laid:
    """Fetch and install; `more` is installed beside what the tests need."""
    where = folder / subject.name
    if subject is AUTH_SERVICE:
        ignored = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache")
        shutil.copytree(ROOT / "examples" / subject.name, where, ignore=ignored)
        command("git", "init", "-q", cwd=where)
        needs: tuple[str, ...] = ("-r", str(where / "pyproject.toml"), "--group", f"{where / 'pyproject.toml'}:dev")
    else:
        history = from_releases(Project(subject.name, (subject.version,)), folder, most=1)
        lay(history, history.commits[-1][0], where)
        needs = subject.needs
    home = folder / f"{subject.name}-env"
    command(uv(), "venv", "-q", "--python", sys.executable, home, cwd=folder)
    python = home / "bin" / "python"
    command(uv(), "pip", "install", "-q", "--python", python, *TEST_TOOLS, *needs, *more, cwd=folder)
    return Laid(subject, where, python)


def kit_python(folder: Path) -> Path:
    """An interpreter with what the room needs, from its locks."""
    home = folder / "kit"
    command(uv(), "venv", "-q", "--python", sys.executable, home, cwd=folder)
    locks = [word for lock in LOCKS for word in ("-r", lock)]
    words = ("pip", "install", "-q", "--python", home / "bin" / "python", "--require-hashes", "--no-deps")
    command(uv(), *words, *locks, cwd=folder)
    return home / "bin" / "python"


def cpu_seconds(argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], limit: float) -> tuple[float, str]:
    """Processor time of a command and all that it started and waited for, and its output; raises `RuntimeError`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace", timeout=limit, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def kit_run(
    laid: Laid, kit: Path, folder: Path, *, limit: float = 3000.0, **task: object
) -> tuple[float, dict[str, Any]]:
    """The kit's processor time and answer (`mutation_child.py` says what a task and an answer hold)."""
    folder.mkdir(parents=True, exist_ok=True)
    file, answer = folder / "child-task.json", folder / "child-answer.json"
    own = {
        "project": str(laid.folder),
        "python": str(laid.python),
        "arguments": list(laid.subject.arguments),
        "state": str(folder / "state"),
        "answer": str(answer),
    }
    file.write_text(json.dumps({**own, **task}), encoding="utf-8")
    took, _ = cpu_seconds([kit, "-s", CHILD, file], cwd=folder, env=laid.environ(), limit=limit)
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return took, found

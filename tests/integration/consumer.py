"""A consuming repository in a temporary folder, and `ci-kit test` run in it as a subprocess."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tooling.servers import absent

KIT = Path(__file__).resolve().parents[2]
START = (
    f"import os, sys; sys.path.insert(0, {str(KIT / 'scripts')!r}); "
    "from ci_kit.__main__ import main; sys.exit(main(sys.argv[1:], os.environ))"
)
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "PYENV_ROOT", "UV_INDEX", "PIP_", "HTTP", "http")
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or "uv"


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a certain pytest."""

    python: Path

    @classmethod
    def make(cls, folder: Path, packages: Sequence[str], python: str = sys.executable) -> Environment:
        subprocess.run([UV, "venv", "--quiet", "--python", python, folder], check=True)
        made = cls(folder / "bin" / "python")
        made.add(*packages)
        return made

    def add(self, *packages: str) -> None:
        subprocess.run([UV, "pip", "install", "--quiet", "--python", self.python, *packages], check=True)


def find_python(version: str) -> str | None:
    found = subprocess.run(
        [UV, "python", "find", "--no-project", "--no-python-downloads", version],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if found.stdout.strip():
        return found.stdout.strip()
    # pyenv's shims in PATH are not interpreters; its versions are.
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    return next((str(path) for path in sorted(versions.glob(f"{version}.*/bin/python"))), None)


def require_python(version: str) -> str:
    """The interpreter; without it the calling test is skipped or fails, as without a server."""
    return find_python(version) or absent(f"Python {version} is not installed: uv python install {version}")


@dataclass(frozen=True)
class Ran:
    """How a call of the kit ended, with what it left behind."""

    code: int
    log: str
    folder: Path
    outputs: Mapping[str, str]
    summary: str

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "test.json").read_text(encoding="utf-8"))
        return found

    @property
    def outcomes(self) -> dict[str, str]:
        return {result["id"].partition("::")[2]: result["outcome"] for result in self.report["results"]}

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "coverage" / "manifest.json").read_text(encoding="utf-8"))
        return found

    def result(self, name: str) -> dict[str, Any]:
        (found,) = [result for result in self.report["results"] if result["id"].endswith(name)]
        return dict(found)


@dataclass(frozen=True)
class Consumer:
    """A repository at `root`; `temp` is what a runner calls RUNNER_TEMP."""

    root: Path
    temp: Path
    python: Path

    @classmethod
    def make(cls, folder: Path, environment: Environment, files: Mapping[str, str], name: str = "re po ü") -> Consumer:
        made = cls(folder / name, folder / "temp", environment.python)
        made.temp.mkdir()
        made.root.mkdir()
        made.write(files)
        return made

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def environ(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
        kept["PATH"] = f"{Path(UV).parent}{os.pathsep}{kept['PATH']}"
        files = {f"GITHUB_{name}": str(self.temp / name) for name in ("OUTPUT", "STEP_SUMMARY")}
        return {**kept, **files, "RUNNER_TEMP": str(self.temp), "PYTHONDONTWRITEBYTECODE": "1", **more}

    def run(self, *options: str, env: Mapping[str, str] | None = None, verb: str = "run") -> Ran:
        with self.start(*options, env=env, verb=verb) as step:
            out, _ = step.communicate(timeout=300)
        return self.ended(step.returncode, out.decode(errors="replace"))

    def start(self, *options: str, env: Mapping[str, str] | None = None, verb: str = "run") -> subprocess.Popen[bytes]:
        for name in ("OUTPUT", "STEP_SUMMARY"):
            (self.temp / name).write_text("", encoding="utf-8")
        argv = [sys.executable, "-c", START, "test", verb]
        if verb == "run":
            argv += ["--python", str(self.python)]
        return subprocess.Popen(
            [*argv, *options], cwd=self.root, env=self.environ(**(env or {})),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def ended(self, code: int, log: str) -> Ran:
        outputs = read_outputs(self.temp / "OUTPUT")
        return Ran(
            code,
            log,
            Path(outputs.get("results", self.temp / "none")),
            outputs,
            (self.temp / "STEP_SUMMARY").read_text(encoding="utf-8"),
        )

    def pytest(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Plain pytest, as the consumer runs it."""
        return subprocess.run(
            [self.python, "-m", "pytest", *options], check=False, cwd=self.root, capture_output=True, text=True,
            env=self.environ(), timeout=300,
        )  # fmt: skip


def read_outputs(path: Path) -> dict[str, str]:
    found = {}
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        value = []
        while (part := next(lines)) != delimiter:
            value.append(part)
        found[name] = "\n".join(value)
    return found

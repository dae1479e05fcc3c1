"""The real launcher around a payload: a copy of the kit whose `ci_kit.__main__` does what a test asks of a verb."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# What the shell itself keeps about where it is.
SHELL_OWN = {"PWD", "OLDPWD", "SHLVL", "_"}
PAYLOAD = '''
import json, os, signal, subprocess, sys, time
from pathlib import Path

STAY = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('up', flush=True); time.sleep(600)"


def main(argv, environ):
    return globals()[argv[0]](list(argv[1:]), environ)


def facts(argv, environ, *more):
    import yaml, ci_kit.errors

    found = {
        "argv": argv,
        "environ": dict(os.environ),
        "given": dict(environ),
        "path": sys.path,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "cwd": os.getcwd(),
        "modules": {m.__name__: m.__file__ for m in (json, yaml, ci_kit.errors, *more)},
        "yaml": yaml.safe_load("{a: [1, 2]}"),
    }
    print(json.dumps(found))
    return 0


def wide(argv, environ):
    """Facts of the room that has a lock of its own."""
    import coverage

    return facts(argv, environ, coverage)


def code(argv, environ):
    return int(argv[0])


def stay(argv, environ):
    """Ignore every polite signal, with a child of its own session and a grandchild that do the same."""
    script = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STAY!r}]); " + STAY
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    child.stdout.readline(), child.stdout.readline()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print(json.dumps([os.getpid(), child.pid]), flush=True)
    time.sleep(600)
    return 0


def polite(argv, environ):
    """Write a report when told to stop, as a room does."""
    try:
        print("ready", flush=True)
        time.sleep(600)
    finally:
        Path(argv[0]).write_text("stopped")


def die(argv, environ):
    os.kill(os.getpid(), signal.SIGKILL)


def spread(argv, environ):
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(json.dumps(pool.apply(where)))
    return 0


def where():
    import yaml

    return [yaml.__file__, sys.flags.isolated, sys.flags.no_site]
'''


@dataclasses.dataclass(frozen=True)
class Done:
    """A finished start: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """What the payload `facts` found."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


@dataclasses.dataclass(frozen=True)
class Kit:
    """A kit with a payload, started with the environment `env` and nothing else."""

    root: Path
    env: Mapping[str, str]

    @classmethod
    def at(cls, root: Path, env: Mapping[str, str]) -> Kit:
        """Copy the launcher and the shared modules, with the payload in place of the rooms."""
        package = root / "scripts" / "ci_kit"
        package.mkdir(parents=True)
        for module in (ROOT / "scripts" / "ci_kit").glob("*.py"):
            shutil.copy(module, package)
        shutil.copytree(
            ROOT / "scripts/ci_kit/launcher", package / "launcher", ignore=shutil.ignore_patterns("__pycache__")
        )
        (package / "__main__.py").write_text(PAYLOAD, encoding="utf-8")
        shutil.copy(ROOT / "scripts" / "ci-kit", root / "scripts")
        (root / "requirements").mkdir()
        shutil.copy(ROOT / "requirements" / "runtime.txt", root / "requirements")
        shutil.copy(ROOT / "requirements" / "runtime-coverage-combine.txt", root / "requirements" / "runtime-wide.txt")
        return cls(root, dict(env))

    @property
    def script(self) -> Path:
        """The launcher."""
        return self.root / "scripts" / "ci-kit"

    def set(self, **changes: str | None) -> Kit:
        """The same kit with other variables; None takes one away."""
        env = {**self.env, **{name: value for name, value in changes.items() if value is not None}}
        return dataclasses.replace(self, env={name: env[name] for name in env if changes.get(name, "") is not None})

    def start(self, *argv: str, cwd: Path | None = None, script: Path | None = None) -> subprocess.Popen[str]:
        """Start it; the caller reads its output and waits."""
        return subprocess.Popen(
            [str(script or self.script), *argv],
            cwd=cwd or self.root,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *argv: str, cwd: Path | None = None, script: Path | None = None) -> Done:
        """Run it to its end."""
        process = self.start(*argv, cwd=cwd, script=script)
        out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)


def plain_environment(home: Path) -> dict[str, str]:
    """A laptop's environment with `home` as HOME, the tests' own tools on PATH, and how this machine reaches its index."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("SSL_CERT") or name == "PIP_CERT"}
    home.mkdir(parents=True, exist_ok=True)
    tools = home / "tools"
    tools.mkdir(exist_ok=True)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv and not (tools / "uv").exists():
        (tools / "uv").symlink_to(uv)
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin",
        "CI_KIT_LAUNCHER_PYTHON": base_python(),
    }


def base_python() -> str:
    """The interpreter behind the one that runs the tests."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))

"""What an interruption leaves: the verdicts so far, a source tree that is as it was, no process; and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.running import STREAM, so_far
from integration.mutation_kit import SHOP, Project, environment

KIT = Path(__file__).resolve().parents[2]
MANY = 40
WAIT_SECONDS = 120.0
RUN = """\
import json, os, sys
sys.path[:0] = [{scripts!r}, {tests!r}]
import signal
from pathlib import Path
from ci_kit.__main__ import Ended, _end
from ci_kit.selective_mutation.budget import Limits
from integration.mutation_kit import Project
from integration.test_mutation_interrupted import mutants
signal.signal(signal.SIGTERM, _end)
project = Project(Path({folder!r}), Path({python!r}))
try:
    project.judge(*mutants(project), limits=Limits(budget_seconds=300, floor_seconds=1, workers=2))
except Ended as ended:
    sys.exit(128 + ended.number)
except KeyboardInterrupt:
    sys.exit(130)
"""
# The marker finds the processes of this test by their environment, whatever they are called.
MARKER = "CI_TEST_MUTATION_MARK"
TEST = """\
    import subprocess, sys
    import pytest
    from shop import price

    @pytest.fixture(scope="session", autouse=True)
    def helper():
        program = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True)
        yield
        program.kill()
        program.wait()

    def test_price():
        assert price(100, 19) == 119
"""


def mutants(project: Project) -> list[Mutant]:
    return [project.mutant("shop.py", "price", "net < 0", f"net < -{number}") for number in range(1, MANY)]


def marked(mark: str) -> list[int]:
    """The processes that still run with this mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"{MARKER}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_interrupted(number: signal.Signals, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    python = environment("newest", tmp_path_factory)
    project = Project.make(tmp_path / "project", python, {"shop.py": SHOP, "test_shop.py": TEST})
    before = {path: path.read_bytes() for path in project.folder.rglob("*")}
    stream = tmp_path / "project-state" / STREAM
    mark = f"{number.name}-{os.getpid()}-{tmp_path.name}"
    text = RUN.format(
        scripts=str(KIT / "scripts"), tests=str(KIT / "tests"), folder=str(project.folder), python=str(python)
    )
    with subprocess.Popen([sys.executable, "-c", text], env={**os.environ, MARKER: mark}) as run:
        deadline = time.monotonic() + WAIT_SECONDS
        while not (stream.exists() and stream.read_bytes().count(b"survived") >= 2):
            assert run.poll() is None, "it ended before it was interrupted"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(number)
        code = run.wait(WAIT_SECONDS)
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    while left := marked(mark):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)
    assert {path: path.read_bytes() for path in project.folder.rglob("*")} == before
    every = mutants(project)
    reached = [verdict for verdict in so_far(every, stream.parent) if verdict.status != "pending"]
    assert 2 <= len(reached) < len(every)
    lines = stream.read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]).keys() == {"run"}
    again = project.judge(*every)
    assert again.resumed >= len(reached)
    assert {verdict.status for verdict in again.verdicts} == {"survived"}
    assert not stream.exists(), "there is nothing to go on with"

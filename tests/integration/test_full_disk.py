"""`ci-kit test run` when the disk fills up while it works: a file system of some hundred kilobytes holds RUNNER_TEMP."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from integration.consumer import START, Consumer, Environment

SUITE = {
    "test_many.py": "import pytest\n\n@pytest.mark.parametrize('n', range(400))\ndef test_it(n):\n    assert n >= 0\n"
}
MOUNT = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"'


def mounted(kilobytes: int, folder: Path, *command: str | Path) -> list[str]:
    """The command with a small file system of its own on `folder`; no other process sees it, and no root is needed."""
    names = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT, "sh", f"{kilobytes}k", folder]
    return [str(word) for word in (*names, *command)]


@pytest.fixture
def consumer(tmp_path: Path) -> Consumer:
    folder = tmp_path / "probe"
    folder.mkdir()
    if (
        shutil.which("unshare") is None
        or subprocess.run(mounted(16, folder, "true"), check=False, capture_output=True, timeout=60).returncode
    ):
        pytest.skip("this machine lets nobody mount a file system of its own (unshare --user --mount)")
    made = Environment.make(tmp_path / "venv", ["pytest", "coverage"], sys.executable)
    return Consumer.make(tmp_path, made, SUITE)


@pytest.mark.parametrize("kilobytes", [100, 300])
def test_a_full_disk_is_told_and_leaves_no_half_report(consumer: Consumer, tmp_path: Path, kilobytes: int) -> None:
    """Whatever is still written after the disk is full is looked at from inside, where the file system is."""
    kept = tmp_path / "kept"
    kept.mkdir()
    copy = f'"$@"; code=$?; cp -r "{consumer.temp}" "{kept}"; exit $code'
    (tmp_path / "summary").touch()
    env = consumer.environ(GITHUB_STEP_SUMMARY=str(tmp_path / "summary"), GITHUB_OUTPUT=str(tmp_path / "summary"))
    run = [sys.executable, "-c", START, "test", "run", "--python", str(consumer.python), "--workers", "1"]
    done = subprocess.run(
        mounted(kilobytes, consumer.temp, "sh", "-c", copy, "sh", *run),
        cwd=consumer.root, env=env, check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 3, said
    assert "no space left" in said.lower(), said
    assert "defect of ci-kit" not in said
    assert not list(kept.rglob("test.json")), "half a report, or one of a run that nobody could record"

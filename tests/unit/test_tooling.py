"""What drives the tests must itself be right, or a check could be left out in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ci_kit.errors import InfrastructureFailure
from tooling import actionlint, environment, tables
from tooling.run import pytest_arguments
from tooling.servers import require_server
from tooling.yaml_files import ROOT


@pytest.mark.parametrize(
    ("argv", "parallel"),
    [
        ([], True), (["tests/unit", "-k", "shard"], True), (["--no-header"], True), (["-x", "-v"], True),
        (["-n", "0"], False), (["-n0"], False), (["--numprocesses=4"], False), (["--pdb"], False), (["--collect-only"], False),
    ],
)  # fmt: skip
def test_tests_run_on_every_core_unless_one_process_is_asked_for(argv: list[str], parallel: bool) -> None:
    found = pytest_arguments(argv)
    assert found[len(found) - len(argv) :] == argv
    assert (found[:2] == ["-n", "auto"]) is (parallel or argv[:2] == ["-n", "auto"])


def test_a_missing_server_skips_on_a_laptop_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_KIT_REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install no-such-server"):
        require_server("no-such-server")
    monkeypatch.setenv("CI_KIT_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install no-such-server"):
        require_server("no-such-server")
    assert require_server("git").endswith("git")


def test_what_is_being_built_is_not_taken_for_built(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "tools"

    def interrupted() -> None:
        with environment.built_once(folder) as missing:
            assert missing
            folder.mkdir(exist_ok=True)
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    with environment.built_once(folder) as missing:
        assert missing
    with environment.built_once(folder) as missing:
        assert not missing


def test_two_builders_wait_for_each_other(tmp_path: Path) -> None:
    """The second process may look only when the first one is done, and then finds it built."""
    code = """
import sys
from pathlib import Path
from tooling.environment import built_once
with built_once(Path(sys.argv[1])) as missing:
    if missing:
        Path(sys.argv[1]).mkdir()
        print("builds", flush=True)
        sys.stdin.readline()
    else:
        print("finds", flush=True)
"""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'scripts'}:{ROOT / 'tests'}"}
    argv = [sys.executable, "-c", code, str(tmp_path / "tools")]
    with (
        subprocess.Popen(argv, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first,
        subprocess.Popen(argv, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as second,
    ):
        for child in (first, second):
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        said = [child.communicate(timeout=60)[0].strip() for child in (first, second)]
    assert sorted(said) == ["builds", "finds"]


def test_the_environment_is_not_the_callers() -> None:
    found = environment.environment_variables(
        Path("/env/bin/python"), {"PATH": "/bin", "PYTHONPATH": "/x", "VIRTUAL_ENV": "/y", "HOME": "/h"}
    )
    assert found == {"PATH": "/env/bin:/bin", "HOME": "/h"}


def test_an_environment_that_cannot_be_installed_says_what_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [[sys.executable, "-c", "raise SystemExit('no wheel fits')"], ["/no/such/installer"]]
    monkeypatch.setattr(environment, "installers", lambda _python, _path: broken)
    lock = tmp_path / "dev.txt"
    lock.touch()
    with pytest.raises(
        InfrastructureFailure, match=r"cannot install dev.txt:(?s:.*)no wheel fits(?s:.*)/no/such/installer"
    ):
        environment.prepare_environment(lock, {"HOME": str(tmp_path)})
    assert not list(tmp_path.rglob("complete"))


def test_actionlint_is_never_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where its release page does not answer, the WASM build runs and is named."""
    monkeypatch.setattr(actionlint, "RELEASE_PAGE", "http://127.0.0.1:9/")
    monkeypatch.setattr(actionlint, "cache_folder", lambda _environ: tmp_path)
    workflow = tmp_path / ".github" / "workflows" / "a.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("on: push\njobs: {}\n")
    version, found = actionlint.actionlint([workflow])
    assert version.startswith("actionlint 1.7.7 (WASM")
    assert found


def test_a_table_is_made_from_the_file_that_it_describes() -> None:
    text = "before\n<!-- outputs -->\nold\n<!-- /outputs -->\nafter\n"
    made = tables.filled(text, "actions/pipeline/action.yml")
    assert made.startswith("before\n<!-- outputs -->\n| output | meaning |\n|---|---|\n| `plan` | ")
    assert made.endswith("|\n<!-- /outputs -->\nafter\n")
    assert tables.filled(made, "actions/pipeline/action.yml") == made


def test_ending_the_run_ends_what_it_started(tmp_path: Path) -> None:
    """A cancelled job sends SIGTERM to the script alone; pytest has a session of its own."""
    code = f"""
import sys
sys.path[:0] = [{str(ROOT / "scripts")!r}, {str(ROOT / "tests")!r}]
from pathlib import Path
from tooling import run
run.prepare_environment = lambda _lock, _environ: Path(sys.executable)
sys.exit(run.main([{str(tmp_path)!r}, "-q", "-s", "-n", "0", "-p", "no:cacheprovider", "-c", {str(tmp_path / "pytest.ini")!r}]))
"""
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "test_long.py").write_text(
        "import signal\n\n\ndef test_a():\n    print('waits', flush=True)\n    signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], text=True, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "waits" in line:
                break
        run.terminate()
        rest = run.stdout.read()
        assert run.wait(60) == 130
    assert "KeyboardInterrupt" in rest

from __future__ import annotations

import io
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.process import TAIL_BYTES, Completed, SubprocessRunner, run_checked


class ClosedLog(io.BytesIO):
    """A log whose reader has gone."""

    def write(self, _data: object) -> int:
        raise BrokenPipeError


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def run(code: str, log: io.BytesIO | None = None, timeout_seconds: float = 30, **more: object) -> Completed:
    return SubprocessRunner(log or io.BytesIO()).run(python(code), timeout_seconds=timeout_seconds, **more)  # type: ignore[arg-type]


def test_output_of_both_kinds_is_shown_and_kept() -> None:
    log = io.BytesIO()
    done = run("import sys; print('one', flush=True); print('two', file=sys.stderr)", log)
    assert (done.code, done.timed_out) == (0, False)
    assert done.output == log.getvalue().decode() == "one\ntwo\n"
    assert done.seconds > 0


def test_output_can_be_kept_without_being_shown() -> None:
    log = io.BytesIO()
    assert run("print('quiet')", log, stream=False).output == "quiet\n"
    assert log.getvalue() == b""


def test_only_the_tail_of_a_long_output_is_kept_and_all_of_it_is_shown() -> None:
    log = io.BytesIO()
    done = run(f"print('x' * {3 * TAIL_BYTES}); print('end')", log)
    assert len(done.output.encode()) == TAIL_BYTES
    assert done.output.endswith("x\nend\n")
    assert len(log.getvalue()) == 3 * TAIL_BYTES + 5


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert run("import os; os.write(1, b'a\\xffb')").output == "a\ufffdb"


def test_the_exit_code_is_the_programs_own() -> None:
    assert run("raise SystemExit(7)").code == 7


def test_a_signal_is_a_negative_exit_code() -> None:
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").code == -signal.SIGKILL


def test_nothing_is_on_standard_input_unless_it_is_given() -> None:
    code = "import sys; print(repr(sys.stdin.read()))"
    assert run(code).output == "''\n"
    assert run(code, input_text="grüße\n").output == "'grüße\\n'\n"


def test_input_that_nobody_reads_does_not_defeat_the_time_limit() -> None:
    done = run("import time; time.sleep(60)", timeout_seconds=0.5, input_text="x" * 10_000_000)
    assert done.timed_out


def test_input_that_nobody_reads_is_no_failure() -> None:
    assert run("pass", input_text="x" * 1_000_000).code == 0


def test_a_log_that_is_closed_does_not_stop_the_program() -> None:
    done = run("print('x' * 1_000_000); print('end')", ClosedLog())
    assert done.code == 0
    assert done.output.endswith("end\n")


def test_the_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    """A grandchild that ignores SIGTERM is ended too."""
    code = f"""
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)'], stdout=subprocess.PIPE)
child.stdout.readline()
open({str(tmp_path / "pid")!r}, 'w').write(str(child.pid))
time.sleep(60)
"""
    done = run(code, timeout_seconds=3)
    assert done.timed_out
    assert done.code == -signal.SIGTERM
    pid = int((tmp_path / "pid").read_text())
    assert ended(pid)


def ended(pid: int) -> bool:
    """Gone, or waiting only for its parent's notice; the kernel may need a moment to tell."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
    return False


def test_a_grandchild_that_stays_does_not_hold_the_step() -> None:
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(8)']); print('done')"
    )
    done = run(code)
    assert done.output == "done\n"
    assert done.seconds < 7


def test_last_words_of_a_grandchild_are_waited_for(tmp_path: Path) -> None:
    later = f"import os, pathlib; os.read(0, 1); pathlib.Path({str(tmp_path / 'said')!r}).touch()"
    # The grandchild goes on when its standard input ends, which is when the child has ended.
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {later!r}], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    SubprocessRunner().run([sys.executable, "-c", code], timeout_seconds=30)
    assert (tmp_path / "said").exists()


def test_an_interruption_ends_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(_self: object, _timeout: float | None = None) -> int:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    if (tmp_path / "pid").exists():
        assert ended(int((tmp_path / "pid").read_text()))


def test_the_environment_is_whole_or_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_KIT_SEEN", "yes")
    code = "import os; print(os.environ.get('CI_KIT_SEEN'), os.environ.get('OTHER'))"
    assert run(code).output == "yes None\n"
    assert run(code, env={"OTHER": "1"}).output == "None 1\n"


def test_a_folder_can_be_given(tmp_path: Path) -> None:
    assert run("import os; print(os.getcwd())", cwd=tmp_path).output == f"{tmp_path}\n"


@pytest.mark.parametrize("argv", [["no-such-program"], ["a\0b"]])
def test_a_program_that_does_not_exist_is_the_callers_mistake(argv: list[str]) -> None:
    with pytest.raises(CallerMistake, match="cannot start"):
        SubprocessRunner().run(argv, timeout_seconds=5)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match=r"there is no folder .*missing"):
        run("pass", cwd=tmp_path / "missing")


def test_run_checked_answers_the_output_or_names_the_failure() -> None:
    runner = SubprocessRunner(io.BytesIO())
    assert run_checked(runner, python("print('fine')"), what="Printing", timeout_seconds=30) == "fine\n"
    with pytest.raises(InfrastructureFailure, match=r"(?s)Printing ended with exit code 4.*reason"):
        run_checked(runner, python("print('reason'); raise SystemExit(4)"), what="Printing", timeout_seconds=30)
    with pytest.raises(InfrastructureFailure, match="took longer than 1 s"):
        run_checked(runner, python("import time; time.sleep(60)"), what="Waiting", timeout_seconds=1)

"""The launcher's decisions: names, limits, commands, families, and the order of two builders."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from ci_kit import wheels
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.github import Workflow
from ci_kit.launcher import build, environment, launch, start
from ci_kit.launcher.environment import Interpreter, folder_name, is_complete, locks_of, sets_of_locks, write_list
from ci_kit.launcher.family import Process, descendants
from ci_kit.launcher.supervise import End, Outcome, grace_seconds
from ci_kit.process import Completed
from hypothesis import given
from hypothesis import strategies as st

HERE = Interpreter("/usr/bin/python3.11", "cpython-311", "3.11.7 (main)", ".cpython-311-x86_64-linux-gnu.so")


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    """A folder of locks: the common one, and one for a room."""
    (tmp_path / "runtime.txt").write_text("a==1 \\\n    --hash=sha256:00\n")
    (tmp_path / "runtime-two-words.txt").write_text("b==2 \\\n    --hash=sha256:00\n")
    (tmp_path / "act.txt").write_text("programs==3\n")
    return tmp_path


@pytest.mark.parametrize("field", ["executable", "version", "abi", "tag"])
def test_another_interpreter_has_another_folder(field: str, locks: Path) -> None:
    other = dataclasses.replace(HERE, **{field: "other"})
    assert folder_name(locks_of("", locks), HERE) != folder_name(locks_of("", locks), other)


def test_the_folder_depends_on_every_byte_of_every_lock(locks: Path) -> None:
    def name(room: str) -> str:
        return folder_name(locks_of(room, locks), HERE)

    common, own = name("plan"), name("two-words")
    assert common != own
    assert (name("plan"), name("two-words")) == (common, own)
    assert common.startswith("cpython-311-")
    with (locks / "runtime-two-words.txt").open("a") as lock:
        lock.write("\n")
    assert name("plan") == common
    assert name("two-words") != own
    with (locks / "runtime.txt").open("a") as lock:
        lock.write("\n")
    assert name("plan") != common


@pytest.mark.parametrize(
    ("room", "names"),
    [
        ("pipeline", ["runtime.txt"]),
        ("two-words", ["runtime.txt", "runtime-two-words.txt"]),
        ("two", ["runtime.txt"]),
        ("act", ["runtime.txt"]),
        ("", ["runtime.txt"]),
        ("../act", ["runtime.txt"]),
        ("x/../../two-words", ["runtime.txt"]),
    ],
)
def test_a_room_needs_the_common_lock_and_its_own(room: str, names: list[str], locks: Path) -> None:
    assert [path.name for path in locks_of(room, locks)] == names


def test_a_room_runs_on_its_own_folder_or_on_one_that_holds_more(locks: Path) -> None:
    common, own = locks / "runtime.txt", locks / "runtime-two-words.txt"
    assert list(sets_of_locks("pipeline", locks)) == [(common,), (common, own)]
    assert list(sets_of_locks("two-words", locks)) == [(common, own)]


@pytest.mark.parametrize(
    ("argv", "room"),
    [
        ([], ""),
        (["--help"], ""),
        (["pipeline", "plan"], "pipeline"),
        (["--working-directory", "api", "pipeline", "plan"], "pipeline"),
        (["--working-directory=api", "pipeline"], "pipeline"),
        (["--working-directory"], ""),
    ],
)
def test_the_room_is_the_first_word(argv: list[str], room: str) -> None:
    assert launch.read_request(argv, {}).room == room


@pytest.mark.parametrize(
    ("argv", "environ", "words", "limit"),
    [
        (["test", "run"], {}, ("test", "run"), None),
        (["test", "run"], {"CI_KIT_TIMEOUT": " "}, ("test", "run"), None),
        (["test", "run"], {"CI_KIT_TIMEOUT": "10m"}, ("test", "run"), 600.0),
        (["test", "run", "--timeout", "90s", "--x", "1"], {"CI_KIT_TIMEOUT": "10m"}, ("test", "run", "--x", "1"), 90.0),
        (["test", "--timeout=1h30m", "run"], {}, ("test", "run"), 5400.0),
        (["a", "--", "--timeout", "5s"], {}, ("a", "--", "--timeout", "5s"), None),
    ],
)
def test_the_limit_is_taken_out_of_the_request(
    argv: list[str], environ: dict[str, str], words: tuple[str, ...], limit: float | None
) -> None:
    request = launch.read_request(argv, environ)
    assert (request.argv, request.limit_seconds) == (words, limit)


@pytest.mark.parametrize("argv", [["--timeout"], ["--timeout", "soon"], ["--timeout=0s"], ["--timeout", "-5s"]])
def test_a_limit_that_cannot_be(argv: list[str]) -> None:
    with pytest.raises(CallerMistake, match="timeout"):
        launch.read_request(argv, {})


def test_the_grace_is_a_tenth_and_at_most_ten_seconds() -> None:
    assert [grace_seconds(seconds) for seconds in (1, 60, 100, 3600)] == [0.1, 6.0, 10.0, 10.0]


def test_what_is_said_of_an_end() -> None:
    request = launch.Request(("test", "run", "--x"), "10m", 600.0)
    told = launch.explain(request, Outcome(End.LIMIT, 0))
    assert told is not None
    assert "ci-kit test run was stopped at its time limit of 10m" in told.message
    killed = launch.explain(request, Outcome(End.ITSELF, -signal.SIGSEGV))
    assert killed is not None
    assert "SIGSEGV" in killed.message
    assert killed.exit == 3
    assert launch.explain(request, Outcome(End.ITSELF, 12)) is None
    assert launch.explain(request, Outcome(End.SIGNAL, signal.SIGINT)) is None


# Installing

ENVIRON = {
    "PATH": "/nowhere",
    "HOME": "/home/x",
    "HTTPS_PROXY": "http://proxy",
    "PYTHONPATH": "/evil",
    "UV_INDEX_URL": "http://evil",
    "PIP_TARGET": "/evil",
    "PIP_INDEX_URL": "https://user:secret@mirror/simple",
    "PIP_CERT": "/ca.pem",
    "VIRTUAL_ENV": "/venv",
    "CI_KIT_ENV": "PASSWORD=secret",
    "ACTIONS_RUNTIME_TOKEN": "secret",
}


def test_only_settings_that_say_where_the_index_is_reach_pip() -> None:
    way = wheels.with_pip(("py", "-m", "pip"), [Path("/lock")], Path("/target"), ENVIRON)
    assert way.env["PIP_INDEX_URL"] == ENVIRON["PIP_INDEX_URL"]
    assert way.env["PIP_CERT"] == "/ca.pem"
    assert way.env["HTTPS_PROXY"] == "http://proxy"
    dropped = {"PYTHONPATH", "UV_INDEX_URL", "PIP_TARGET", "VIRTUAL_ENV", "CI_KIT_ENV", "ACTIONS_RUNTIME_TOKEN"}
    assert not dropped & way.env.keys()


def test_no_way_to_install_sees_the_callers_modules_or_settings(tmp_path: Path) -> None:
    for name in ("uv", "pip", "pip3"):
        (tmp_path / name).touch(0o755)
    found = list(wheels.ways("py", [Path("/lock")], Path("/target"), ENVIRON | {"PATH": str(tmp_path)}))
    assert {way.name for way in found} == {"uv", "pip"}
    for way in found:
        assert not {"PIP_TARGET", "UV_INDEX_URL", "PYTHONPATH", "CI_KIT_ENV"} & way.env.keys()
        assert way.argv[0] != "py" or way.argv[1] == "-I"
        assert way.argv[way.argv.index("--target") + 1] == "/target"


def test_the_kits_own_index_wins_and_never_shows_in_a_command() -> None:
    environ = ENVIRON | {wheels.INDEX: "https://kit:hidden@index/simple"}
    pip = wheels.with_pip(("py", "-m", "pip"), [Path("/lock"), Path("/own")], Path("/target"), environ)
    uv = wheels.with_uv("uv", "py", [Path("/lock"), Path("/own")], Path("/target"), environ)
    assert pip.env["PIP_INDEX_URL"] == uv.env["UV_DEFAULT_INDEX"] == environ[wheels.INDEX]
    assert "hidden" not in repr((pip, uv))
    for way in (pip, uv):
        assert {"--require-hashes", "--no-deps"} <= set(way.argv)
        assert way.argv[way.argv.index("--only-binary") + 1] == ":all:"
        assert way.argv[-4:] == ("-r", "/lock", "-r", "/own")


def test_pins_are_named_as_their_wheels_metadata() -> None:
    lock = (
        "# x\nPy-YAML==6.0 \\\n    --hash=sha256:00\n    # via y\na.b_c==1\ncolorama==2 ; sys_platform == 'win32' \\\n"
    )
    assert wheels.pins(lock) == [wheels.Pin("Py-YAML", "6.0"), wheels.Pin("a.b_c", "1")]
    assert [pin.metadata_folder for pin in wheels.pins(lock)] == ["py_yaml-6.0.dist-info", "a_b_c-1.dist-info"]


class Installs:
    """Stands for uv and pip: puts `files` into the folder it is started in, after doing what `meanwhile` says."""

    def __init__(self, *codes: int, meanwhile: Callable[[], object] = lambda: None, output: str = "") -> None:
        self.codes = list(codes)
        self.meanwhile = meanwhile
        self.output = output
        self.started: list[str] = []

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,  # noqa: ARG002
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,  # noqa: ARG002
        stream: bool = True,  # noqa: ARG002
        input_text: str | None = None,  # noqa: ARG002
    ) -> Completed:
        assert cwd is not None
        self.started.append(Path(argv[0]).name)
        self.meanwhile()
        code = self.codes.pop(0) if self.codes else 0
        name = "left-over" if code else "a-1.dist-info"
        (cwd / name).mkdir()
        (cwd / name / "METADATA").write_text("x")
        return Completed(tuple(argv), code, self.output, 0.1)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.txt"
    path.write_text("a==1 \\\n    --hash=sha256:00\n")
    return path


def builder(lock: Path, runner: Installs) -> build.Builder:
    uv = lock.parent / "uv"
    uv.write_text("")
    uv.chmod(0o755)
    environ = {"PATH": str(lock.parent), "HOME": "/nonexistent"}
    return build.Builder([lock], str(lock.parent / "cache"), environ, runner, Workflow({}, io.StringIO()))


def _mark(folder: Path) -> None:
    (folder / "mark").write_text("first")
    write_list(folder)


def test_the_second_of_two_builders_uses_what_the_first_made(lock: Path) -> None:
    def first() -> None:
        _mark(builder(lock, Installs()).build("env"))

    folder = builder(lock, Installs(meanwhile=first)).build("env")
    assert (folder / "mark").read_text() == "first"
    assert [entry.name for entry in folder.parent.iterdir()] == ["env"]


def test_a_damaged_folder_is_replaced_and_nothing_is_left_beside_it(lock: Path) -> None:
    folder = builder(lock, Installs()).build("env")
    _mark(folder)
    (folder / "mark").write_text("damaged")
    assert not is_complete(folder)
    assert builder(lock, Installs()).build("env") == folder
    assert is_complete(folder)
    assert not (folder / "mark").exists()
    assert [entry.name for entry in folder.parent.iterdir()] == ["env"]


def test_a_folder_that_holds_more_serves_and_a_damaged_one_does_not(lock: Path) -> None:
    wider = builder(lock, Installs()).build("wider")
    runner = Installs()
    assert builder(lock, runner).build("env", "wider") == wider
    assert runner.started == []
    own = builder(lock, runner).build("env")
    assert builder(lock, runner).build("env", "wider") == own
    for folder in (own, wider):
        (folder / "a-1.dist-info" / "METADATA").write_text("damaged")
    assert builder(lock, runner).build("env", "wider") == own
    assert is_complete(own)


def test_an_installation_must_hold_every_lock(lock: Path) -> None:
    own = lock.with_name("own.txt")
    own.write_text("b==2 \\\n    --hash=sha256:00\n")
    both = dataclasses.replace(builder(lock, Installs()), locks=[lock, own])
    with pytest.raises(InfrastructureFailure, match=r"what the kit needs \(a 1, b 2\)"):
        both.build("env")


def test_what_a_failed_installer_left_does_not_stay(lock: Path) -> None:
    runner = Installs(1, 0)
    folder = builder(lock, runner).build("env")
    assert runner.started[0] == "uv"
    assert len(runner.started) == 2
    assert not (folder / "left-over").exists()


def test_an_interrupted_build_leaves_nothing(lock: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builder(lock, Installs(meanwhile=interrupted)).build("env")
    assert list((lock.parent / "cache").iterdir()) == []


def test_every_installers_words_are_told(lock: Path) -> None:
    with pytest.raises(InfrastructureFailure) as told:
        builder(lock, Installs(2, 1, output="refused")).build("env")
    assert "uv ended with 2:\nrefused" in told.value.message
    assert "pip ended with 1:\nrefused" in told.value.message


def test_where_there_is_no_pip_the_next_one_is_tried(lock: Path) -> None:
    (lock.parent / "pip3").symlink_to(lock.parent / "uv")
    runner = Installs(1, *[1] * 9, output="/usr/bin/python3: No module named pip")
    with pytest.raises(InfrastructureFailure, match=r"pip: .* has none"):
        builder(lock, runner).build("env")
    assert runner.started[0] == "uv"
    assert len(runner.started) > 2


def test_an_installer_that_says_yes_but_installs_nothing_is_not_believed(lock: Path, tmp_path: Path) -> None:
    lock.write_text("b==2 \\\n    --hash=sha256:00\n")
    with pytest.raises(InfrastructureFailure):
        builder(lock, Installs()).build("env")


@pytest.mark.parametrize(
    "row", ["x", "-1 x", "1", "x a", "\udce4".encode("utf-8", "surrogateescape").decode("latin-1")]
)
def test_a_list_that_makes_no_sense_is_damage(row: str, tmp_path: Path) -> None:
    (tmp_path / environment.LIST).write_text(row)
    assert not is_complete(tmp_path)


@given(st.lists(st.integers(0, 30), max_size=30))
def test_a_family_is_everyone_whose_line_of_parents_leads_to_the_root(parents: list[int]) -> None:
    table = [Process(pid, parent, "0") for pid, parent in enumerate(parents, start=1)]
    parent_of = {process.pid: process.parent for process in table}

    def belongs(pid: int) -> bool:
        seen: set[int] = set()
        while pid in parent_of and pid not in seen:
            seen.add(pid)
            pid = parent_of[pid]
            if pid == 1:
                return True
        return False

    assert {process.pid for process in descendants(table, 1)} - {1} == {pid for pid in parent_of if belongs(pid)} - {1}


def test_a_private_folder_in_a_shared_place_must_be_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    planted = tmp_path / f"ci-kit-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    (place,) = build._temporary_places({})
    assert place != planted
    planted.chmod(0o700)
    assert list(build._temporary_places({})) == [planted]


def test_on_a_runner_no_temporary_place_outlasts_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = build._temporary_places({"RUNNER_TEMP": "/temp"})
    assert first == Path("/temp/ci-kit-environments")
    assert second.parent == tmp_path
    assert second != tmp_path / f"ci-kit-{os.getuid()}"


def test_what_the_first_python_says_is_one_line_without_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    start.tell("100%\r\n::error::x ##[error]y")
    said = capsys.readouterr()
    assert said.err == "ci-kit: 100%  ::error::x ## [error]y\n"
    assert said.out == "::error title=ci-kit::100%25  ::error::x ## [error]y\n"

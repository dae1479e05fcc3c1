"""`scripts/ci-kit` as a user starts it: its own environment, untouched by the consumer's, and nothing left running."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci_kit.launcher import environment, family
from integration.consumer import find_python
from integration.launcher_kit import ROOT, SHELL_OWN, Kit, base_python, plain_environment

CLOSED = "http://127.0.0.1:9/simple"  # nothing listens on the discard port


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """A kit whose environment is built."""
    folder = tmp_path_factory.mktemp("warm")
    kit = Kit.at(folder / "kit", plain_environment(folder / "home"))
    assert kit.run("code", "0").code == 0
    return kit


@pytest.fixture
def cold(tmp_path: Path) -> Kit:
    """A kit on a machine that has never run it."""
    return Kit.at(tmp_path / "kit", plain_environment(tmp_path / "home"))


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A workspace whose files leave a mark when anybody imports or runs them."""
    workspace = tmp_path / "workspace"
    mark = f"open({str(workspace / 'SPRUNG')!r}, 'a').write(__file__ + '\\n')\n"
    for name in ("json", "yaml", "coverage", "signal", "sitecustomize", "usercustomize", "startup"):
        _write(workspace / f"{name}.py", mark)
    _write(workspace / "ci_kit" / "__init__.py", mark)
    _write(workspace / "ci_kit" / "__main__.py", mark)
    _write(workspace / "uv.toml", f'index-url = "{CLOSED}"\nno-binary = true\n')
    _write(workspace / "pip.conf", "[global]\nrequire-virtualenv = true\n[install]\nuser = true\n")
    _write(workspace / ".python-version", "2.7\n")
    return workspace


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _cache(kit: Kit) -> Path:
    return Path(kit.env["HOME"]) / ".cache" / "ci-kit"


def _environments(kit: Kit) -> list[str]:
    return sorted(entry.name for entry in _cache(kit).iterdir() if entry.is_dir())


def _without_uv(kit: Kit) -> Kit:
    return kit.set(PATH="/usr/local/bin:/usr/bin:/bin")


def _hostile(workspace: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(workspace),
        "PYTHONSTARTUP": str(workspace / "startup.py"),
        "PYTHONHOME": str(workspace),
        "PYTHONUSERBASE": str(workspace),
        "PYTHONSAFEPATH": "",
        "PYTHONINSPECT": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONIOENCODING": "ascii",
        "PYTHONPLATLIBDIR": "nowhere",
        "UV_CONFIG_FILE": str(workspace / "uv.toml"),
        "UV_INDEX_URL": CLOSED,
        "UV_DEFAULT_INDEX": CLOSED,
        "UV_OFFLINE": "1",
        "UV_NO_BINARY": "1",
        "UV_PYTHON": "2.7",
        "UV_TARGET": str(workspace),
        "UV_CACHE_DIR": "/dev/null/none",
        "UV_EXCLUDE_NEWER": "2001-01-01",
        "PIP_TARGET": str(workspace),
        "PIP_PREFIX": str(workspace),
        "PIP_ROOT": str(workspace),
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_CONSTRAINT": str(workspace / "no-such-file.txt"),
        "PIP_PYTHON": "/nowhere",
        "PIP_DRY_RUN": "1",
        "PIP_CONFIG_FILE": str(workspace / "pip.conf"),
        "VIRTUAL_ENV": str(workspace),
    }


HOSTILE = sorted(_hostile(Path("/nowhere")))


def _check_clean(kit: Kit, workspace: Path, verb: str = "facts") -> None:
    before = sorted(workspace.rglob("*"))
    done = kit.run(verb, cwd=workspace)
    assert done.code == 0, done
    facts = done.facts
    assert not (workspace / "SPRUNG").exists()
    assert sorted(workspace.rglob("*")) == before
    assert not any(str(workspace) in entry for entry in facts["path"])
    assert facts["yaml"] == {"a": [1, 2]}
    assert facts["modules"]["ci_kit.errors"] == str(kit.root / "scripts/ci_kit/errors.py")
    for name in facts["modules"].keys() & {"yaml", "coverage"}:
        assert Path(facts["modules"][name]).is_relative_to(_cache(kit))


@pytest.mark.parametrize("variable", HOSTILE)
def test_a_warm_start_is_not_moved_by(variable: str, warm: Kit, trap: Path) -> None:
    _check_clean(warm.set(**{variable: _hostile(trap)[variable]}), trap)


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_cold_start_is_not_moved_by_any_of_them(installer: str, cold: Kit, trap: Path) -> None:
    kit = cold if installer == "uv" else _without_uv(cold)
    _check_clean(kit.set(**_hostile(trap)), trap, "wide")
    assert len(_environments(kit)) == 1


def test_the_consumers_environment_is_handed_through(warm: Kit, trap: Path) -> None:
    kit = warm.set(**_hostile(trap), ODD="ä\n=x", EMPTY="")
    facts = kit.run("facts", cwd=trap).facts
    expected = {name: value for name, value in kit.env.items() if name not in SHELL_OWN}
    assert {name: value for name, value in facts["environ"].items() if name not in SHELL_OWN} == expected
    assert facts["given"] == facts["environ"]
    assert facts["cwd"] == str(trap)


def test_arguments_arrive_as_they_were_given(warm: Kit) -> None:
    words = ["", "a b", "*", "$HOME", "-x", "ü", "--", "--timeout", "5s"]
    assert warm.run("facts", *words).facts["argv"] == words


def test_the_environment_is_not_the_consumers_and_is_built_once(warm: Kit) -> None:
    first = warm.run("facts").facts
    assert first["path"][-1] == str(_cache(warm) / _environments(warm)[0])
    assert "site-packages" not in "".join(first["path"])
    stamp = (Path(first["path"][-1]) / environment.LIST).stat().st_mtime_ns
    again = warm.set(CI_KIT_INDEX_URL=CLOSED).run("facts")
    assert again.code == 0
    assert (Path(first["path"][-1]) / environment.LIST).stat().st_mtime_ns == stamp


def test_only_the_room_with_a_lock_of_its_own_pays_for_it(cold: Kit) -> None:
    plain = cold.run("facts").facts
    assert not (Path(plain["path"][-1]) / "coverage").exists()
    own = cold.run("wide").facts
    assert own["path"][:-1] == plain["path"][:-1]
    assert Path(own["modules"]["coverage"]).is_relative_to(own["path"][-1])
    assert Path(own["modules"]["yaml"]).is_relative_to(own["path"][-1])
    assert cold.run("facts").facts["path"] == plain["path"]
    assert len(_environments(cold)) == 2


def test_a_room_uses_what_another_rooms_start_built(cold: Kit) -> None:
    own = cold.run("wide").facts["path"]
    assert cold.set(CI_KIT_INDEX_URL=CLOSED).run("facts").facts["path"] == own
    assert len(_environments(cold)) == 1


def test_other_processes_of_the_kit_see_the_same(warm: Kit) -> None:
    done = warm.run("spread")
    assert json.loads(done.out) == [warm.run("facts").facts["modules"]["yaml"], 1, 1]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 10, 11, 12])
def test_the_verbs_exit_code_is_the_launchers(code: int, warm: Kit) -> None:
    assert warm.run("code", str(code)).code == code


def test_it_starts_from_anywhere_and_through_symlinks(cold: Kit, tmp_path: Path) -> None:
    kit = Kit.at(tmp_path / "späce and spice" / "ki t", cold.env)
    place = tmp_path / "b in"
    place.mkdir()
    (place / "one").symlink_to(kit.script)
    (place / "two").symlink_to("one")
    for script in (kit.script, place / "one", place / "two"):
        assert kit.run("code", "0", cwd=place, script=script).code == 0
    by_path = kit.set(PATH=f"{place}:{kit.env['PATH']}")
    done = subprocess.run(["two", "code", "12"], cwd="/", env=dict(by_path.env), check=False, timeout=60)
    assert done.returncode == 12


# The environment: races, damage, places that cannot be written, indexes


def test_two_cold_starts_at_once_share_one_environment(cold: Kit) -> None:
    starts = [cold.start(verb) for verb in ("wide", "wide", "wide")]
    ends = [(start.communicate(timeout=120), start.returncode) for start in starts]
    assert [code for _, code in ends] == [0, 0, 0], ends
    assert len({json.loads(out)["path"][-1] for (out, _), _ in ends}) == 1
    assert len(_environments(cold)) == 1, "no draft is left"


def test_two_rooms_may_start_at_once(cold: Kit) -> None:
    starts = [cold.start(verb) for verb in ("facts", "wide")]
    ends = [(start.communicate(timeout=120), start.returncode) for start in starts]
    assert [code for _, code in ends] == [0, 0], ends
    assert len(_environments(cold)) in {1, 2}, "the plain one may have found the other's"


@pytest.mark.parametrize("harm", ["cut", "deleted", "list-lost", "empty-list", "emptied"])
def test_a_damaged_environment_is_built_again(harm: str, cold: Kit) -> None:
    folder = Path(cold.run("facts").facts["path"][-1])
    if harm == "cut":
        (folder / "yaml" / "__init__.py").write_text("")
    elif harm == "deleted":
        (folder / "yaml" / "loader.py").unlink()
    elif harm == "list-lost":
        (folder / environment.LIST).unlink()
        (folder / "yaml" / "__init__.py").unlink()
    elif harm == "empty-list":
        (folder / environment.LIST).write_text("")
    else:
        shutil.rmtree(folder)
        folder.mkdir()
    done = cold.run("facts")
    assert done.code == 0, done
    assert environment.is_complete(folder)
    assert _environments(cold) == [folder.name]


def test_another_lock_gets_another_environment(cold: Kit) -> None:
    first = cold.run("facts").facts["path"][-1]
    with (cold.root / "requirements" / "runtime.txt").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    assert cold.run("facts").facts["path"][-1] != first
    assert len(_environments(cold)) == 2


def test_the_runners_tool_cache_comes_first(cold: Kit, tmp_path: Path) -> None:
    done = cold.set(RUNNER_TOOL_CACHE=str(tmp_path / "tool cache")).run("facts")
    assert Path(done.facts["path"][-1]).parent == tmp_path / "tool cache" / "ci-kit"


@pytest.mark.parametrize("runner", ["self-hosted", None])
def test_on_a_runner_of_ones_own_nothing_that_another_job_left_is_run(
    runner: str | None, cold: Kit, tmp_path: Path
) -> None:
    shared, mark = tmp_path / "tools", tmp_path / "SPRUNG"
    env = {"GITHUB_ACTIONS": "true", "RUNNER_TOOL_CACHE": str(shared), "CI_KIT_LAUNCHER_PYTHON": None}
    kit = _lone(cold, _python_only(tmp_path / "bin")).set(**env)
    built = kit.set(RUNNER_ENVIRONMENT="github-hosted", RUNNER_TEMP=str(tmp_path / "hosted")).run("facts")
    folder = Path(built.facts["path"][-1])
    assert folder.parent == shared / "ci-kit"
    _write(tmp_path / "evil", f"#!/bin/sh\ntouch '{mark}'\n")
    (tmp_path / "evil").chmod(0o755)
    _write(folder.parent / environment.POINTER, f"{tmp_path / 'evil'}\n")
    loader = folder / "yaml" / "loader.py"
    evil = f"open({str(mark)!r}, 'w')\n"
    loader.write_text(evil + "#" * (loader.stat().st_size - len(evil)))
    assert environment.is_complete(folder), "the list tells damage, not malice"
    job = kit.set(RUNNER_ENVIRONMENT=runner, RUNNER_TEMP=str(tmp_path / "temp"))
    for done in (job.run("facts"), job.set(CI_KIT_INDEX_URL=CLOSED, PATH="/nonexistent").run("facts")):
        assert done.code == 0, done
        assert Path(done.facts["path"][-1]).parent == tmp_path / "temp" / "ci-kit-environments"
        assert os.path.realpath(done.facts["executable"]) == base_python()
    assert not mark.exists()


@pytest.mark.parametrize("home", ["unwritable", "unset"])
def test_where_no_cache_can_be_written_it_says_where_it_is_instead(home: str, cold: Kit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    temp = tmp_path / "temp"
    kit = cold.set(HOME=str(tmp_path / "file") if home == "unwritable" else None, RUNNER_TEMP=str(temp))
    first, second = kit.run("facts"), kit.run("facts")
    assert (first.code, second.code) == (0, 0), first
    assert len([line for line in first.out.splitlines() if "cannot write" in line and str(temp) in line]) == 1
    assert "cannot write" not in second.out
    assert second.facts["path"][-1] == first.facts["path"][-1]
    assert Path(first.facts["path"][-1]).is_relative_to(temp)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user to lose the right to write: needs root")
def test_a_complete_environment_in_a_read_only_cache_serves() -> None:
    python = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if _suits(path)), None)
    if python is None:
        pytest.skip("no system-wide Python 3.11 to 3.14 that another user may run")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        kit = Kit.at(root / "kit", plain_environment(root / "home")).set(CI_KIT_LAUNCHER_PYTHON=python)
        built = kit.run("facts").facts["path"][-1]
        found = subprocess.run(
            [str(kit.script), "facts"], env=dict(kit.env), cwd="/", user=65534, group=65534, extra_groups=[],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert found.returncode == 0, found
        assert json.loads(found.stdout)["path"][-1] == built


def _suits(python: str) -> bool:
    start = ROOT / "scripts/ci_kit/launcher/start.py"
    probe = [python, "-I", "-S", str(start), "--probe"]
    return Path(python).exists() and subprocess.run(probe, capture_output=True, timeout=30, check=False).returncode == 0


def test_without_a_network_it_says_what_each_installer_said(cold: Kit) -> None:
    kit = cold.set(CI_KIT_INDEX_URL=CLOSED, PIP_RETRIES="0", PIP_CONFIG_FILE="/dev/null", GITHUB_ACTIONS="true")
    done = kit.run("facts")
    assert done.code == 3
    assert "uv ended with" in done.out
    assert "pip ended with" in done.out
    assert "CI_KIT_INDEX_URL" in done.out
    assert "\n::error title=ci-kit::cannot install what the kit needs" in f"\n{done.out}"
    assert "Traceback" not in done.out + done.err
    assert _environments(kit) == []


def test_when_uv_fails_pip_installs(cold: Kit, tmp_path: Path) -> None:
    _write(tmp_path / "broken" / "uv", "#!/bin/sh\necho no index for you >&2\nexit 2\n")
    (tmp_path / "broken" / "uv").chmod(0o755)
    assert cold.set(PATH=f"{tmp_path / 'broken'}:/usr/bin:/bin").run("code", "0").code == 0


@contextlib.contextmanager
def _mirror(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A company's index: the wheels of the lock in the simple layout, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of the lock as an index folder."""
    folder = tmp_path_factory.mktemp("mirror")
    locks = [f"-r{ROOT}/requirements/{name}.txt" for name in ("runtime", "runtime-coverage-combine")]
    command = [base_python(), "-I", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--require-hashes", *locks, "-d", str(folder / "all")], check=True, timeout=120)
    for wheel in (folder / "all").iterdir():
        page = folder / "simple" / wheel.name.split("-")[0].lower()
        page.mkdir(parents=True)
        wheel.rename(page / wheel.name)
        (page / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    return folder


@pytest.mark.parametrize("installer", ["uv", "pip", "pip by its own setting"])
def test_a_companys_index_is_used(installer: str, cold: Kit, wheels: Path) -> None:
    with _mirror(wheels) as (url, asked):
        setting = "PIP_INDEX_URL" if installer == "pip by its own setting" else "CI_KIT_INDEX_URL"
        kit = (cold if installer == "uv" else _without_uv(cold)).set(**{setting: url, "PIP_CONFIG_FILE": "/dev/null"})
        assert kit.run("wide").code == 0
    assert len({path for path in asked if path.endswith(".whl")}) == 2


def test_a_wheel_that_is_not_in_the_lock_is_refused(cold: Kit, wheels: Path, tmp_path: Path) -> None:
    shutil.copytree(wheels, tmp_path / "evil")
    for wheel in (tmp_path / "evil").rglob("*.whl"):
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr("evil.py", "")
    with _mirror(tmp_path / "evil") as (url, _):
        done = cold.set(CI_KIT_INDEX_URL=url, PIP_CONFIG_FILE="/dev/null", PIP_FIND_LINKS="").run("facts")
    assert done.code == 3
    assert "hash" in done.out.lower()
    assert _environments(cold) == []


# Finding a Python


def test_a_virtual_environment_gives_way_to_the_python_behind_it(warm: Kit, cold: Kit, tmp_path: Path) -> None:
    subprocess.run([base_python(), "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=60)
    site = next((tmp_path / "venv").rglob("site-packages"))
    _write(site / "yaml.py", "raise SystemExit('the consumer')")
    _write(site / "evil.pth", "import sys; sys.exit('the consumer')\n")
    venv = {"VIRTUAL_ENV": str(tmp_path / "venv"), "PATH": f"{tmp_path / 'venv/bin'}:{cold.env['PATH']}"}
    facts = cold.set(CI_KIT_LAUNCHER_PYTHON=None, **venv).run("facts").facts
    assert os.path.realpath(facts["executable"]) == base_python()
    assert str(tmp_path / "venv") not in json.dumps(facts["path"])
    assert facts["modules"]["yaml"].endswith(f"{_environments(cold)[0]}/yaml/__init__.py")


def _python_only(folder: Path, name: str = "python3") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(base_python())
    return str(folder)


def _lone(kit: Kit, path: str, **more: str) -> Kit:
    """The kit with its own installer still in reach but nothing else on PATH."""
    (Path(kit.env["HOME"]) / ".local" / "bin").mkdir(parents=True)
    uv = Path(kit.env["HOME"]) / "tools" / "uv"
    if uv.exists():
        shutil.copy(uv, Path(kit.env["HOME"]) / ".local" / "bin" / "uv")
    return kit.set(CI_KIT_LAUNCHER_PYTHON=None, PATH=path, **more)


@pytest.mark.parametrize("name", ["python3", "python3.12", "python"])
def test_a_python_on_path_is_found(name: str, cold: Kit, tmp_path: Path) -> None:
    assert _lone(cold, _python_only(tmp_path / "bin", name)).run("code", "0").code == 0


def test_the_one_of_setup_python_and_of_the_tool_cache_are_found(cold: Kit, tmp_path: Path) -> None:
    _python_only(tmp_path / "tools" / "Python" / "3.12.9" / "x64" / "bin")
    kit = _lone(cold, "/nonexistent")
    assert kit.set(pythonLocation=str(tmp_path / "tools/Python/3.12.9/x64")).run("code", "0").code == 0
    (_cache(cold) / environment.POINTER).unlink()
    assert kit.set(RUNNER_TOOL_CACHE=str(tmp_path / "tools")).run("code", "0").code == 0


def test_unsuitable_ones_are_passed_over(cold: Kit, tmp_path: Path) -> None:
    _write(tmp_path / "bin" / "python3", "#!/bin/sh\necho cpython 3.8\nexit 1\n")
    _write(tmp_path / "bin" / "python3.13", "#!/bin/sh\nexit 127\n")
    for script in (tmp_path / "bin").iterdir():
        script.chmod(0o755)
    kit = _lone(cold, str(tmp_path / "bin"))
    (Path(kit.env["HOME"]) / ".local/bin/uv").unlink(missing_ok=True)
    done = kit.run("code", "0")
    assert done.code == 3
    assert "python3 (cpython 3.8)" in done.err
    assert "python3.13 (does not run)" in done.err
    assert "CI_KIT_LAUNCHER_PYTHON" in done.err
    assert done.out == ""
    assert kit.set(GITHUB_ACTIONS="true").run("code", "0").out.startswith("::error title=ci-kit::found no CPython")
    _python_only(tmp_path / "bin", "python")
    assert kit.run("code", "0").code == 0


def test_a_python_that_was_named_must_be_one(warm: Kit) -> None:
    for wrong in ("/nonexistent/python", "no-such-python"):
        done = warm.set(CI_KIT_LAUNCHER_PYTHON=wrong).run("code", "0")
        assert (done.code, done.out) == (2, "")
        assert f"'{wrong}' (does not run)" in done.err


def test_a_python_that_was_named_must_suit(warm: Kit, tmp_path: Path) -> None:
    _write(tmp_path / "python", "#!/bin/sh\necho cpython 3.8\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    kit = warm.set(CI_KIT_LAUNCHER_PYTHON=str(tmp_path / "python"))
    done = kit.run("code", "0")
    assert (done.code, done.out) == (2, "")
    assert f"CI_KIT_LAUNCHER_PYTHON is '{tmp_path}/python' (cpython 3.8)." in done.err
    told = kit.set(GITHUB_ACTIONS="true").run("code", "0")
    assert told.out == f"::error title=ci-kit::{done.err.removeprefix('ci-kit: ')}"


@pytest.mark.parametrize("variable", ["CI_KIT_LAUNCHER_PYTHON", "CI_KIT_LAUNCHER_PREFERS"])
def test_a_message_is_one_line_and_holds_no_command(variable: str, warm: Kit, tmp_path: Path) -> None:
    """Neither the name of a Python nor what a program of that name prints reaches the runner as a command."""
    evil = tmp_path / "100%" / "x\r\n::set-env name=A::b ##[error]c" / "python"
    _write(evil, "#!/bin/sh\nprintf 'cpython\\n::error::owned\\n##[error]too'\nexit 1\n")
    evil.chmod(0o755)
    env = {"CI_KIT_LAUNCHER_PYTHON": None, "PATH": _python_only(tmp_path / "bin"), variable: str(evil)}
    done = warm.set(GITHUB_ACTIONS="true", **env).run("code", "0")
    demanded = variable == "CI_KIT_LAUNCHER_PYTHON"
    assert done.code == (2 if demanded else 0)
    lines = done.err.splitlines()
    assert [line.startswith("ci-kit: ") for line in lines] == [True]
    assert "(does not run)" in lines[0]
    assert "owned" not in done.out + done.err
    assert "##[" not in done.out + done.err
    assert "100%/x  ::set-env" in lines[0]
    said = [line for line in done.out.splitlines() if line]
    assert [line.startswith("::error title=ci-kit::") for line in said] == [True] * demanded
    assert all("100%25/x" in line for line in said)


@pytest.fixture
def another() -> str:
    """A second interpreter that suits, which no search finds first."""
    found = next((path for minor in (12, 13, 14) if (path := find_python(f"3.{minor}")) and _suits(path)), None)
    if found is None or os.path.realpath(found) == base_python():
        pytest.skip("this machine has one suitable Python only")
    return os.path.realpath(found)


def test_a_preferred_python_goes_before_the_remembered_one_and_is_not_remembered(
    cold: Kit, another: str, tmp_path: Path
) -> None:
    kit = _lone(cold, _python_only(tmp_path / "bin"))
    assert os.path.realpath(kit.run("facts").facts["executable"]) == base_python()
    done = kit.set(CI_KIT_LAUNCHER_PREFERS=another).run("facts")
    assert os.path.realpath(done.facts["executable"]) == another
    assert "preferred" not in done.err
    assert (_cache(cold) / environment.POINTER).read_text() == base_python() + "\n"
    for empty in ("", None):
        facts = kit.set(CI_KIT_LAUNCHER_PREFERS=empty).run("facts").facts
        assert os.path.realpath(facts["executable"]) == base_python()
    demanded = kit.set(CI_KIT_LAUNCHER_PREFERS=another, CI_KIT_LAUNCHER_PYTHON=base_python()).run("facts").facts
    assert os.path.realpath(demanded["executable"]) == base_python()


def test_the_preferred_python_of_a_virtual_environment_is_the_one_behind_it(
    cold: Kit, another: str, tmp_path: Path
) -> None:
    subprocess.run([another, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=60)
    kit = _lone(cold, _python_only(tmp_path / "bin"), CI_KIT_LAUNCHER_PREFERS=str(tmp_path / "venv/bin/python"))
    facts = kit.run("facts").facts
    assert os.path.realpath(facts["executable"]) == another
    assert str(tmp_path / "venv") not in json.dumps([facts["path"], facts["executable"]])


def test_a_preferred_python_that_does_not_suit_costs_one_line(cold: Kit, tmp_path: Path) -> None:
    _write(tmp_path / "old" / "python", "#!/bin/sh\necho pypy 3.11\nexit 1\n")
    (tmp_path / "old" / "python").chmod(0o755)
    kit = _lone(cold, _python_only(tmp_path / "bin"))
    assert kit.run("code", "0").code == 0
    for wrong, why in ((str(tmp_path / "old/python"), "pypy 3.11"), ("/nonexistent/python", "does not run")):
        done = kit.set(CI_KIT_LAUNCHER_PREFERS=wrong).run("facts")
        assert done.code == 0
        assert os.path.realpath(done.facts["executable"]) == base_python()
        assert done.err == f"ci-kit: the preferred Python '{wrong}' cannot run the kit ({why}), so another one does.\n"


def test_a_preferred_version_is_found_on_path_and_in_the_tool_cache(cold: Kit, another: str, tmp_path: Path) -> None:
    version = subprocess.run(
        [another, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"],
        capture_output=True, text=True, check=True, timeout=60,
    ).stdout.strip()  # fmt: skip
    kit = _lone(cold, _python_only(tmp_path / "bin")).set(CI_KIT_LAUNCHER_PREFERS=version)
    absent = kit.run("facts")
    assert os.path.realpath(absent.facts["executable"]) == base_python()
    assert f"the preferred Python '{version}' cannot run the kit (does not run)" in absent.err
    broken = tmp_path / "tools" / "Python" / f"{version}.0" / "x64" / "bin" / "python3"
    _write(broken, "#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    in_cache = tmp_path / "tools" / "Python" / f"{version}.9" / "x64" / "bin" / "python3"
    in_cache.parent.mkdir(parents=True)
    in_cache.symlink_to(another)
    found = kit.set(AGENT_TOOLSDIRECTORY=str(tmp_path / "tools")).run("facts")
    assert (os.path.realpath(found.facts["executable"]), found.err) == (another, "")
    (tmp_path / "bin" / f"python{version}").symlink_to(another)
    found = kit.run("facts")
    assert (os.path.realpath(found.facts["executable"]), found.err) == (another, "")


def test_the_python_of_the_first_start_serves_the_next(cold: Kit, tmp_path: Path) -> None:
    kit = _lone(cold, _python_only(tmp_path / "bin"))
    assert kit.run("code", "0").code == 0
    pointer = _cache(cold) / environment.POINTER
    assert pointer.read_text() == base_python() + "\n"
    assert kit.set(PATH="/nonexistent").run("code", "0").code == 0
    pointer.write_text("/nonexistent/python\n")
    assert kit.run("code", "0").code == 0
    assert pointer.read_text() == base_python() + "\n"


# The time limit and cancellation


def _alive(pids: list[int]) -> list[int]:
    return sorted({process.pid for process in family.running()} & set(pids))


@pytest.mark.parametrize("by", ["option", "environment"])
def test_at_the_limit_everything_ends_however_stubborn(by: str, warm: Kit) -> None:
    option = ["--timeout", "1s"] if by == "option" else []
    kit = warm.set(GITHUB_ACTIONS="true", CI_KIT_TIMEOUT="1s" if by == "environment" else "30m")
    done = kit.run("stay", "put", *option)
    pids = json.loads(done.out.splitlines()[0])
    assert len(pids) == 2
    assert done.code == 3
    assert _alive(pids) == []
    assert not [p for p in family.running() if p.parent in pids]
    assert "::error title=ci-kit::ci-kit stay put was stopped at its time limit of 1s." in done.out


def test_a_verb_may_write_its_report_at_the_limit(warm: Kit, tmp_path: Path) -> None:
    done = warm.run("polite", str(tmp_path / "report"), "--timeout=2s")
    assert done.code == 3
    assert (tmp_path / "report").read_text() == "stopped"


def test_a_limit_that_is_not_reached_changes_nothing(warm: Kit) -> None:
    assert warm.run("code", "12", "--timeout", "1h30m").code == 12
    assert warm.set(CI_KIT_TIMEOUT="").run("code", "0").code == 0


@pytest.mark.parametrize("wrong", ["10", "5x", "0s", "-1m"])
def test_a_wrong_limit_is_the_callers_mistake(wrong: str, warm: Kit) -> None:
    done = warm.run("code", "0", "--timeout", wrong)
    assert done.code == 2
    assert "input timeout" in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_cancellation_is_passed_on(number: signal.Signals, warm: Kit, tmp_path: Path) -> None:
    start = warm.start("polite", str(tmp_path / "report"))
    assert start.stdout is not None
    assert start.stdout.readline() == "ready\n"
    start.send_signal(number)
    start.communicate(timeout=60)
    assert start.returncode == 128 + number
    # Nobody hangs up on a runner; SIGHUP ends a verb without ceremony.
    assert (tmp_path / "report").exists() == (number is not signal.SIGHUP)


def test_a_runner_that_cancels_its_shell_cancels_the_verb(warm: Kit, tmp_path: Path) -> None:
    """As GitHub's runner starts a step with `shell: bash`; it signals the process it started, and no other."""
    script = tmp_path / "script.sh"
    script.write_text(f'exec "{warm.script}" polite "$REPORT"\n')
    shell = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
        env={**warm.env, "REPORT": str(tmp_path / "report")}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert shell.stdout is not None
    assert shell.stdout.readline() == "ready\n"
    shell.send_signal(signal.SIGINT)
    shell.communicate(timeout=60)
    assert (tmp_path / "report").read_text() == "stopped"


def test_a_second_cancellation_does_not_wait(warm: Kit) -> None:
    start = warm.start("stay")
    assert start.stdout is not None
    pids = json.loads(start.stdout.readline())
    start.send_signal(signal.SIGINT)
    start.send_signal(signal.SIGTERM)
    start.communicate(timeout=60)
    assert start.returncode in {128 + signal.SIGINT, 128 + signal.SIGTERM}, "the kernel may deliver either first"
    assert _alive(pids) == []


def test_a_verb_that_is_killed_is_an_infrastructure_failure(warm: Kit) -> None:
    done = warm.run("die")
    assert done.code == 3
    assert "SIGKILL" in done.out


def test_help_lists_rooms_and_verbs(warm: Kit) -> None:
    real = ROOT / "scripts" / "ci-kit"
    helped, bare = warm.run("--help", script=real), warm.run(script=real)
    assert (helped.code, bare.code) == (0, 2)
    for words in ("setup-and-cache", "pipeline plan", "pipeline gate"):
        assert words in helped.out
        assert words in bare.out

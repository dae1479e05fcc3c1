"""setup-and-cache on real projects, with the real uv, the real launcher and the package index."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import shutil
import stat
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ci_kit.clock import SystemClock
from ci_kit.errors import InfrastructureFailure
from ci_kit.github import Event, Workflow
from ci_kit.process import SubprocessRunner
from ci_kit.report import read_report
from ci_kit.test_plugins import NEEDED, Pin, Pins, ensure
from ci_kit.tools import Tools
from integration.launcher_kit import ROOT, base_python, plain_environment

DATA = Path(__file__).parent / "data" / "setup"
CLOSED = "http://127.0.0.1:9/simple"  # nothing listens on the discard port
UV_PROJECT = """
[project]
name = "sample"
version = "1"
requires-python = ">=3.9"
dependencies = ["iniconfig"]
[project.optional-dependencies]
test = ["pluggy"]
docs = ["six"]
[dependency-groups]
dev = ["packaging"]
[tool.uv]
package = false
"""


@dataclass(frozen=True)
class Answer:
    """A verb that has ended: its code, its log, and what it told the runner."""

    code: int
    log: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    exported: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Job:
    """One job on a runner: a workspace, a temporary folder, a HOME that jobs may share."""

    workspace: Path
    temp: Path
    environ: Mapping[str, str]

    def verb(self, verb: str, **inputs: str) -> Answer:
        """Run a verb; the inputs are those of the action, `env_X` sets a variable X."""
        told = {name: self.temp / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH")}
        told["GITHUB_STEP_SUMMARY"] = self.temp / "summary"
        for path in told.values():
            path.write_text("", encoding="utf-8")
        given = {
            ("CI_KIT_" + k.upper()) if not k.startswith("env_") else k.removeprefix("env_"): v
            for k, v in inputs.items()
        }
        environ = {
            **self.environ,
            "GITHUB_ACTIONS": "true",
            "RUNNER_ENVIRONMENT": "github-hosted",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
            "CI_KIT_INTERPRETER": base_python(),
            **{name: str(path) for name, path in told.items()},
            **given,
        }
        done = subprocess.run(
            [str(ROOT / "scripts" / "ci-kit"), "setup-and-cache", verb],
            cwd=self.workspace,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return Answer(
            done.returncode,
            done.stdout,
            assignments(told["GITHUB_OUTPUT"]),
            assignments(told["GITHUB_ENV"]),
            told["GITHUB_PATH"].read_text(encoding="utf-8"),
            told["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8"),
        )

    def install(self, **inputs: str) -> Answer:
        """Install, and expect that it works."""
        answer = self.verb("install", **inputs)
        assert answer.code == 0, answer.log
        return answer

    @property
    def report(self) -> dict[str, Any]:
        """The report, held against its schema."""
        return read_report(self.temp / "ci-kit" / "setup-and-cache.json", "setup-and-cache")

    def packages(self) -> dict[str, str]:
        """What is installed, by name."""
        code = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
        found = self.python("-c", code)
        return {name.lower(): version for name, version in json.loads(found).items()}

    def python(self, *argv: str) -> str:
        """Run the environment's interpreter from elsewhere, so that only what is installed can be imported."""
        program = self.temp / "ci-kit" / "venv" / "bin" / "python"
        return subprocess.run([str(program), *argv], cwd=self.temp, check=True, capture_output=True, text=True).stdout


def assignments(path: Path) -> dict[str, str]:
    found, lines = {}, iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, _, end = line.partition("<<")
        value = list(iter(lambda: next(lines), end))
        found[name] = "\n".join(value)
    return found


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One HOME for all tests: the launcher's environment and uv's cache are filled once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def job(tmp_path: Path, home: Path) -> Job:
    workspace, temp = tmp_path / "Größe und Ruhe" / "project", tmp_path / "run ner" / "_temp"
    workspace.mkdir(parents=True)
    temp.mkdir(parents=True)
    return Job(workspace, temp, plain_environment(home))


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def uv(job: Job, *argv: str) -> None:
    program = shutil.which("uv", path=job.environ["PATH"])
    assert program
    subprocess.run(
        [program, *argv, "--python", base_python()], cwd=job.workspace, env=job.environ, check=True, capture_output=True
    )


def test_a_uv_project_from_decision_to_environment(job: Job, tmp_path: Path) -> None:
    write(job.workspace, {"pyproject.toml": UV_PROJECT, "json.py": "raise SystemExit('the consumer was imported')"})
    uv(job, "lock")
    write(job.workspace, {".python-version": "3.8\n"})
    hostile = {
        "env_UV_PYTHON": "2.7",
        "env_UV_FROZEN": "1",
        "env_UV_PROJECT_ENVIRONMENT": str(tmp_path / "elsewhere"),
        "env_UV_CACHE_DIR": str(tmp_path / "elsewhere"),
        "env_UV_NO_CACHE": "1",
        "env_PYTHONPATH": str(job.workspace),
        "env_VIRTUAL_ENV": str(tmp_path / "elsewhere"),
    }
    decided = job.verb("resolve", **hostile)
    assert decided.code == 0, decided.log
    assert "uv, from uv.lock (it is the project's lock)" in decided.log
    assert "groups dev; extras test" in decided.log
    assert decided.outputs["cache"] == "true"
    assert decided.outputs["key"].startswith(decided.outputs["restore-keys"].splitlines()[0])

    answer = job.install(**hostile)
    assert job.packages().keys() >= {"iniconfig", "pluggy", "packaging", *NEEDED}
    assert "six" not in job.packages()
    python = job.temp / "ci-kit" / "venv" / "bin" / "python"
    assert answer.outputs["python"] == str(python)
    assert answer.outputs["venv"] == answer.exported["VIRTUAL_ENV"] == str(python.parent.parent)
    assert answer.path == f"{python.parent}\n"
    assert (
        answer.outputs["python-version"]
        == job.python("-c", "import platform; print(platform.python_version())").strip()
    )
    assert answer.outputs["cache-hit"] == "miss"
    assert not (tmp_path / "elsewhere").exists()
    assert len(answer.summary.strip().splitlines()) == 2

    report = job.report
    assert report["key"] == decided.outputs["key"]
    assert report["manager"] == "uv"
    assert report["packages"] == len(job.packages())
    assert set(report["plug-ins-added"]) >= set(NEEDED)
    assert report["files"] == [
        {"path": "uv.lock", "sha256": hashlib.sha256((job.workspace / "uv.lock").read_bytes()).hexdigest()}
    ]

    exact = job.install(restored_key=report["key"], restored_exact="true")
    assert exact.outputs["cache-hit"] == "exact"
    assert "Downloaded" not in exact.log
    assert "Prepared" not in exact.log
    prefix = job.install(restored_key="ci-kit-ci-older", restored_exact="false", activate="false")
    assert prefix.outputs["cache-hit"] == "prefix"
    assert (prefix.path, prefix.exported) == ("", {})

    write(job.workspace, {"pyproject.toml": UV_PROJECT.replace('"iniconfig"', '"iniconfig", "six"')})
    stale = job.verb("install")
    assert stale.code == 2
    assert (
        "::error file=uv.lock,title=ci-kit::uv.lock does not match pyproject.toml any more. Run `uv lock`" in stale.log
    )
    assert "Traceback" not in stale.log


def test_on_a_self_hosted_runner_the_cache_is_not_where_other_jobs_write(job: Job, home: Path) -> None:
    write(job.workspace, {"requirements.txt": "six\n"})
    hosted = job.verb("resolve")
    assert hosted.outputs["cache-path"] == "~/.cache/ci-kit/uv"
    own = job.verb("resolve", env_RUNNER_ENVIRONMENT="self-hosted")
    assert own.code == 0, own.log
    assert own.outputs["cache-path"] == str(job.temp / "ci-kit-uv")
    assert own.outputs["cache"] == "true"
    assert own.outputs["key"] != hosted.outputs["key"], "an archive holds places relative to the workspace"
    places = home / ".cache" / "ci-kit"
    before = {path: path.stat().st_mtime_ns for path in places.rglob("*")}
    job.install(env_RUNNER_ENVIRONMENT="self-hosted")
    assert "six" in job.packages()
    assert (job.temp / "ci-kit-uv").is_dir()
    assert {path: path.stat().st_mtime_ns for path in places.rglob("*")} == before


def test_a_dependency_that_was_dropped_is_gone(job: Job) -> None:
    write(job.workspace, {"requirements.txt": "six\niniconfig\n"})
    job.install()
    assert "six" in job.packages()
    write(job.workspace, {"requirements.txt": "iniconfig\n"})
    job.install()
    assert "six" not in job.packages()


def test_a_workspace_member_is_installed_from_the_workspaces_lock(job: Job) -> None:
    member = UV_PROJECT.replace("sample", "member")
    write(
        job.workspace,
        {
            "pyproject.toml": '[project]\nname = "root"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["six"]\n'
            '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
            "packages/one/pyproject.toml": member,
        },
    )
    uv(job, "lock")
    answer = job.install(working_directory="packages/one", groups="none", extras="none")
    assert "from uv.lock" in answer.log
    assert job.report["files"][0]["path"] == "../../uv.lock"
    assert "iniconfig" in job.packages()
    assert "six" not in job.packages()
    write(job.workspace, {"packages/one/pyproject.toml": member.replace('"pluggy"', '"six"')})
    stale = job.verb("install", working_directory="packages/one")
    assert stale.code == 2
    assert "::error title=ci-kit::../../uv.lock does not match pyproject.toml any more." in stale.log


def test_requirements_constraints_and_an_editable_project_together(job: Job) -> None:
    write(
        job.workspace,
        {
            "setup.py": "from setuptools import setup\nsetup(name='legacy', version='1', py_modules=['legacy'], install_requires=['six'])\n",
            "legacy.py": "import six\n",
            "requirements.txt": "iniconfig\n",
            "requirements/dev.txt": "-r ../requirements.txt\npackaging\n",
            "constraints.txt": "six==1.16.0\npackaging<25\n",
        },
    )
    answer = job.install()
    packages = job.packages()
    assert packages["six"] == "1.16.0"
    assert int(packages["packaging"].split(".")[0]) < 25
    assert job.python("-c", "import legacy; print(legacy.__file__)").strip() == str(job.workspace / "legacy.py")
    assert "constraints constraints.txt" in answer.log
    assert job.report["project"] == "editable"


def test_a_file_that_is_not_the_locked_one_is_not_installed(job: Job) -> None:
    write(job.workspace, {"requirements.txt": f"six==1.17.0 --hash=sha256:{'0' * 64}\n"})
    answer = job.verb("install")
    assert answer.code == 3
    assert "not the one in the lock" in answer.log


def test_a_pylock(job: Job) -> None:
    write(job.workspace, {"requirements.in": "six\n"})
    uv(job, "pip", "compile", "requirements.in", "--format", "pylock.toml", "-o", "pylock.toml")
    answer = job.install()
    assert "pip, from pylock.toml" in answer.log
    assert "six" in job.packages()


def test_a_poetry_project(job: Job) -> None:
    shutil.copytree(DATA / "poetry-project", job.workspace, dirs_exist_ok=True)
    before = sorted(job.workspace.iterdir())
    answer = job.install()
    assert "poetry, from poetry.lock" in answer.log
    packages = job.packages()
    locked = {"iniconfig": "2.1.0", "pluggy": "1.6.0", "packaging": "26.3"}
    assert {name: packages[name] for name in locked} == locked
    assert not packages.keys() & {"six", "toml", "poetry"}
    assert job.python("-c", "import demo_po; print(demo_po.ANSWER)").strip() == "42"
    assert sorted(job.workspace.iterdir()) == before
    pyproject = (job.workspace / "pyproject.toml").read_text(encoding="utf-8")
    write(job.workspace, {"pyproject.toml": pyproject.replace('["six"]', '["six>1"]')})
    stale = job.verb("install")
    assert stale.code == 2
    assert "Run `poetry lock`" in stale.log


def test_a_pdm_project(job: Job) -> None:
    shutil.copytree(DATA / "pdm-project", job.workspace, dirs_exist_ok=True)
    before = sorted(job.workspace.iterdir())
    job.install(groups="none")
    packages = job.packages()
    assert (packages["iniconfig"], packages["pluggy"]) == ("2.1.0", "1.6.0")
    assert "six" not in packages
    assert sorted(job.workspace.iterdir()) == before
    pyproject = (job.workspace / "pyproject.toml").read_text(encoding="utf-8")
    write(job.workspace, {"pyproject.toml": pyproject.replace('["six"]', '["six>1"]')})
    stale = job.verb("install")
    assert stale.code == 2
    assert "Run `pdm lock`" in stale.log


def test_a_folder_without_any_python_project(job: Job) -> None:
    answer = job.install()
    assert "found no lock, no requirements and no project metadata" in answer.log
    assert set(job.packages()) == set(job.report["plug-ins-added"])


def test_an_index_that_does_not_answer(job: Job, tmp_path: Path) -> None:
    write(job.workspace, {"requirements.txt": "six\n"})
    answer = job.verb("install", cache="false", env_UV_DEFAULT_INDEX=CLOSED, env_UV_HTTP_RETRIES="1")
    assert answer.code == 3
    assert "The package index did not answer" in answer.log
    assert "Traceback" not in answer.log


def test_a_cache_folder_that_cannot_be_written(job: Job, tmp_path: Path) -> None:
    home = tmp_path / "other-home"
    write(home, {".cache/ci-kit/uv": "in the way"})
    write(job.workspace, {"requirements.txt": "six\n"})
    environ = plain_environment(home)
    decided = Job(job.workspace, job.temp, environ).verb("resolve")
    assert decided.outputs["cache"] == "false"
    assert "the cache folder ~/.cache/ci-kit/uv cannot be written, so nothing is cached" in decided.log
    answer = Job(job.workspace, job.temp, environ).install(cache="false")
    assert answer.outputs["cache-hit"] == "off"
    assert "six" in job.packages()


def test_a_clash_with_the_kits_plug_ins_names_both_sides(job: Job) -> None:
    write(job.workspace, {"requirements.txt": "pytest==6.2.5\n"})
    answer = job.verb("install")
    assert answer.code == 2
    assert (
        "pytest-xdist 3.8.0 needs pytest>=7.0.0 (pinned by the kit), but pytest 6.2.5 is in this project's"
        in answer.log
    )
    assert "pytest-xdist" not in job.packages()


def test_nothing_of_the_consumers_is_changed(job: Job) -> None:
    write(job.workspace, {"requirements.txt": "pytest==7.4.4\npytest-cov==5.0.0\ncoverage==7.6.0\npluggy==1.5.0\n"})
    job.install()
    packages = job.packages()
    assert packages["pytest"] == "7.4.4"
    assert packages["pytest-cov"] == "5.0.0"
    assert packages["coverage"] == "7.6.0"
    assert packages["pluggy"] == "1.5.0"
    assert set(job.report["plug-ins-added"]) == {"execnet", "pytest-reportlog", "pytest-rerunfailures", "pytest-xdist"}
    write(job.temp, {"test_it.py": "def test_it():\n    pass\n"})
    assert "1 passed" in job.python("-m", "pytest", "-q", "-n1", "--reruns=1", "--report-log=log.jsonl", "test_it.py")


def test_the_consumers_own_index_reaches_its_installation(job: Job, tmp_path: Path) -> None:
    write(job.workspace, {"requirements.txt": "ci-kit-private-sample\n"})
    with private_index(tmp_path / "index") as url:
        job.install(env_UV_INDEX=url)
    assert job.packages()["ci-kit-private-sample"] == "1.0"


@contextlib.contextmanager
def private_index(folder: Path) -> Iterator[str]:
    """A package index on loopback with one small wheel."""
    name = "ci_kit_private_sample-1.0"
    place = folder / "simple" / "ci-kit-private-sample"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ci_kit_private_sample.py", "")
        wheel.writestr(
            f"{name}.dist-info/METADATA", "Metadata-Version: 2.1\nName: ci-kit-private-sample\nVersion: 1.0\n"
        )
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - handed on
            super().__init__(*args, directory=str(folder), **kwargs)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"working_directory": "nowhere"}, "is no folder of the checkout"),
        ({"manager": "condo"}, "one of auto, uv, pip, poetry, pdm"),
        ({"manager": "poetry"}, "there is no poetry.lock"),
        ({"extras": "nothing-like-it"}, "'nothing-like-it' does not exist"),
        ({"interpreter": "/bin/false"}, "does not work as a Python interpreter"),
    ],
)
def test_bad_input_is_told_before_anything_is_installed(job: Job, inputs: dict[str, str], said: str) -> None:
    write(job.workspace, {"pyproject.toml": UV_PROJECT})
    answer = job.verb("resolve", **inputs)
    assert answer.code == 2, answer.log
    assert said in answer.log
    assert answer.outputs == {}


def test_an_interpreter_that_is_too_old(job: Job, tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    facts = {"executable": "x", "version": "3.8.1", "implementation": "cpython", "abi": "", "machine": "", "libc": ""}
    old.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(facts)}\nEND\n", encoding="utf-8")
    old.chmod(old.stat().st_mode | stat.S_IXUSR)
    answer = job.verb("resolve", interpreter=str(old))
    assert answer.code == 2
    assert "Python 3.8.1 is older than 3.9" in answer.log


def test_a_pyproject_that_is_not_toml(job: Job) -> None:
    write(job.workspace, {"pyproject.toml": "[project\n"})
    answer = job.verb("resolve")
    assert answer.code == 2
    assert "::error file=pyproject.toml,line=1" in answer.log


def test_uv_that_is_missing(job: Job, tmp_path: Path) -> None:
    environ = {**job.environ, "PATH": "/usr/bin:/bin"}
    if shutil.which("uv", path=environ["PATH"]):
        pytest.skip("uv is among the system's own programs here")
    answer = Job(job.workspace, job.temp, environ).verb("install")
    assert answer.code == 2
    assert "uv is not on PATH" in answer.log


def test_plug_ins_without_uv_are_installed_by_the_environments_own_pip(tmp_path: Path) -> None:
    subprocess.run([base_python(), "-m", "venv", str(tmp_path / "own env")], check=True, timeout=120)
    python = tmp_path / "own env" / "bin" / "python"
    environ = {name: value for name, value in plain_environment(tmp_path / "home").items() if name != "PATH"}
    tools = Tools(
        {**environ, "PATH": "/nowhere"}, Event.from_environ({}), Workflow({}), SubprocessRunner(), SystemClock()
    )
    done = ensure(python, tools)
    assert set(done.added) >= set(NEEDED)
    assert ensure(python, tools).added == {}
    assert done.installed.keys() >= {"pip", *NEEDED}


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_nothing_of_the_kits_own_pins_is_ever_built(installer: str, tmp_path: Path) -> None:
    """The hash of a source distribution is right, and yet its build would run code that no lock pins."""
    subprocess.run([base_python(), "-m", "venv", str(tmp_path / "env")], check=True, timeout=120)
    mark, archive = tmp_path / "BUILT", tmp_path / "index" / "pytest_reportlog-99.0.tar.gz"
    archive.parent.mkdir()
    write(tmp_path / "source", {
        "pytest_reportlog-99.0/setup.py": f"open({str(mark)!r}, 'w')\n",
        "pytest_reportlog-99.0/PKG-INFO": "Metadata-Version: 2.1\nName: pytest-reportlog\nVersion: 99.0\n",
    })  # fmt: skip
    with tarfile.open(archive, "w:gz") as file:
        file.add(tmp_path / "source" / "pytest_reportlog-99.0", "pytest_reportlog-99.0")
    lock = f"pytest-reportlog==99.0 --hash=sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}\n"
    pin = Pin("pytest-reportlog", "99.0", "", frozenset(), lock)
    links = {"UV_FIND_LINKS": str(archive.parent), "PIP_FIND_LINKS": str(archive.parent)}
    environ = {**plain_environment(tmp_path / "home"), **links, "UV_NO_INDEX": "1", "PIP_NO_INDEX": "1"}
    if installer == "pip":
        environ["PATH"] = "/nowhere"
    tools = Tools(environ, Event.from_environ({}), Workflow({}), SubprocessRunner(), SystemClock())
    with pytest.raises(InfrastructureFailure) as told:
        ensure(tmp_path / "env" / "bin" / "python", tools, pins=Pins((pin,), (pin,)))
    assert "wheels only" in told.value.next_step
    assert not mark.exists()

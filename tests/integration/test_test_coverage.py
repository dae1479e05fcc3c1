"""What `ci-kit test run` measures over shards, workers and subprocesses equals one plain measured run, to the line."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import coverage
import pytest
from integration.consumer import Consumer, Environment, Ran

Arcs = dict[str, set[tuple[int, int]]]
FILES = {
    "pyproject.toml": """\
        [tool.coverage.run]
        branch = true
        source = ["src"]
        omit = ["src/shop/left_out.py"]
        [tool.pytest.ini_options]
        pythonpath = ["src"]
        """,
    "src/shop/__init__.py": "NAME = 'shop'\n",
    "src/shop/price.py": """\
        def price(count, rebate=False):
            if count < 0:
                raise ValueError(count)
            total = count * 3
            if rebate:
                total -= 1
            return total
        """,
    "src/shop/at_import.py": "import sys\n\nif sys.version_info > (3,):\n    VALUE = 1\nelse:\n    VALUE = 2\n",
    "src/shop/tool.py": """\
        import sys

        def main(argument):
            if argument == "x":
                print("x")
            else:
                print("other")

        if __name__ == "__main__":
            main(sys.argv[1])
        """,
    "src/shop/left_out.py": "VALUE = 1\n",
    "src/shop/plugin.py": "import pytest\n\n\n@pytest.fixture\ndef three():\n    return 3\n",
    "src/shop/forked.py": "def work(number):\n    if number:\n        return number\n    return 0\n",
    "conftest.py": "import shop.at_import\n\npytest_plugins = ['shop.plugin']\n",
    "tests/test_price.py": """\
        import pytest
        from shop.price import price

        def test_price(three):
            assert price(1) == three

        def test_negative():
            with pytest.raises(ValueError):
                price(-1)
        """,
    "tests/test_rebate.py": "from shop.price import price\nimport shop.left_out\n\n\ndef test_rebate():\n    assert price(1, rebate=True) == 2\n",
    "tests/test_tool.py": """\
        import os, subprocess, sys

        def call(argument, cwd):
            environ = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.abspath("src"), os.environ["PYTHONPATH"]])}
            return subprocess.run([sys.executable, "-m", "shop.tool", argument], cwd=cwd, env=environ, check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def test_elsewhere(tmp_path):
            done = call("x", tmp_path)
            assert (done.stdout, done.stderr) == (b"x\\n", b"")

        def test_here():
            call("y", None)
        """,
    "tests/test_more.py": "import shop\n\n\ndef test_name():\n    assert shop.NAME\n\n\nclass TestC:\n    def test_c(self):\n        pass\n",
}  # fmt: skip
OLD = {"7.0": "7.0.5", "7.9": "7.9.2"}


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    # The same release as here: the data is read with it.
    packages = ("pytest", f"coverage=={coverage.__version__}", "pytest-cov")
    return Environment.make(tmp_path_factory.mktemp("environment") / "venv", packages)


def arcs(files: Iterable[Path], root: Path) -> Arcs:
    found: Arcs = {}
    for file in files:
        data = coverage.CoverageData(str(file))
        data.read()
        for name in data.measured_files():
            measured = set(data.arcs(name) or [(0, line) for line in data.lines(name) or ()])
            found.setdefault(os.path.relpath(root / name, root), set()).update(measured)
    return found


def delivered(runs: Iterable[Ran], root: Path) -> Arcs:
    files = []
    for ran in runs:
        manifest = ran.manifest
        names = {entry["name"] for entry in manifest["files"]}
        assert names == {path.name for path in (ran.folder / "coverage").iterdir()} - {
            "manifest.json",
            "sources.sha256",
        }
        assert manifest["root"] == str(root)
        assert manifest["source"] == ["src"]
        assert manifest["branch"] is True
        assert manifest["broken"] == 0
        assert manifest["python-version"] == ran.report["interpreter"]["version"]
        assert manifest["core"] in {"ctrace", "sysmon"}
        files += [ran.folder / "coverage" / name for name in names]
    return arcs(files, root)


def plain(here: Consumer) -> Arcs:
    """One run without the kit; the subprocesses are measured as coverage.py's documentation says."""
    rc = here.temp / "plain.ini"
    lines = ["[run]", "branch = true", f"source = {here.root / 'src'}", f"omit = {here.root / 'src/shop/left_out.py'}"]
    lines += ["parallel = true", f"data_file = {here.temp / 'plain'}"]
    rc.write_text("\n".join(lines))
    subprocess.run(
        [here.python, "-m", "coverage", "run", f"--rcfile={rc}", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=here.root, check=True, capture_output=True, timeout=120,
        env=here.environ(COVERAGE_PROCESS_START=str(rc), PYTHONPATH=str(here.root / "src")),
    )  # fmt: skip
    return arcs(here.temp.glob("plain.*.*"), here.root)


@pytest.fixture(scope="module")
def expected(newest: Environment, tmp_path_factory: pytest.TempPathFactory) -> Arcs:
    found = plain(Consumer.make(tmp_path_factory.mktemp("plain"), newest, FILES))
    assert set(found) >= {"src/shop/tool.py", "src/shop/price.py", "src/shop/at_import.py", "src/shop/plugin.py"}
    assert "src/shop/left_out.py" not in found
    return found


def test_three_shards_with_two_workers_measure_what_one_plain_run_does(
    newest: Environment, expected: Arcs, tmp_path: Path
) -> None:
    here = Consumer.make(tmp_path, newest, FILES)
    runs = [here.run("--shard", f"{index}/3", "--workers", "2") for index in (1, 2, 3)]
    assert [ran.code for ran in runs] == [0, 0, 0], [ran.log for ran in runs]
    assert {result["worker"] for ran in runs for result in ran.report["results"]} <= {"gw0", "gw1"}
    assert delivered(runs, here.root) == expected


@pytest.mark.parametrize("release", OLD)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_releases_without_a_pth_file_measure_the_same(
    expected: Arcs, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, release: str, workers: str
) -> None:
    environment = Environment.make(tmp_path_factory.mktemp("old") / "venv", ("pytest", f"coverage=={OLD[release]}"))
    purelib = next(environment.python.parent.parent.glob("lib/*/site-packages"))
    assert not list(purelib.glob("*coverage*.pth"))
    # The consumer's own start-up hook stays in force behind the kit's.
    own = {"own/sitecustomize.py": "import os\nos.environ['OWN_HOOK'] = 'ran'\n",
           "tests/test_hook.py": "import os\n\n\ndef test_hook():\n    assert os.environ['OWN_HOOK'] == 'ran'\n"}  # fmt: skip
    here = Consumer.make(tmp_path, environment, {**FILES, **own})
    ran = here.run("--workers", workers, env={"PYTHONPATH": str(here.root / "own")})
    assert ran.code == 0, ran.log
    found = delivered([ran], here.root)
    assert set(found) == set(expected)
    lines = {name: {line for arc in found[name] for line in arc if line > 0} for name in found}
    assert lines == {name: {line for arc in expected[name] for line in arc if line > 0} for name in expected}


def test_a_project_that_has_its_subprocesses_measured_already(
    expected: Arcs, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    environment = Environment.make(tmp_path_factory.mktemp("patching") / "venv", ("pytest", "coverage==7.10.7"))
    patched = FILES["pyproject.toml"].replace("branch = true", 'branch = true\n        patch = ["subprocess"]')
    here = Consumer.make(tmp_path, environment, {**FILES, "pyproject.toml": patched})
    ran = here.run("--workers", "2")
    assert ran.code == 0, ran.log
    assert delivered([ran], here.root) == expected


ENDINGS = (
    "exit",
    "terminated",
    "replaced",
    "forked",
    "fork",
    "terminated_fork",
    "fork_pool",
    "spawn",
    "spawn_pool",
    "executor",
)
ENDED = {
    "pyproject.toml": FILES["pyproject.toml"],
    "src/shop/__init__.py": "",
    **{f"src/shop/{name}.py": "def work():\n    return 1\n" for name in ENDINGS},
    "tests/test_endings.py": """\
        import importlib, os, signal, subprocess, sys, time
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        def work(name):
            importlib.import_module("shop." + name).work()

        def start(name, then):
            code = f"import os, sys, time; import shop.{name}; shop.{name}.work(); {then}"
            environ = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.abspath("src"), os.environ["PYTHONPATH"]])}
            return subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE)

        def test_os_exit():
            with start("exit", "os._exit(3)") as process:
                assert process.wait() == 3

        def test_sigterm():
            with start("terminated", "print(1, flush=True); time.sleep(60)") as process:
                process.stdout.readline()
                process.terminate()
                assert process.wait() == -signal.SIGTERM

        def test_exec():
            with start("replaced", "os.execv(sys.executable, [sys.executable, '-c', 'raise SystemExit(4)'])") as process:
                assert process.wait() == 4

        def test_fork_and_os_exit():
            child = os.fork()
            if not child:
                work("forked")
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0

        def test_fork_and_spawn():
            for method in ("fork", "spawn"):
                process = get_context(method).Process(target=work, args=(method,))
                process.start()
                process.join()
                assert process.exitcode == 0

        def wait(name, queue):
            work(name)
            queue.put(1)
            time.sleep(60)

        def test_terminated_fork():
            queue = get_context("fork").SimpleQueue()
            process = get_context("fork").Process(target=wait, args=("terminated_fork", queue))
            process.start()
            queue.get()
            process.terminate()
            process.join()
            assert process.exitcode == -signal.SIGTERM

        def test_pools_that_terminate_their_workers():
            for method in ("fork", "spawn"):
                with get_context(method).Pool(1) as pool:
                    pool.apply(work, (method + "_pool",))

        def test_executor():
            with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
                pool.submit(work, "executor").result()
        """,
}


@pytest.mark.parametrize("release", ["7.4.4", "7.10.7", coverage.__version__])
def test_however_a_process_ends_it_is_measured(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, release: str
) -> None:
    environment = Environment.make(tmp_path_factory.mktemp("ends") / "venv", ("pytest", f"coverage=={release}"))
    here = Consumer.make(tmp_path, environment, ENDED)
    ran = here.run("--reruns", "0")
    assert ran.code == 0, ran.log
    found = delivered([ran], here.root)
    ended = {name for name in ENDINGS if any(2 in arc for arc in found.get(f"src/shop/{name}.py", ()))}
    assert ended == set(ENDINGS)


POOLS = {
    "pyproject.toml": FILES["pyproject.toml"],
    "src/shop/__init__.py": "",
    "src/shop/square.py": "def square(number):\n    return number * number\n",
    **{
        f"tests/test_pools_{part}.py": """\
        from multiprocessing import get_context

        import pytest
        from shop.square import square

        @pytest.mark.parametrize("number", range(60))
        def test_ends_at_once(number):
            with get_context("fork").Pool() as pool:
                assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
        """
        for part in ("a", "b")
    },
}  # fmt: skip


def test_pools_that_end_at_once_end(newest: Environment, tmp_path: Path) -> None:
    """Their workers wait for a lock that is taken from them while they are told to end: once this hung, one time in ten."""
    here = Consumer.make(tmp_path, newest, POOLS)
    ran = here.run("--reruns", "0", "--workers", "2", "--timeout", "150s")
    assert ran.code == 0, ran.log
    assert ran.report["counts"]["passed"] == 120
    assert {2} <= {arc for one in delivered([ran], here.root)["src/shop/square.py"] for arc in one}


def test_the_core_is_chosen_and_said(newest: Environment, tmp_path: Path) -> None:
    # A wish that this Python cannot fulfil ends a plain run; here it is answered.
    ran = Consumer.make(tmp_path, newest, {"lib.py": "", "test_a.py": "def test_a():\n    import lib\n"}).run(
        env={"COVERAGE_CORE": "sysmon"}
    )
    assert ran.code == 0, ran.log
    if sys.version_info < (3, 12):
        assert f"coverage {coverage.__version__} by the C tracer (CPython 3.11 has no sys.monitoring)" in ran.log
    else:
        assert f"coverage {coverage.__version__} by sys.monitoring" in ran.log


def test_no_configuration_at_all(newest: Environment, tmp_path: Path) -> None:
    files = {
        "lib/__init__.py": "X = 1\n",
        "tests/__init__.py": "",
        "tests/test_a.py": "import lib\n\n\ndef test_a():\n    assert lib.X\n",
    }
    here = Consumer.make(tmp_path, newest, files)
    ran = here.run("--name", "two")
    assert ran.code == 0, ran.log
    assert ran.manifest["name"] == ran.report["name"] == "two"
    assert ran.manifest["source"] == ["lib"]
    assert set(arcs([ran.folder / "coverage" / f["name"] for f in ran.manifest["files"]], here.root)) == {
        "lib/__init__.py"
    }


def test_sources_named_to_pytest_cov(newest: Environment, tmp_path: Path) -> None:
    files = {
        "setup.cfg": "[tool:pytest]\naddopts = --cov=one --cov-branch --cov-config=cov.ini\n", "cov.ini": "[run]\nomit = one/o.py\n",
        "one/__init__.py": "X = 1\n", "one/o.py": "X = 1\n", "two/__init__.py": "X = 1\n",
        "test_a.py": "import one.o, two\n\n\ndef test_a():\n    pass\n",
    }  # fmt: skip
    here = Consumer.make(tmp_path, newest, files)
    ran = here.run()
    assert ran.code == 0, ran.log
    assert (ran.manifest["source"], ran.manifest["branch"]) == (["one"], True)
    assert set(arcs([ran.folder / "coverage" / f["name"] for f in ran.manifest["files"]], here.root)) == {
        "one/__init__.py"
    }


def test_a_broken_configuration_is_named(newest: Environment, tmp_path: Path) -> None:
    here = Consumer.make(
        tmp_path, newest, {".coveragerc": "[run]\nbranch = perhaps\n", "test_a.py": "def test_a():\n    pass\n"}
    )
    ran = here.run()
    assert ran.code == 2
    assert "perhaps" in ran.log


def test_half_a_data_file_is_left_out_and_said(newest: Environment, tmp_path: Path) -> None:
    text = """\
        import coverage, pathlib, sqlite3

        def test_a():
            name = coverage.Coverage.current().config.data_file
            pathlib.Path(name + ".half").write_bytes(b"SQLite format 3\\0" + b"x" * 4000)
            pathlib.Path(name + ".empty").write_bytes(b"")
        """
    ran = Consumer.make(tmp_path, newest, {"lib.py": "", "test_a.py": text}).run("--workers", "1")
    assert ran.code == 0, ran.log
    assert ran.manifest["broken"] == 1
    assert any("lost" in note for note in ran.report["notes"])
    for entry in ran.manifest["files"]:
        with closing(sqlite3.connect(ran.folder / "coverage" / entry["name"])) as database:
            assert database.execute("select count(*) from file").fetchone()


def test_without_coverage_nothing_measures(newest: Environment, tmp_path: Path) -> None:
    here = Consumer.make(
        tmp_path, newest, {"test_a.py": "import sys\n\n\ndef test_a():\n    assert 'coverage' not in sys.modules\n"}
    )
    ran = here.run("--coverage", "false", "--workers", "1")
    assert ran.code == 0, ran.log
    assert ran.report["coverage"] is None
    assert sys.executable

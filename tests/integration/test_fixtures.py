"""The plug-in's fixtures between real workers, a crashing one among them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from integration.consumer import Environment
from integration.plugin_kit import PACKAGES, SAY, Finished, environment, run_pytest

SUITE = """\
    import os, random, socket

    import pytest
    import sqlalchemy as sa
    from conftest import User, say


    def count(session):
        return session.scalar(sa.select(sa.func.count()).select_from(User))


    def use_port(port):
        with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()


    @pytest.mark.parametrize("n", range(40))
    def test_port(n, free_port, free_ports):
        random.seed(1)
        say("begin", free_port)
        for port in (free_port, *free_ports(2)):
            use_port(port)
        for port in free_ports(1):
            say("kept", port)
        say("end", free_port)


    @pytest.mark.parametrize("n", range(20))
    def test_name(n, unique_resource_name):
        say("name", unique_resource_name("bucket"))


    @pytest.mark.parametrize("n", range(20))
    def test_rows(n, db_session, db_engine):
        say("database", str(db_engine.url))
        assert count(db_session) == 0
        db_session.add(User(name="kept"))
        db_session.commit()
        with pytest.raises(ValueError), db_session.begin_nested():
            db_session.add(User(name="nested"))
            db_session.flush()
            raise ValueError
        db_session.add(User(name="rolled back"))
        db_session.rollback()
        assert count(db_session) == 1


    def test_sessions_of_the_code_under_test(db_connection, db_session):
        make = sa.orm.sessionmaker(db_connection, join_transaction_mode="create_savepoint")
        with make.begin() as session:
            session.add(User(name="theirs"))
        assert count(db_session) == 1


    def set_up():
        say("up")
        return {"pair": (1, 2)}


    @pytest.mark.parametrize("n", range(20))
    def test_once(n, once_per_run):
        assert once_per_run("shared", set_up, lambda answer: say("down", answer)) == {"pair": [1, 2]}
        say("use")


    def test_crash(once_per_run, free_port, db_session):
        once_per_run("shared", set_up, lambda answer: say("down", answer))
        if WORKERS:
            os._exit(7)


    WORKERS = "PYTEST_XDIST_WORKER" in os.environ
    """
CONFTEST = (
    SAY
    + """\

    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


    class Base(DeclarativeBase):
        pass


    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]


    @pytest.fixture(scope="session")
    def db_metadata():
        return Base.metadata
    """
)


@pytest.fixture(scope="module", params=PACKAGES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return environment(request.param, tmp_path_factory)


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return environment("newest pytest", tmp_path_factory)


def held_at_once(run: Finished) -> list[int]:
    """Ports that a test had while another test had them."""
    held: set[int] = set()
    twice = []
    for kind, _, *values in run.said:
        if kind in {"begin", "kept"}:
            twice += [port for port in values if port in held]
            held.update(values)
        elif kind == "end":
            held.difference_update(values)
    return twice


@pytest.mark.parametrize("version", ["pytest 7.4", "newest pytest"])
def test_four_workers_and_a_crash(version: str, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    made = environment(version, tmp_path_factory)
    run = run_pytest(tmp_path, made, {"conftest.py": CONFTEST, "test_all.py": SUITE}, "-n", "4")
    bad = {name for name, outcome in run.outcomes.items() if outcome != "passed"}
    assert bad == {"test_crash"}, run.log
    assert len(run.outcomes) == 102
    assert held_at_once(run) == []
    assert len(run.of("begin")) == 40
    names = [name for _, name in run.of("name")]
    assert len(set(names)) == len(names) == 20
    workers = {worker for worker, _ in run.of("database")}
    assert len({url for _, url in run.of("database")}) == len(workers) > 1
    assert [len(run.of(kind)) for kind in ("up", "use", "down")] == [1, 20, 1]
    assert [line[0] for line in run.said if line[0] in {"up", "use", "down"}][-1] == "down"
    assert run.of("down")[0][1] == {"pair": [1, 2]}


def test_one_process(newest: Environment, tmp_path: Path) -> None:
    run = run_pytest(tmp_path, newest, {"conftest.py": CONFTEST, "test_all.py": SUITE}, "-n", "0")
    assert run.code == 0, run.log
    assert held_at_once(run) == []
    assert [len(run.of(kind)) for kind in ("up", "use", "down")] == [1, 20, 1]


def test_the_check_of_ports_sees_what_it_must() -> None:
    """A fixture that gives every test the same port is found out."""
    said = [["begin", "gw0", 1], ["begin", "gw1", 1], ["end", "gw0", 1], ["end", "gw1", 1], ["begin", "gw1", 1]]
    assert held_at_once(Finished(0, "", {}, said)) == [1]


LATE = """\
    import time
    from conftest import said, say, set_up


    def test_first(once_per_run):
        \"\"\"The other worker has nothing more to do, and its session ends.\"\"\"
        for _ in range(1000):
            if any(line[0] == "over" for line in said()):
                break
            time.sleep(0.02)
        else:
            raise AssertionError(said())


    def test_second(once_per_run):
        assert once_per_run("late", set_up, lambda answer: say("down", answer)) == 1
        say("use")
    """
EARLY = """\
    from conftest import say, set_up


    def test_early(once_per_run, over):
        assert once_per_run("late", set_up, lambda answer: say("down", answer)) == 1
        say("use")
    """
LATE_CONFTEST = (
    SAY
    + """\

    def said():
        with open(os.environ["SAID"]) as file:
            return [json.loads(line) for line in file]


    def set_up():
        say("up")
        return 1


    @pytest.fixture(scope="session")
    def over():
        yield
        say("over")
    """
)


def test_a_worker_that_asks_late_finds_what_an_early_one_set_up(newest: Environment, tmp_path: Path) -> None:
    files = {"conftest.py": LATE_CONFTEST, "test_a.py": EARLY, "test_b.py": LATE}
    run = run_pytest(tmp_path, newest, files, "-n", "2", "--dist", "loadfile")
    assert run.code == 0, run.log
    assert [line[0] for line in run.said] == ["up", "use", "over", "use", "down"]
    assert {worker for worker, *_ in run.of("use")} == {"gw0", "gw1"}


FAILING = """\
    import os
    import pytest
    from conftest import said, say


    def broken():
        say("broken")
        raise ValueError("no such image")


    def unwanted():
        say("unwanted")
        pytest.skip("not on this machine")


    def deadly():
        say("deadly")
        if sum(line[0] == "deadly" for line in said()) == 1:
            os._exit(3)
        return "second"


    def no_tear_down(answer):
        raise OSError("still in use")


    @pytest.mark.parametrize("n", range(4))
    def test_broken(n, once_per_run):
        once_per_run("broken", broken)


    @pytest.mark.parametrize("n", range(4))
    def test_unwanted(n, once_per_run):
        once_per_run("unwanted", unwanted)


    @pytest.mark.parametrize("n", range(4))
    def test_deadly(n, once_per_run):
        assert once_per_run("deadly", deadly) == "second"


    @pytest.mark.parametrize("n", range(2))
    def test_no_tear_down(n, once_per_run):
        once_per_run("no tear-down", lambda: 1, no_tear_down)
    """


def test_a_set_up_that_fails_skips_or_dies(newest: Environment, tmp_path: Path) -> None:
    run = run_pytest(tmp_path, newest, {"conftest.py": LATE_CONFTEST, "test_a.py": FAILING}, "-n", "2")
    outcomes = {
        kind: [run.outcomes[f"test_{kind}[{n}]"] for n in range(4)] for kind in ("broken", "unwanted", "deadly")
    }
    assert outcomes["broken"] == ["failure"] * 4, run.log
    assert outcomes["unwanted"] == ["skipped"] * 4
    assert outcomes["deadly"].count("passed") == 3
    assert [len(run.of(kind)) for kind in ("broken", "unwanted", "deadly")] == [1, 1, 2]
    # Once as the failure itself, and then told to each who asked later.
    assert run.log.count("ValueError: no such image") >= 4
    assert "once_per_run('broken') failed in gw" in run.log
    assert "once_per_run('no tear-down'): the tear-down failed" in run.log
    assert "OSError: still in use" in run.log


CLASHING = {
    "conftest.py": """\
    import pytest


    @pytest.fixture
    def free_port():
        return "mine"
    """,
    "other_plugin.py": """\
    import pytest


    @pytest.fixture
    def db_session():
        return "another plug-in's"


    @pytest.fixture
    def wait_for(wait_for):
        return ["around", wait_for]
    """,
    "test_a.py": """\
    import pytest


    @pytest.fixture
    def redis_client():
        return "the module's"


    def test_names(free_port, db_session, redis_client, wait_for, unique_resource_name):
        assert (free_port, db_session, redis_client) == ("mine", "another plug-in's", "the module's")
        assert wait_for[0] == "around"
        wait_for[1]
        assert unique_resource_name("a").startswith("a-")
    """,
}


@pytest.mark.parametrize("order", [("-p", "other_plugin"), ()], ids=["after ours", "before ours"])
def test_fixtures_of_others_win(made: Environment, tmp_path: Path, order: tuple[str, ...]) -> None:
    env = {} if order else {"PYTEST_ADDOPTS": "-p other_plugin"}
    (tmp_path / "sitecustomize.py").write_text("import sys, os; sys.path.append(os.getcwd())\n", encoding="utf-8")
    files = {name: textwrap.dedent(text) for name, text in CLASHING.items()}
    run = run_pytest(tmp_path, made, files, "-n", "0", *order, env=env)
    assert run.code == 0, run.log


def test_absent_libraries_and_servers_are_said_in_a_sentence(tmp_path: Path) -> None:
    bare = Environment.make(tmp_path / "venv", ("pytest", "pytest-xdist"))
    suite = """\
    def test_database(db_session):
        pass


    def test_redis(redis_client):
        pass


    def test_names(unique_resource_name, free_port):
        assert free_port
    """
    run = run_pytest(tmp_path, bare, {"test_a.py": suite}, "-n", "0")
    assert run.outcomes == {"test_database": "error", "test_redis": "error", "test_names": "passed"}, run.log
    assert "db_worker_url needs sqlalchemy, which is not installed. Install it: pip install sqlalchemy" in run.log
    assert "redis_url needs redis, which is not installed. Install it: pip install redis" in run.log
    assert "Traceback" not in run.log


def test_what_cannot_be_reached_or_used_is_said_in_a_sentence(newest: Environment, tmp_path: Path) -> None:
    suite = """\
    import pytest


    @pytest.fixture(scope="session")
    def closed(free_ports):
        return free_ports(1)[0]


    @pytest.fixture(scope="session")
    def redis_server_url(closed):
        return f"redis://:top-secret@127.0.0.1:{closed}"


    @pytest.fixture(scope="session", params=["psycopg", "asyncpg", "oracledb", "aiosqlite"])
    def db_url(closed, request):
        scheme = {"oracledb": "oracle+oracledb", "aiosqlite": "sqlite+aiosqlite"}.get(
            request.param, f"postgresql+{request.param}"
        )
        return f"{scheme}://u:top-secret@127.0.0.1:{closed}/app"


    def test_database(db_session):
        pass


    def test_redis(redis_client):
        pass


    def test_waiting(closed, wait_for):
        wait_for(f"tcp://127.0.0.1:{closed}", tries=2)
    """
    run = run_pytest(tmp_path, newest, {"test_a.py": suite}, "--tb=short")
    assert set(run.outcomes.values()) == {"error", "failure"}, run.log
    assert "cannot make a database for this worker on postgresql+psycopg://u:***@127.0.0.1" in run.log
    assert "needs the module asyncpg, which is not installed. Install it, or name another driver" in run.log
    assert "needs the module oracledb" in run.log
    assert "the Redis server redis://127.0.0.1" in run.log
    assert "Connection refused" in run.log
    assert "is not ready after 2 tries: Connection refused" in run.log
    assert "top-secret" not in run.log

"""The plug-in's database and Redis fixtures with real servers and several workers, one of which dies."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from integration.consumer import Environment
from integration.plugin_kit import SAY, environment, run_pytest
from tooling.servers import postgresql_server, redis_server


def free_port() -> int:
    with closing(socket.socket()) as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
        return port


def redis_command(url: str, *words: str) -> str:
    """One command in Redis's inline form; its raw answer."""
    with closing(socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 5)) as link:
        link.sendall((" ".join(words) + "\r\n").encode())
        return link.recv(4096).decode()


@pytest.fixture(scope="module", params=["pytest 7.4", "newest pytest"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return environment(request.param, tmp_path_factory)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with postgresql_server(free_port()) as url:
        yield url


CONFTEST = (
    SAY
    + """\

    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


    class Base(DeclarativeBase):
        pass


    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(unique=True)


    @pytest.fixture(scope="session")
    def db_metadata():
        return Base.metadata
    """
)
SUITE = """\
    import os

    import pytest
    import sqlalchemy as sa
    from conftest import User, say


    def count(session):
        return session.scalar(sa.select(sa.func.count()).select_from(User))


    @pytest.mark.parametrize("n", range(24))
    def test_keys(n, redis_client, redis_url):
        say("number", redis_url)
        assert redis_client.dbsize() == 0
        redis_client.set("key", n)
        assert redis_client.incr("key") == n + 1
        assert redis_client.dbsize() == 1
        assert redis_client.connection_pool.max_connections == 10


    @pytest.mark.parametrize("n", range(24))
    def test_rows(n, db_session, db_engine):
        say("database", db_engine.url.database)
        assert count(db_session) == 0
        db_session.add(User(name="kept"))
        db_session.commit()
        with pytest.raises(sa.exc.IntegrityError):
            db_session.add(User(name="kept"))
            db_session.commit()
        db_session.rollback()
        assert count(db_session) == 1


    def test_crash(redis_client, db_session):
        redis_client.set("left", "behind")
        os._exit(7)
    """


def databases(made: Environment, url: str, folder: Path) -> list[str]:
    """The databases that a server has, seen by a suite of its own."""
    suite = """\
    import sqlalchemy as sa
    from conftest import say


    def test_list(db_url):
        with sa.create_engine(db_url).connect() as connection:
            say("list", list(connection.scalars(sa.text("select datname from pg_database where not datistemplate"))))
    """
    run = run_pytest(folder, made, {"conftest.py": SAY, "test_list.py": suite}, "-n", "0", env={"DATABASE_URL": url})
    return list(run.of("list")[0][1])


def test_four_workers_and_a_crash(made: Environment, postgresql: str, tmp_path: Path) -> None:
    files = {"conftest.py": CONFTEST, "test_all.py": SUITE}
    with redis_server(free_port(), "--databases", "6") as redis:
        redis_command(redis, "SET", "precious", "1")
        env = {"REDIS_URL": f"{redis}/0", "DATABASE_URL": postgresql, "TMPDIR": str(tmp_path)}
        run = run_pytest(tmp_path, made, files, "-n", "4", env=env)
        assert {name for name, outcome in run.outcomes.items() if outcome != "passed"} == {"test_crash"}, run.log
        assert len(run.outcomes) == 49
        for kind in ("number", "database"):
            pairs = {(worker, value) for worker, value in run.of(kind)}
            assert len(pairs) == len({worker for worker, _ in pairs}) > 1
        assert redis_command(redis, "GET", "precious") == "$1\r\n1\r\n"
        # What the dead worker left is taken over and cleared by the next run.
        files["test_all.py"] = SUITE.replace("os._exit(7)", "pass")
        again = run_pytest(tmp_path, made, files, "-n", "2", env=env)
        assert again.code == 0, again.log
        assert redis_command(redis, "INFO", "keyspace").count("keys=") == 1
    (tmp_path / "list").mkdir()
    assert databases(made, postgresql, tmp_path / "list") == ["postgres"]


def test_more_workers_than_databases(made: Environment, tmp_path: Path) -> None:
    suite = "def test_keys(redis_client):\n    redis_client.set('a', 1)\n"
    with redis_server(free_port(), "--databases", "1") as redis:
        redis_command(redis, "SET", "precious", "1")
        run = run_pytest(tmp_path, made, {"test_a.py": suite}, "-n", "0", env={"REDIS_URL": redis})
        assert redis_command(redis, "GET", "precious") == "$1\r\n1\r\n"
    assert run.outcomes == {"test_keys": "error"}
    assert "all 1 Redis databases are taken by other workers or hold data" in run.log
    assert "redis-server --databases 64" in run.log

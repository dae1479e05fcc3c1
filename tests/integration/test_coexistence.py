"""Suites with other well-known plug-ins and libraries, through `ci-kit test run`: workers, coverage and the stream."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.consumer import Consumer
from integration.plugin_kit import environment

SETTINGS = """\
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.sqlite", "TEST": {"NAME": "test.sqlite"}}}
    INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
    SECRET_KEY = "x"
    USE_TZ = True
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    """
FILES = {
    "pytest.ini": """\
    [pytest]
    pythonpath = .
    DJANGO_SETTINGS_MODULE = settings
    asyncio_mode = strict
    asyncio_default_fixture_loop_scope = function
    """,
    "settings.py": SETTINGS,
    "shop.py": "import time\n\n\ndef now():\n    return time.time()\n",
    "tests/test_asyncio.py": """\
    import asyncio
    import pytest


    @pytest.mark.asyncio
    @pytest.mark.parametrize("n", range(5))
    async def test_loop(n, free_port):
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", free_port)
        server.close()
        await server.wait_closed()


    @pytest.mark.asyncio
    async def test_fails():
        await asyncio.sleep(0)
        assert False, "as it should"
    """,
    "tests/test_anyio.py": """\
    import anyio
    import pytest


    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return request.param


    @pytest.mark.anyio
    async def test_backend(unique_resource_name):
        await anyio.sleep(0)
        assert unique_resource_name("a")
    """,
    "tests/test_frozen.py": """\
    import socket
    import time
    import pytest
    import shop
    from freezegun import freeze_time


    @pytest.fixture
    def frozen():
        with freeze_time("2001-02-03"):
            yield


    @pytest.mark.parametrize("n", range(5))
    def test_now(frozen, n, free_port, once_per_run, wait_for, unique_resource_name):
        assert shop.now() == time.time() == 981158400
        before = time.monotonic()
        with socket.create_server(("127.0.0.1", free_port)):
            wait_for(f"tcp://127.0.0.1:{free_port}")
        with pytest.raises(pytest.fail.Exception, match="after 3 tries"):
            wait_for(f"tcp://127.0.0.1:{free_port}", tries=3)
        assert once_per_run("frozen", lambda: 1) == 1
        assert time.monotonic() == before


    @freeze_time("2100-01-01")
    def test_fails():
        assert shop.now() == 0
    """,
    "tests/test_responses.py": """\
    import http.server
    import threading
    import pytest
    import requests
    import responses


    @responses.activate
    @pytest.mark.parametrize("n", range(5))
    def test_answers(n, free_port, wait_for):
        responses.get("http://example.invalid/", json={"n": n})
        assert requests.get("http://example.invalid/").json() == {"n": n}
        with http.server.HTTPServer(("127.0.0.1", free_port), http.server.SimpleHTTPRequestHandler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            wait_for(f"http://127.0.0.1:{free_port}/")
            server.shutdown()
        assert len(responses.calls) == 1
    """,
    "tests/test_django.py": """\
    import os
    import pytest


    @pytest.mark.django_db
    @pytest.mark.parametrize("n", range(5))
    def test_users(n, settings):
        from django.contrib.auth.models import User
        from django.db import connection

        assert User.objects.count() == 0
        User.objects.create(username="ada")
        assert User.objects.count() == 1
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        assert worker in str(connection.settings_dict["NAME"])
    """,
}


@pytest.mark.parametrize("version", ["pytest 7.4", "newest pytest"])
def test_all_together(version: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    here = Consumer.make(tmp_path, environment(version, tmp_path_factory), FILES)
    ran = here.run("--workers", "2", "--reruns", "0")
    assert ran.code == 1, ran.log
    bad = {result["id"] for result in ran.report["results"] if result["outcome"] != "passed"}
    assert bad == {"tests/test_asyncio.py::test_fails", "tests/test_frozen.py::test_fails"}, ran.log
    assert len(ran.report["results"]) == 24
    assert all(0 <= result["seconds"] < 60 for result in ran.report["results"])
    assert "as it should" in ran.result("test_asyncio.py::test_fails")["message"]
    assert list((ran.folder / "coverage").iterdir())

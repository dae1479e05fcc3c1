"""Mutants in suites of frameworks that own their process, and in those that end it: the right verdict, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.errors import InfrastructureFailure
from integration.mutation_kit import USUAL, Project, environment, shop, usual

DJANGO = {
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\npythonpath = .\nfilterwarnings = error\n",
    "site_settings.py": """\
        SECRET_KEY = "a key for tests"
        INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "shop"]
        MIDDLEWARE = [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        ROOT_URLCONF = "shop.urls"
    """,
    "shop/__init__.py": "",
    "shop/models.py": """\
        from django.db import models


        class Item(models.Model):
            net = models.IntegerField()

            def gross(self):
                return self.net * 119 // 100
    """,
    "shop/views.py": """\
        from django.contrib.auth.decorators import login_required
        from django.http import HttpResponse
        from django.shortcuts import get_object_or_404

        from shop.models import Item


        @login_required
        def item(request, number):
            found = get_object_or_404(Item, pk=number)
            return HttpResponse(str(found.gross()))
    """,
    "shop/urls.py": """\
        from django.urls import path

        from shop.views import item

        urlpatterns = [path("items/<int:number>/", item)]
    """,
    "tests/test_views.py": """\
        import pytest
        from shop.models import Item

        pytestmark = pytest.mark.django_db


        def test_item(client, django_user_model):
            client.force_login(django_user_model.objects.create_user("ada"))
            made = Item.objects.create(net=100)
            assert client.get(f"/items/{made.pk}/").content == b"119"


        def test_a_stranger_is_sent_away(client):
            assert client.get("/items/1/").status_code == 302
    """,
}


def test_django_with_a_database_and_a_view_that_loses_its_guard(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = Project.make(tmp_path / "project", environment("django", tmp_path_factory), DJANGO)
    run = project.tried(
        ("shop/models.py", "Item.gross", "* 119", "* 120"),
        ("shop/views.py", "", "@login_required\n", "\n"),
        ("shop/views.py", "item", "pk=number", "pk__gte=number"),
    )
    assert [verdict.status for verdict in run.verdicts] == ["killed", "killed", "survived"]
    assert [verdict.killer for verdict in run.verdicts] == [
        "tests/test_views.py::test_item", "tests/test_views.py::test_a_stranger_is_sent_away", None,
    ]  # fmt: skip
    assert run.why_fresh == ""


def test_gevent_is_never_forked(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    python = environment("gevent", tmp_path_factory)
    more = {
        "conftest.py": "from gevent import monkey\n\nmonkey.patch_all()\n",
        "tests/test_many.py": """\
            import gevent
            from shop import price

            def test_side_by_side():
                jobs = [gevent.spawn(price, net, 0) for net in range(5)]
                gevent.joinall(jobs)
                assert [job.value for job in jobs] == list(range(5))
        """,
    }
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more=more)
    run = project.judge(*usual(project, "shop.py"))
    assert [verdict.status for verdict in run.verdicts] == USUAL
    assert {verdict.how for verdict in run.verdicts[:2]} == {"fresh"}
    assert "gevent" in run.why_fresh


KILLERS = {
    "itself": "os.kill(os.getpid(), signal.SIGKILL)",
    "without a word": "os._exit(0)",
}


@pytest.mark.parametrize("victim", KILLERS)
def test_a_suite_that_ends_its_process_is_refused(
    victim: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = environment("newest", tmp_path_factory)
    text = f"import os, signal\n\n\ndef test_ends():\n    {KILLERS[victim]}\n"
    more = {"tests/test_ends.py": text}
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more=more)
    with pytest.raises(InfrastructureFailure, match=r"without any mutant|ended"):
        project.judge(*usual(project, "shop.py"))


def test_a_test_that_ends_a_process_of_its_own_is_no_obstacle(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    more = {
        "tests/test_child.py": """\
            import os, signal, subprocess, sys
            from shop import price

            def test_a_child_is_killed():
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
                os.kill(child.pid, signal.SIGKILL)
                assert child.wait() == -signal.SIGKILL
                assert price(1, 0) == 1

            def test_a_fork_dies():
                pid = os.fork()
                if not pid:
                    os.kill(os.getpid(), signal.SIGKILL)
                assert os.waitpid(pid, 0)[1] == signal.SIGKILL
                assert price(2, 0) == 2
        """,
    }
    python = environment("newest", tmp_path_factory)
    project = shop(tmp_path / "project", python, code="shop.py", package="shop", more=more)
    assert [verdict.status for verdict in project.judge(*usual(project, "shop.py")).verdicts] == USUAL

from __future__ import annotations

import pytest
from ci_kit.config import Mutation
from ci_kit.mutation_decision import PROPOSED, critical_tests, decide, is_critical, is_test

SETTINGS = Mutation(critical=("app/core/jwt.py",))


@pytest.mark.parametrize(
    ("kind", "labels", "changed", "tests", "run", "scope", "reason"),
    [
        ("default-branch", (), None, (), True, "critical", "default branch"),
        ("default-branch", (), ["app/core/jwt.py"], (), True, "critical", "default branch"),
        ("default-branch", (), ["tests/conftest.py"], (), True, "critical", "default branch"),
        ("default-branch", (), ["tests/test_a.py"], ["tests/test_a.py"], True, "critical", "default branch"),
        ("default-branch", (), ["tests/test_a.py"], (), False, "critical", "touches no"),
        ("default-branch", (), ["uv.lock"], (), True, "critical", "default branch"),
        ("default-branch", (), ["README.md", "app/views.py"], (), False, "critical", "touches no"),
        ("pull-request", ("mutation-test",), ["README.md"], (), True, "critical", "has the label mutation-test"),
        ("pull-request", ("other",), ["README.md"], (), False, "diff", "no label mutation-test"),
        ("pull-request", (), ["app/core/jwt.py", "a.md"], (), True, "diff", "app/core/jwt.py"),
        ("pull-request", (), ["tests/test_jwt.py"], ["tests/test_jwt.py"], True, "diff", "the tests of"),
        ("pull-request", (), ["tests/test_jwt.py"], (), False, "diff", "touches no"),
        ("pull-request", (), None, (), True, "diff", "not known"),
        ("pull-request", (), [], (), False, "diff", "touches no"),
        ("other", ("mutation-test",), ["app/core/jwt.py"], (), False, "diff", "neither"),
    ],
)
def test_when_and_what(
    kind: str, labels: list[str], changed: list[str] | None, tests: list[str], run: bool, scope: str, reason: str
) -> None:
    found = decide(kind, labels, changed, SETTINGS, tests=tests)
    assert (found.run, found.scope) == (run, scope)
    assert reason in found.reason
    assert not found.proposed


@pytest.mark.parametrize("kind", ["default-branch", "pull-request"])
def test_where_no_file_is_critical_nothing_runs(kind: str) -> None:
    found = decide(kind, ["mutation-test"], None, SETTINGS, files=["app/views.py", "tests/test_jwt.py"])
    assert not found.run
    assert found.reason == "No file of the repository matches mutation.critical."
    assert "the proposed patterns" in decide(kind, (), None, Mutation(), files=["app/views.py"]).reason
    assert decide(kind, (), None, SETTINGS, files=["app/core/jwt.py"]).run


def test_another_label_can_be_asked_for() -> None:
    settings = Mutation(label="mutate")
    assert decide("pull-request", ["mutate"], [], settings).run
    assert not decide("pull-request", ["mutation-test"], [], settings).run


def test_without_configuration_names_that_sound_like_security_are_proposed() -> None:
    found = decide("pull-request", (), ["src/shop/auth_views.py"], Mutation())
    assert (found.run, found.targets, found.proposed) == (True, PROPOSED, True)
    assert not decide("pull-request", (), ["src/shop/cart.py"], Mutation()).run


def test_a_long_list_is_cut_in_the_reason() -> None:
    found = decide("pull-request", (), [f"app/auth{n}.py" for n in range(5)], Mutation())
    assert found.reason.endswith("app/auth0.py, app/auth1.py, app/auth2.py and 2 more.")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/jwt.py", True),
        ("jwt.py", True),
        ("app/crypto_box.py", True),
        ("tests/jwt.py", False),
        ("app/auth.md", False),
        ("app/author/list.py", False),
        ("test_auth.py", False),
    ],
)
def test_what_is_critical(path: str, expected: bool) -> None:
    assert is_critical(path, PROPOSED) is expected


@pytest.mark.parametrize("path", ["tests/a/b.py", "app/test_x.py", "app/x_test.py", "conftest.py", "app/tests.py"])
def test_what_is_a_test(path: str) -> None:
    assert is_test(path)
    assert not is_test("app/latest.py")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("tests/test_token.py", "from app.core.jwt import Tokens", ("app/core/jwt.py",)),
        ("tests/test_token.py", "def f():\n    from app.core import jwt, x", ("app/core/jwt.py",)),
        ("tests/test_token.py", "import app.core.jwt as j", ("app/core/jwt.py",)),
        ("tests/test_token.py", "import jwt", ()),
        ("tests/test_token.py", "from .core.jwt import x", ()),
        ("tests/test_token.py", "this is no Python", ()),
        ("tests/test_jwt.py", "", ("app/core/jwt.py",)),
        ("tests/jwt_test.py", "", ("app/core/jwt.py",)),
        ("app/other.py", "import app.core.jwt", ()),
    ],
)
def test_which_changed_tests_use_critical_code(path: str, text: str, expected: tuple[str, ...]) -> None:
    assert critical_tests({path: text}, SETTINGS.critical) == ({path: expected} if expected else {})


def test_a_source_folder_is_looked_into() -> None:
    found = critical_tests({"tests/test_a.py": "from shop.jwt import sign"}, ("src/shop/*.py",))
    assert found == {"tests/test_a.py": ("src/shop/jwt.py",)}

from __future__ import annotations

import io
from pathlib import Path

import pytest

from app.core.security import Role, verify_password
from app.manage import main
from app.store import Store
from tests.helpers import PASSWORD, TEST_KEY


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "JWT_SECRET_KEY": TEST_KEY,
        "DATABASE_PATH": str(tmp_path / "auth.sqlite3"),
        "ENVIRONMENT": "test",
        "SCRYPT_LOG2_N": "4",
        "SMOKE_PASSWORD": PASSWORD,
    }


def run(environ: dict[str, str], *argv: str, typed: str = "") -> int:
    return main(argv, environ, io.StringIO(typed))


def stored(environ: dict[str, str]) -> Store:
    return Store(Path(environ["DATABASE_PATH"]))


def test_a_user_gets_the_password_of_a_variable(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(environ, "create-user", "smoke", "--password-env", "SMOKE_PASSWORD") == 0

    assert capsys.readouterr().out == "Created the user smoke with the role user.\n"
    (user,) = stored(environ).users()
    assert (user.name, user.role) == ("smoke", Role.USER)
    assert verify_password(PASSWORD, user.password_hash)


def test_a_user_gets_the_password_that_is_typed(environ: dict[str, str]) -> None:
    argv = ("create-user", "boss", "--role", "admin", "--password-stdin")

    assert run(environ, *argv, typed=f"{PASSWORD}\n") == 0

    (user,) = stored(environ).users()
    assert user.role is Role.ADMIN
    assert verify_password(PASSWORD, user.password_hash)


def test_without_a_password_one_is_made_and_shown_once(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(environ, "create-user", "smoke") == 0

    made = capsys.readouterr().out.splitlines()[1].removeprefix("password: ")
    assert len(made) == 24
    assert verify_password(made, stored(environ).users()[0].password_hash)


def test_an_existing_user_is_changed_only_on_request(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(environ, "create-user", "smoke", "--password-env", "SMOKE_PASSWORD")
    stored(environ).set_active("smoke", False)
    environ["NEW"] = "another long password"
    argv = ("create-user", "smoke", "--password-env", "NEW", "--role", "auditor")

    assert run(environ, *argv) == 1
    assert "The user smoke exists; --or-update changes it." in capsys.readouterr().err
    assert run(environ, *argv, "--or-update") == 0

    (user,) = stored(environ).users()
    assert (user.role, user.active) == (Role.AUDITOR, True)
    assert verify_password("another long password", user.password_hash)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("create-user", "x"), "3 to 32 characters"),
        (("create-user", "smoke", "--password-env", "ABSENT"), "The variable ABSENT is not set."),
        (("create-user", "smoke", "--password-stdin"), "It has fewer than 12 characters."),
        (("issue-token", "nobody"), "There is no active user nobody."),
        (("issue-token", "/"), "There is no active user /."),
    ],
)
def test_a_mistake_is_told_in_one_line(
    environ: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    argv: tuple[str, ...],
    complaint: str,
) -> None:
    assert run(environ, *argv) == 1

    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert complaint in error
    assert error.count("\n") == 1


def test_a_missing_key_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run({}, "migrate") == 1

    assert "JWT_SECRET_KEY is not set" in capsys.readouterr().err


def test_a_token_is_printed_alone(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(environ, "create-user", "smoke", "--password-env", "SMOKE_PASSWORD")
    capsys.readouterr()

    assert run(environ, "issue-token", "Smoke") == 0

    token = capsys.readouterr().out
    assert token.count(".") == 2
    assert token == token.strip() + "\n"


def test_the_schema_can_be_made_beforehand(environ: dict[str, str]) -> None:
    assert run(environ, "migrate") == 0

    assert stored(environ).users() == []

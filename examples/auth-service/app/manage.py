"""Commands for whoever runs the service: `python -m app.manage --help`.

A password is never an argument, because every user of a machine can read those. It comes from
an environment variable or from standard input; without either, one is made and printed once.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from app.accounts import DeniedError
from app.core.config import ConfigError, Settings
from app.core.security import Role, normalized_user_name
from app.services import Services
from app.store import DuplicateUserError

GOOD, FAILED = 0, 1


class CommandError(Exception):
    """The message is for whoever typed the command."""


def main(argv: Sequence[str], environ: Mapping[str, str], stdin: TextIO) -> int:
    arguments = _parser().parse_args(argv)
    try:
        services = Services.build(Settings.from_environ(environ), time.time)
        services.store.migrate()
        if arguments.command == "create-user":
            _create_user(services, arguments, environ, stdin)
        elif arguments.command == "issue-token":
            _issue_token(services, arguments.name)
        else:
            print("The schema is up to date.")
    except (CommandError, ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    return GOOD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.manage")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database's schema up to date")
    create = commands.add_parser("create-user", help="add a user")
    create.add_argument("name")
    create.add_argument("--role", type=Role, choices=list(Role), default=Role.USER)
    source = create.add_mutually_exclusive_group()
    source.add_argument("--password-env", metavar="VARIABLE")
    source.add_argument("--password-stdin", action="store_true")
    create.add_argument(
        "--or-update", action="store_true", help="give an existing user this password and role"
    )
    token = commands.add_parser("issue-token", help="print an access token for a user")
    token.add_argument("name")
    return parser


def _create_user(
    services: Services, arguments: argparse.Namespace, environ: Mapping[str, str], stdin: TextIO
) -> None:
    password, made = _password(arguments, environ, stdin)
    try:
        name = normalized_user_name(arguments.name)
        try:
            services.accounts.create(name, password, arguments.role)
            done = "Created"
        except DuplicateUserError:
            if not arguments.or_update:
                raise CommandError(f"The user {name} exists; --or-update changes it.") from None
            services.accounts.set_password(name, password)
            services.store.set_role(name, arguments.role)
            services.store.set_active(name, True)
            services.store.clear_failures(name)
            done = "Updated"
    except DeniedError as error:
        raise CommandError(f"The password is refused. {' '.join(error.problems)}") from None
    except ValueError as error:
        raise CommandError(str(error)) from None
    print(f"{done} the user {name} with the role {arguments.role}.")
    if made:
        print(f"password: {password}")


def _password(
    arguments: argparse.Namespace, environ: Mapping[str, str], stdin: TextIO
) -> tuple[str, bool]:
    """The password, and whether it was made here."""
    if arguments.password_env:
        password = environ.get(arguments.password_env, "")
        if not password:
            raise CommandError(f"The variable {arguments.password_env} is not set.")
        return password, False
    if arguments.password_stdin:
        return stdin.readline().rstrip("\r\n"), False
    return secrets.token_urlsafe(18), True


def _issue_token(services: Services, raw_name: str) -> None:
    try:
        user = services.store.user(normalized_user_name(raw_name))
    except ValueError:
        user = None
    if user is None or not user.active:
        raise CommandError(f"There is no active user {raw_name}.")
    print(services.accounts.open_session(user).access_token)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], os.environ, sys.stdin))

"""The smoke user's token, and forgeries of it that no service may accept."""

from __future__ import annotations

import base64
import json
import secrets as randomness
from collections.abc import Callable, Iterator, Mapping

from ci_kit.smoke_and_rollback.answers import NotFound, read_json, value_at
from ci_kit.smoke_and_rollback.expectations import wrong_status
from ci_kit.smoke_and_rollback.http_client import Answer, Question
from ci_kit.smoke_and_rollback.redact import redact
from ci_kit.smoke_and_rollback.spec import Auth, Login

LONGEST_TOKEN = 16_384


class NoToken(Exception):
    """There is none; the message says why."""


def login_question(login: Login) -> Question:
    """The request that answers with a token."""
    return Question(login.path, login.method, login.headers, login.json, login.form)


def token_of(answer: Answer, auth: Auth, login: Login, secrets: tuple[str, ...]) -> str:
    """The token in the answer to the login. Raises `NoToken`."""
    if (wrong := wrong_status(answer, login.status, secrets)) is not None:
        raise NoToken(wrong)
    try:
        found = value_at(read_json(answer.body), auth.token_path or "$")
    except NotFound as error:
        raise NoToken(redact(str(error), secrets)) from error
    if not isinstance(found, str):
        raise NoToken(f"{auth.token_path} is no text")
    return usable(found, f"{auth.token_path} of the answer")


def usable(token: str, where: str) -> str:
    """The token, if a header can carry it. Raises `NoToken`."""
    if not 1 <= len(token) <= LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        raise NoToken(f"{where} is no token: expected 1 to {LONGEST_TOKEN} printable characters")
    return token


def with_token(auth: Auth, token: str) -> Mapping[str, str]:
    """The header that carries a token."""
    return {auth.header: f"{auth.scheme} {token}".strip()}


def forgeries(token: str) -> Iterator[tuple[str, str]]:
    """Tokens that must be refused, each with its name: a random one, and two of a JWT that is not signed rightly."""
    yield "a garbage token", randomness.token_urlsafe(max(8, min(48, len(token) * 3 // 4)))
    parts = token.split(".")
    if len(parts) == 3 and all(parts) and _is_json(parts[0]):
        header, claims, signature = parts
        yield "its token with another signature", ".".join((header, claims, _other(signature)))
        # RFC 8725, section 2.1: libraries were found that accept a token that says that it has no signature.
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
        yield "its token without a signature", f"{unsigned}.{claims}."


def _other(signature: str) -> str:
    size = max(1, len(signature) * 3 // 4)
    return next(
        made
        for made in iter(lambda: base64.urlsafe_b64encode(randomness.token_bytes(size)).rstrip(b"=").decode(), None)
        if made != signature
    )


def _is_json(part: str) -> bool:
    try:
        return isinstance(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))), dict)
    except ValueError:
        return False


Command = Callable[[tuple[str, ...], float], str]
"""Runs a program within so many seconds and answers what it printed. Raises `NoToken`."""


def last_line(output: str) -> str:
    """The token in a command's output: its last line that is not empty. Raises `NoToken`."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines:
        raise NoToken("the command printed nothing")
    return usable(lines[-1], "the command's last line")

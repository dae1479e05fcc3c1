"""Requests to the services that are told, over the room's bounded client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.http_client import HttpClient, Question
from ci_kit.smoke_and_rollback.notify.event import NotTold
from ci_kit.smoke_and_rollback.spec import Limits

LIMITS = Limits(request_seconds=15.0, retries=2, max_body_bytes=4_000_000)
_REFUSED = frozenset({401, 403, 404})


@dataclass(frozen=True)
class Answered:
    """An answer with a status."""

    status: int
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def demand(self, what: str, needs: str) -> Any:  # noqa: ANN401 - any JSON
        """The body's data; raises `NotTold` for a status that is no success, and then says what `needs` to be there."""
        if not 200 <= self.status < 300:
            said = f"; needed is {needs}" if self.status in _REFUSED else ""
            raise NotTold(f"{what} answers {self.status}{said}")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise NotTold(f"{what} answers no JSON") from None


class Web:
    """`environ` has the proxies and certificates of this machine."""

    def __init__(self, clock: Clock, environ: Mapping[str, str]) -> None:
        self._clock = clock
        self._environ = environ

    def ask(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answered:  # noqa: ANN401 - any JSON
        """The answer, whatever its status; raises `NotTold` when there is none. The address is in no message."""
        parts = urlsplit(url)
        path = parts.path or "/"
        client = HttpClient(f"{parts.scheme}://{parts.netloc}", LIMITS, self._clock, environ=self._environ)
        try:
            question = Question(
                f"{path}?{parts.query}" if parts.query else path, method, headers=dict(headers or {}), json=body
            )
            answer = client.ask(question)
        finally:
            client.close()
        if answer.status is None:
            raise NotTold(f"{parts.hostname}: {answer.error}")
        return Answered(answer.status, answer.body)

"""HTTP that cannot hang, swell or leak: every request is bounded in time and memory, and no answer raises.

No redirect is followed, so no token can reach another host; TLS is verified; cookies are not kept, so that one request's
login is not another's; no compression is asked for, so that a small answer cannot unfold into a large one.
"""

from __future__ import annotations

import http.client
import math
import ssl
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import requests
import urllib3
from requests.utils import get_environ_proxies

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.http_limits import LimitedAdapter, TimeLimit
from ci_kit.smoke_and_rollback.spec import Limits

RETRIED = frozenset({502, 503, 504})
TIME_IS_UP = "not asked: the time of the whole run is up"
PAUSE_SECONDS = 0.25
READ_BYTES = 65_536
CONNECTIONS = 32


@dataclass(frozen=True)
class Question:
    """A request to the target. `fresh`: on a new connection, past what keep-alive holds on to. `once`: never retried."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    fresh: bool = False
    once: bool = False


@dataclass(frozen=True)
class Answer:
    """What came back. `status` None: nothing did, and `error` says why. `cut`: the body is longer than is read.

    `seconds` is the last attempt's, from sending to the last byte; `retries` the attempts before it. Header names are in
    lower case.
    """

    status: int | None
    body: bytes = field(default=b"", repr=False)
    cut: bool = False
    seconds: float = 0.0
    retries: int = 0
    error: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    request_id: str = ""


class Client(Protocol):
    """How a room asks the target."""

    def ask(self, question: Question, *, within_seconds: float = math.inf) -> Answer:
        """The answer, whatever happens; all attempts together end `within_seconds` (more than 0)."""


class HttpClient:
    """A `Client` of one base URL, for several threads."""

    def __init__(
        self,
        base_url: str,
        limits: Limits,
        clock: Clock,
        *,
        headers: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`environ` may name a file of certificates to trust (`REQUESTS_CA_BUNDLE`, `SSL_CERT_FILE`)."""
        self._base_url = base_url
        self._limits = limits
        self._clock = clock
        self._headers = dict(headers or {})
        given = environ or {}
        self._verify: str | bool = given.get("REQUESTS_CA_BUNDLE") or given.get("SSL_CERT_FILE") or True
        self._proxies = get_environ_proxies(base_url)
        self._adapter = _adapter()

    def close(self) -> None:
        """Let go of the connections."""
        self._adapter.close()

    def ask(self, question: Question, *, within_seconds: float = math.inf) -> Answer:
        """The answer; only a connection error, 502, 503 or 504 is tried again."""
        deadline = self._clock.monotonic() + within_seconds
        attempt = 0
        while True:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return Answer(None, retries=attempt, error=TIME_IS_UP)
            answer, again = self._once(question, min(self._limits.request_seconds, left))
            if not again or question.once or attempt >= self._limits.retries:
                return replace(answer, retries=attempt)
            self._clock.sleep(min(PAUSE_SECONDS * 2**attempt, max(0.0, deadline - self._clock.monotonic())))
            attempt += 1

    def _once(self, question: Question, seconds: float) -> tuple[Answer, bool]:
        """One attempt, and whether another one may go better."""
        identity = uuid.uuid4().hex
        started = self._clock.monotonic()
        adapter = _adapter() if question.fresh else self._adapter
        limit = TimeLimit(seconds)
        try:
            with limit:
                answer = self._exchange(adapter, self._prepared(question, identity), seconds)
            again = answer.status in RETRIED
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            late = limit.expired or isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError)
            answer = Answer(None, error=f"no whole answer within {seconds:.3g} s" if late else _why(error))
            again = not late and _may_pass(error)
        finally:
            if question.fresh:
                adapter.close()
        if limit.expired and answer.status is not None and not answer.cut:
            # A body without a length that is shut down looks whole.
            answer, again = Answer(None, error=f"no whole answer within {seconds:.3g} s"), False
        return replace(answer, seconds=self._clock.monotonic() - started, request_id=identity), again

    def _prepared(self, question: Question, identity: str) -> requests.PreparedRequest:
        headers = {
            "User-Agent": "ci-kit-smoke",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Cache-Control": "no-cache",
            "X-Request-Id": identity,
            **({"Connection": "close"} if question.fresh else {}),
            **self._headers,
            **question.headers,
        }
        return requests.Request(
            question.method, self._base_url + question.path, headers=headers, json=question.json, data=question.form
        ).prepare()

    def _exchange(self, adapter: LimitedAdapter, prepared: requests.PreparedRequest, seconds: float) -> Answer:
        response = adapter.send(
            prepared, stream=True, timeout=(seconds, seconds), verify=self._verify, proxies=self._proxies
        )
        try:
            body, cut = self._body(response.raw)
        finally:
            response.raw.close()  # gives back nothing that was not read to its end
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, body, cut, headers=headers)

    def _body(self, raw: urllib3.BaseHTTPResponse) -> tuple[bytes, bool]:
        """As much as is read, and whether there is more."""
        body = bytearray()
        for chunk in _chunks(raw):
            body += chunk
            if len(body) > self._limits.max_body_bytes:
                return bytes(body[: self._limits.max_body_bytes]), True
        return bytes(body), False


def _adapter() -> LimitedAdapter:
    return LimitedAdapter(pool_connections=1, pool_maxsize=CONNECTIONS, max_retries=0)


def _chunks(raw: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    while chunk := raw.read(READ_BYTES, decode_content=False):
        yield chunk


def _may_pass(error: Exception) -> bool:
    """A connection that failed may be made a moment later; a certificate or a wrong request stays what it is."""
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError | ssl.SSLError):
        return False
    return not isinstance(error, ValueError)  # InvalidURL, InvalidHeader and the like


def _why(error: Exception) -> str:
    """What went wrong, in the words of its cause. Never the whole text, which may hold a header's value."""
    if isinstance(error, ValueError):
        return f"the request cannot be sent ({type(error).__name__})"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS: the certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {cause.reason or 'the handshake failed'}"
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, requests.RequestException):
            return f"no connection: {cause.strerror}"
    return f"the connection broke ({type(list(_causes(error))[-1]).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what lies under it: requests and urllib3 wrap errors as arguments, reasons and causes."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            waiting += [getattr(found, "reason", None), found.__cause__, found.__context__, *found.args]
    return iter(seen)

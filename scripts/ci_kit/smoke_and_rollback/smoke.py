"""The smoke run: wait for readiness, prove the version, log in, ask every check with its controls, measure, doubt.

Readiness and version come first, each answer on a new connection: before the deployed release is proven to answer, no
other answer says anything about it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.answers import NotFound, read_json, shown, value_at
from ci_kit.smoke_and_rollback.expectations import (
    from_a_cache,
    percentile,
    requests_needed,
    too_slow,
    wrong_answer,
    wrong_status,
)
from ci_kit.smoke_and_rollback.http_client import Answer, Client, Question
from ci_kit.smoke_and_rollback.smoke_result import CheckResult, SmokeResult
from ci_kit.smoke_and_rollback.spec import Auth, Check, Spec
from ci_kit.smoke_and_rollback.tokens import (
    Command,
    NoToken,
    forgeries,
    last_line,
    login_question,
    token_of,
    usable,
    with_token,
)

PAUSE_SECONDS = 0.5
AT_ONCE = 8
# Some requests may meet a moment of the network; more is a release that comes and goes.
FEW_RETRIES = 2
RETRIED_SHARE = 0.05
# No service answers faster than this: who does was not asked.
LEAST_SECONDS = 0.0001


def run_smoke(
    spec: Spec, client: Client, clock: Clock, *, command: Command, mask: Callable[[str], None]
) -> SmokeResult:
    """Ask everything, within the specification's time. `mask` is called with the token before it is used."""
    run = _Run(spec, client, clock)
    started = clock.monotonic()
    checks = list(run.all(command, mask))
    return SmokeResult(tuple(checks), run.version, run.answered, clock.monotonic() - started)


class _Run:
    def __init__(self, spec: Spec, client: Client, clock: Clock) -> None:
        self.version = ""
        self.answered = 0
        self._spec = spec
        self._client = client
        self._clock = clock
        self._deadline = clock.monotonic() + spec.limits.run_seconds
        self._secrets = spec.secrets
        self._lock = threading.Lock()
        self._seconds = 0.0

    def all(self, command: Command, mask: Callable[[str], None]) -> Iterator[CheckResult]:
        """Every result. What needs a ready release of the right version is not asked of another one."""
        for step in (self._ready, self._proven):
            for result in step():
                yield result
                if not result.ok:
                    return
        token: str | None = None
        if self._spec.auth is not None:
            started = self._clock.monotonic()
            try:
                token, retries = self._token(self._spec.auth, command)
            except NoToken as error:
                yield CheckResult("login", "login", ok=False, why=str(error), seconds=self._since(started))
            else:
                mask(token)
                self._secrets = (*self._secrets, token)
                yield CheckResult("login", "login", ok=True, seconds=self._since(started), retries=retries)
        results: list[CheckResult] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for found in pool.map(lambda check: list(self._asked(check, token)), self._spec.checks):
                results += found
        good = {result.name for result in results if result.ok and result.kind == "check"}
        # One after the other: a measurement must not compete with others.
        results += [self._measured(check, token) for check in self._spec.checks if check.latency and check.name in good]
        yield from results
        yield self._trust(results)

    def _since(self, started: float) -> float:
        return self._clock.monotonic() - started

    def _ask(self, question: Question) -> Answer:
        answer = self._client.ask(question, within_seconds=self._deadline - self._clock.monotonic())
        with self._lock:
            if answer.status is not None:
                self.answered += 1
                self._seconds += answer.seconds
        return answer

    def _ready(self) -> Iterator[CheckResult]:
        ready = self._spec.ready
        if ready is None:
            return
        question = Question(ready.path, fresh=True, once=True)
        yield self._in_a_row(
            "ready",
            question,
            lambda answer: wrong_status(answer, ready.status, self._secrets),
            ready.consecutive,
            ready.timeout_seconds,
        )

    def _proven(self) -> Iterator[CheckResult]:
        expect = self._spec.target.expect_version
        seen: set[str] = set()

        def wrong(answer: Answer) -> str | None:
            problem = wrong_status(answer, 200, self._secrets)
            if problem is not None:
                return problem
            try:
                found = value_at(read_json(answer.body), expect.json)
            except NotFound as error:
                return str(error)
            self.version = found if isinstance(found, str) else shown(found, expect.json, self._secrets)
            if found != expect.equals:
                told, wanted = (shown(value, expect.json, self._secrets) for value in (found, expect.equals))
                return f"the version {told} answers, not {wanted}"
            return from_a_cache(answer, seen)

        question = Question(expect.path, fresh=True, once=True)
        yield self._in_a_row("version", question, wrong, expect.consecutive, expect.timeout_seconds)

    def _in_a_row(
        self,
        name: str,
        question: Question,
        wrong: Callable[[Answer], str | None],
        wanted: int,
        timeout_seconds: float,
    ) -> CheckResult:
        """Ask until the answer was right so often in a row, or the time is up."""
        started = self._clock.monotonic()
        until = min(started + timeout_seconds, self._deadline)
        row = asked = 0
        problems: Counter[str] = Counter()
        while row < wanted:
            answer = self._ask(question)
            asked += 1
            problem = wrong(answer)
            row = row + 1 if problem is None else 0
            if problem is not None:
                problems[problem] += 1
                if self._clock.monotonic() + PAUSE_SECONDS >= until:
                    last = f"{problem}" + (f" ({problems[problem]} of {asked} times)" if asked > 1 else "")
                    why = f"not {wanted} times in a row within {until - started:.3g} s; in the end: {last}"
                    return CheckResult(name, name, ok=False, why=why, seconds=self._since(started), samples=asked)  # type: ignore[arg-type]
                self._clock.sleep(PAUSE_SECONDS)
        return CheckResult(name, name, ok=True, seconds=self._since(started), samples=asked)  # type: ignore[arg-type]

    def _token(self, auth: Auth, command: Command) -> tuple[str, int]:
        if auth.login is not None:
            answer = self._ask(login_question(auth.login))
            return token_of(answer, auth, auth.login, self._secrets), answer.retries
        if auth.command:
            left = self._deadline - self._clock.monotonic()
            return last_line(command(auth.command, max(0.1, min(auth.command_seconds, left)))), 0
        return usable(auth.token or "", "the variable's value"), 0

    def _asked(self, check: Check, token: str | None) -> Iterator[CheckResult]:
        """The check itself, then its controls."""
        if check.auth and token is None:
            yield CheckResult(check.name, "check", ok=False, why="not asked: there is no token", samples=0)
            return
        answer = self._ask(self._question(check, token))
        wrong = wrong_answer(answer, check.status, check.json, self._secrets)
        yield CheckResult(
            check.name, "check", ok=wrong is None, why=wrong or "", seconds=answer.seconds, retries=answer.retries
        )
        for negative in check.negative:
            for name, forged in [("no token", None)] if negative.auth == "none" else list(forgeries(token or "")):
                answer = self._ask(self._question(check, forged))
                wrong = wrong_status(answer, negative.status, self._secrets)
                yield CheckResult(
                    f"{check.name} with {name}",
                    "negative",
                    ok=wrong is None,
                    why="" if wrong is None else f"must be refused: {wrong}",
                    seconds=answer.seconds,
                    retries=answer.retries,
                )

    def _question(self, check: Check, token: str | None) -> Question:
        auth = self._spec.auth
        sent = with_token(auth, token) if check.auth and token is not None and auth is not None else {}
        return Question(check.path, check.method, {**check.headers, **sent}, check.body)

    def _measured(self, check: Check, token: str | None) -> CheckResult:
        """Samples, each as right as the check itself, until the percentiles are known to hold or not to."""
        name = f"{check.name}: latency"
        question, latency = self._question(check, token), check.latency
        seconds: list[float] = []
        retries = 0
        why = "nothing to measure" if latency is None else None
        while latency is not None and why is None and len(seconds) < latency.samples:
            answer = self._ask(question)
            seconds.append(answer.seconds)
            retries += answer.retries
            wrong = wrong_answer(answer, check.status, check.json, self._secrets)
            why = f"sample {len(seconds)}: {wrong}" if wrong is not None else too_slow(seconds, latency)
        limits = latency.limits if latency is not None and seconds else ()
        return CheckResult(
            name,
            "latency",
            ok=why is None,
            why=why or "",
            seconds=sum(seconds),
            samples=len(seconds),
            retries=retries,
            percentiles=tuple((quantile, percentile(seconds, quantile)) for quantile, _ in limits),
        )

    def _trust(self, results: list[CheckResult]) -> CheckResult:
        """Whether the run itself can be believed."""
        retries = sum(result.retries for result in results)
        needed = requests_needed(self._spec)
        why = ""
        if all(result.ok for result in results) and self.answered < needed:
            why = f"only {self.answered} answers came, {needed} are needed: something was not asked"
        elif self.answered and self._seconds / self.answered < LEAST_SECONDS:
            why = f"{self.answered} answers in {self._seconds * 1000:.2f} ms: nothing was really asked"
        elif retries > max(FEW_RETRIES, RETRIED_SHARE * self.answered):
            why = f"{retries} retries for {self.answered} answers: the release comes and goes"
        return CheckResult("trust", "trust", ok=not why, why=why, samples=self.answered)

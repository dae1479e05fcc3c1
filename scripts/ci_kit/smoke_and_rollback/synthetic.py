"""Labelled traffic at a steady rate, so that a release that nobody asks much can still be judged."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.http_client import Client, Question

LABEL = "X-Ci-Kit-Synthetic"
MOST_AT_ONCE = 32
SHORTEST_WAIT_SECONDS = 0.005


@dataclass
class Sent:
    """What was sent so far; `unanswered` got no status at all, `skipped` found too many others still under way."""

    requests: int = 0
    unanswered: int = 0
    skipped: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, requests: int = 0, unanswered: int = 0, skipped: int = 0) -> None:
        """Count, from any thread."""
        with self._lock:
            self.requests += requests
            self.unanswered += unanswered
            self.skipped += skipped


@contextmanager
def traffic(client: Client, questions: Sequence[Question], rate: float, clock: Clock, *, label: str) -> Iterator[Sent]:
    """Ask `questions` in turn, `rate` times a second, until the block ends; then wait for what is under way.

    Each request carries the header `X-Ci-Kit-Synthetic` with `label`, so that the service can tell it from its users. The
    answers are not judged here: the service counts them as any other. A target that is slow is not flooded: a request that
    finds 32 others under way is left out. Without questions, or at a rate of 0, nothing is sent.
    """
    sent, stop = Sent(), threading.Event()
    if rate <= 0 or not questions:
        yield sent
        return
    labelled = [replace(one, headers={**one.headers, LABEL: label}, once=True) for one in questions]
    with ThreadPoolExecutor(MOST_AT_ONCE, "synthetic") as pool:
        pacing = threading.Thread(target=_pace, args=(client, labelled, rate, clock, sent, stop, pool), daemon=True)
        pacing.start()
        try:
            yield sent
        finally:
            stop.set()
            pacing.join()


def _pace(
    client: Client,
    questions: Sequence[Question],
    rate: float,
    clock: Clock,
    sent: Sent,
    stop: threading.Event,
    pool: ThreadPoolExecutor,
) -> None:
    started, number = clock.monotonic(), 0
    free = threading.Semaphore(MOST_AT_ONCE)

    def ask(question: Question) -> None:
        try:
            answer = client.ask(question)
            sent.add(requests=1, unanswered=answer.status is None)
        finally:
            free.release()

    while not stop.is_set():
        due = int((clock.monotonic() - started) * rate)
        while number < due and not stop.is_set():
            if free.acquire(blocking=False):
                pool.submit(ask, questions[number % len(questions)])
            else:
                sent.add(skipped=1)
            number += 1
        clock.sleep(max(SHORTEST_WAIT_SECONDS, min(0.2, 1.0 / rate)))

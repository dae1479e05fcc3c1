"""What became of a mutant, and the file in which verdicts are kept as they come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["killed", "survived", "timeout", "no-coverage", "pending", "error"]
How = Literal["fork", "fresh", "cache"]


@dataclass(frozen=True)
class Verdict:
    """`mutant` is the mutant's id. `tests` are the ids of the tests that ran, in their order; `killer` is one of them, or
    the test file that could not be imported any more. `seconds` is wall time. `detail` is the killer's last line, or why.

    A mutant that ends its process is killed. `pending` was not reached within the budget. `error` was not judged.
    """

    mutant: str
    status: Status
    tests: tuple[str, ...] = ()
    killer: str | None = None
    seconds: float = 0.0
    how: How = "fork"
    detail: str = ""

    @property
    def detected(self) -> bool:
        """Whether the tests notice the mutant."""
        return self.status in {"killed", "timeout"}


def read_stream(path: Path, key: str | None) -> dict[str, Verdict]:
    """The verdicts in a stream of the run `key` (None: of any), by mutant; none where the stream is another run's.

    A last line that an interruption cut short is left out.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return {}
    if key is not None and _parsed(lines[0]).get("run") != key:
        return {}
    found = (_verdict(_parsed(line)) for line in lines[1:])
    return {verdict.mutant: verdict for verdict in found if verdict is not None}


def start_stream(path: Path, key: str, kept: Iterable[Verdict]) -> None:
    """Begin the stream of the run `key` with the verdicts that are known already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"run": key}, *(asdict(verdict) for verdict in kept)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _parsed(line: str) -> Mapping[str, Any]:
    try:
        data = json.loads(line)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _verdict(data: Mapping[str, Any]) -> Verdict | None:
    if not {"mutant", "status", "tests"} <= data.keys():
        return None
    return Verdict(**{**data, "tests": tuple(data["tests"])})

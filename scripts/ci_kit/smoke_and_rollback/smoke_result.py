"""What a smoke run found, and how the report says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["ready", "version", "login", "check", "negative", "latency", "trust"]


@dataclass(frozen=True)
class CheckResult:
    """One thing that was asked. `why` is empty where it was right; `percentiles` are pairs of a quantile and seconds."""

    name: str
    kind: Kind
    ok: bool
    why: str = ""
    seconds: float = 0.0
    samples: int = 1
    retries: int = 0
    percentiles: tuple[tuple[float, float], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Its part of the report."""
        return {
            "name": self.name,
            "kind": self.kind,
            "ok": self.ok,
            "why": self.why,
            "seconds": round(self.seconds, 4),
            "samples": self.samples,
            "retries": self.retries,
            "percentiles-ms": {f"p{quantile * 100:g}": round(value * 1000, 2) for quantile, value in self.percentiles},
        }


@dataclass(frozen=True)
class SmokeResult:
    """A whole smoke run. `answered` counts answers with a status, `version` is what the release said of itself."""

    checks: tuple[CheckResult, ...]
    version: str
    answered: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Everything that was asked was answered rightly, and something was."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """What was wrong, in the order of the run."""
        return tuple(check for check in self.checks if not check.ok)

    @property
    def retries(self) -> int:
        """Requests that were tried again."""
        return sum(check.retries for check in self.checks)

    @property
    def why(self) -> str:
        """The first thing that was wrong, in a sentence; empty for a good run."""
        if self.ok:
            return ""
        if not self.failed:
            return "nothing was checked"
        first, *more = self.failed
        return f"{first.name}: {first.why}" + (f" (and {len(more)} more)" if more else "")

    def as_json(self) -> dict[str, Any]:
        """The part `smoke` of the report."""
        return {
            "ok": self.ok,
            "why": self.why,
            "version": self.version,
            "answered": self.answered,
            "retries": self.retries,
            "seconds": round(self.seconds, 3),
            "checks": [check.as_json() for check in self.checks],
        }

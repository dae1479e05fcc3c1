"""Decide by what means coverage.py watches the tests: sys.monitoring where it sees everything, else a tracer.

In a suite of short tests `sysmon` costs a tenth of the C tracer (cachetools on Python 3.12: 0.1 s against 2.5 s) and finds
the same lines. What it lacks is in https://coverage.readthedocs.io/en/latest/config.html (`[run] core`): branches before
Python 3.14, dynamic contexts, file tracers of plugins, greenlets. Its branches can be relied on since coverage 7.11.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMES = {"sysmon": "sys.monitoring", "ctrace": "the C tracer", "pytrace": "the Python tracer"}
SYSMON_SINCE = (7, 11, 2)
SETTING_SINCE = (7, 10)
_GREEN = {"greenlet", "eventlet", "gevent"}


@dataclass(frozen=True)
class Core:
    """`name` as coverage calls it: sysmon, ctrace or pytrace. `why` completes `because …`; empty: nothing to add."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{NAMES[self.name]}{f' ({self.why})' if self.why else ''}"


def choose_core(
    options: Mapping[str, Any],
    *,
    release: tuple[int, ...],
    python: tuple[int, ...],
    implementation: str,
    branch: bool,
    has_c_tracer: bool,
) -> Core:
    """`options` are the consumer's own, by coverage's names; `release` is coverage's, `python` the interpreter's."""
    tracer = "ctrace" if has_c_tracer else "pytrace"
    asked = options.get("run:core")
    if options.get("run:timid"):
        return Core("pytrace", "[run] timid asks for it")
    if asked in {"pytrace", tracer}:
        return Core(asked, "the coverage configuration asks for it")
    why = _why_not_monitoring(options, release=release, python=python, implementation=implementation, branch=branch)
    return Core(tracer, why) if why else Core("sysmon", "")


def _why_not_monitoring(
    options: Mapping[str, Any], *, release: tuple[int, ...], python: tuple[int, ...], implementation: str, branch: bool
) -> str:
    if python < (3, 12) or implementation != "CPython":
        return f"{implementation} {'.'.join(map(str, python[:2]))} has no sys.monitoring"
    if release < SYSMON_SINCE:
        return f"sys.monitoring needs coverage {'.'.join(map(str, SYSMON_SINCE))}"
    if branch and python < (3, 14):
        return "sys.monitoring sees no branches before Python 3.14"
    if options.get("run:dynamic_context"):
        return "sys.monitoring knows no dynamic contexts"
    if options.get("run:plugins"):
        return "sys.monitoring runs no plugins"
    green = _GREEN & set(options.get("run:concurrency") or ())
    return f"sys.monitoring cannot follow {min(green)}" if green else ""

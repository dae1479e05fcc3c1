from __future__ import annotations

from typing import Any

import pytest
from ci_kit.test.core import choose_core


def choose(options: dict[str, Any] | None = None, **changed: Any) -> tuple[str, str]:  # noqa: ANN401
    given: dict[str, Any] = {
        "release": (7, 17, 3), "python": (3, 14, 0), "implementation": "CPython", "branch": True, "has_c_tracer": True,
    }  # fmt: skip
    core = choose_core({f"run:{name}": value for name, value in (options or {}).items()}, **(given | changed))
    return core.name, str(core)


def test_monitoring_where_it_sees_everything() -> None:
    assert choose() == ("sysmon", "sys.monitoring")
    assert choose(branch=False, python=(3, 12, 0)) == ("sysmon", "sys.monitoring")
    assert choose({"core": "sysmon", "concurrency": ["thread", "multiprocessing"]})[0] == "sysmon"


@pytest.mark.parametrize(
    ("options", "changed", "why"),
    [
        ({}, {"python": (3, 13, 1)}, "sys.monitoring sees no branches before Python 3.14"),
        ({"core": "sysmon"}, {"python": (3, 13, 1)}, "sys.monitoring sees no branches before Python 3.14"),
        ({}, {"python": (3, 11, 9), "branch": False}, "CPython 3.11 has no sys.monitoring"),
        ({}, {"implementation": "PyPy"}, "PyPy 3.14 has no sys.monitoring"),
        ({}, {"release": (7, 11, 1)}, "sys.monitoring needs coverage 7.11.2"),
        ({"dynamic_context": "test_function"}, {}, "sys.monitoring knows no dynamic contexts"),
        ({"plugins": ["django_coverage_plugin"]}, {}, "sys.monitoring runs no plugins"),
        ({"concurrency": ["thread", "gevent"]}, {}, "sys.monitoring cannot follow gevent"),
        ({"core": "ctrace"}, {}, "the coverage configuration asks for it"),
    ],
)  # fmt: skip
def test_else_a_tracer_and_why(options: dict[str, Any], changed: dict[str, Any], why: str) -> None:
    assert choose(options, **changed) == ("ctrace", f"the C tracer ({why})")
    if "core" not in options:
        assert choose(options, **changed, has_c_tracer=False) == ("pytrace", f"the Python tracer ({why})")


def test_the_slow_tracer_on_request() -> None:
    assert choose({"timid": True}) == ("pytrace", "the Python tracer ([run] timid asks for it)")
    assert choose({"core": "pytrace"})[0] == "pytrace"
    # Where the C tracer was never built, asking for it would end the tests.
    assert choose({"core": "ctrace"}, python=(3, 12, 0), has_c_tracer=False)[0] == "pytrace"

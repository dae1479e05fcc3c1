"""What all layers share: required servers, the order of the layers, and which tools ran."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from tooling.servers import require_server as require

LONGEST_FIRST = ("act", "integration", "contract", "unit")
TESTS = Path(__file__).parent

# The same examples in every run: a red run must have its cause in the change, not in luck.
settings.register_profile("ci-kit", derandomize=True, deadline=None)
settings.load_profile("ci-kit")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` rewrites what is made from other files, such as the tables in the documentation."""
    parser.addoption("--update", action="store_true", help="rewrite generated parts of the documentation")


@pytest.fixture
def require_server() -> Callable[[str], str]:
    """Call it with a program's name to get its path; see `tooling.servers`."""
    return require


@pytest.fixture
def ran_with(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Call it with the name and version of a tool that has alternatives; the run's end names it."""
    return lambda tool: record_property("ran with", tool)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers the long layers start first, so that no worker ends alone with one of them.

    One process runs them fast layers first, as a person wants it.
    """
    on_worker = hasattr(config, "workerinput")
    items.sort(key=lambda item: _layer(item) if on_worker else -_layer(item))


def _layer(item: pytest.Item) -> int:
    name = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tools that stood in for others, so that no check changes in silence."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    used = {str(value) for r in reports for key, value in getattr(r, "user_properties", ()) if key == "ran with"}
    for tool in sorted(used):
        terminalreporter.write_line(f"Ran with {tool}.")

"""The pytest options of every run: the consumer's own stay, those that would interfere are overruled."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any, List, Mapping

import pytest

# Module of a plug-in → what makes it harmless. Given last, because pytest lets the later option win.
_OVERRULING = {
    "xdist": ("--numprocesses=0", "--dist=no"),
    "pytest_cov": ("--no-cov",),
    "pytest_rerunfailures": ("--reruns=0",),
    "pytest_randomly": ("--randomly-seed=0", "--randomly-dont-reorganize"),
    "pytest_benchmark": ("--benchmark-disable",),
}


# A worker has the installed packages before pytest starts, and some of them import a plug-in's. That its assertions are not
# rewritten then changes messages only, but with `filterwarnings = error` nothing would be judged.
_EARLY = ("-W", "ignore::pytest.PytestAssertRewriteWarning")


def arguments(task: Mapping[str, Any], paths: List[str], *, stop: bool) -> List[str]:
    """`paths` are test files from the project's folder; none means what the consumer's settings say."""
    found = [*task["arguments"], "--tb=native", *_EARLY]
    found += [f"--maxfail={1 if stop else 0}", f"--rootdir={task['root']}"] if task.get("root") else []
    for module, words in _OVERRULING.items():
        if find_spec(module) is not None:
            found += words
    return [*found, *(paths or task["default-paths"])]


class Undisturbed:
    """What plug-ins start or remember, and no option takes back."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Before the plug-ins configure themselves."""
        # `--lf`, `--ff` and `--sw` of the consumer would make a run depend on the one before. pytest's cache itself stays:
        # plug-ins and settings may name it.
        for name in ("lf", "failedfirst", "newfirst", "stepwise", "stepwise_skip"):
            if hasattr(config.option, name):
                setattr(config.option, name, False)
        # Beside xdist it starts a thread that answers xdist's workers. There are none here, and the thread forbids to fork.
        reruns = sys.modules.get("pytest_rerunfailures")
        if reruns is not None:
            reruns.HAS_PYTEST_HANDLECRASHITEM = False  # type: ignore[attr-defined]

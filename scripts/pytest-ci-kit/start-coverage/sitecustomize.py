"""Start coverage.py in every Python process, for releases before 7.13, which bring no .pth file that does.

This folder is on PYTHONPATH only while tests run under such a release. It hands over to the `sitecustomize` that it
stands in front of, so that nobody loses theirs.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _start() -> None:
    try:
        import coverage  # noqa: PLC0415 - may be absent: this interpreter need not be the tests' own
    except Exception:  # noqa: BLE001 - a coverage that cannot be imported must not break an unrelated program
        return
    coverage.process_startup()


def _hand_over() -> None:
    # os.path, not pathlib: this runs at the start of every Python process.
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    path = [entry for entry in sys.path if os.path.abspath(entry) != here]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("COVERAGE_PROCESS_START"):
    _start()
_hand_over()

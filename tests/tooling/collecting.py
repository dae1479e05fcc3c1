"""Ask a real pytest which files it collects: one process answers for many folders, each in a fork of its own.

Run as a program it is that process, and then imports nothing but pytest and the standard library.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Collector:
    """A running interpreter that has pytest. `files` may be asked any number of times; `close` ends it."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )

    def files(self, root: Path, paths: Sequence[str] = ()) -> set[str]:
        """The files that `pytest --collect-only <paths>` opens as test files, as POSIX paths from `root`."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError(self._process)
        print(json.dumps([str(root), list(paths)]), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"pytest could not collect {root}: {answer['error']}")
        return set(answer["files"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)


def _serve() -> None:
    import pytest  # noqa: F401, PLC0415 - once, before the forks

    for line in sys.stdin:
        root, paths = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            with os.fdopen(writer, "w") as out:
                json.dump(_collect(root, paths), out)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answer:
            print(answer.read(), flush=True)
        os.waitpid(child, 0)


def _collect(root: str, paths: list[str]) -> dict[str, Any]:
    import contextlib  # noqa: PLC0415 - beside pytest, which only this process needs
    import io  # noqa: PLC0415

    import pytest  # noqa: PLC0415

    files = set()

    class Listener:
        @pytest.hookimpl
        def pytest_collectstart(self, collector: pytest.Collector) -> None:
            if isinstance(collector, pytest.File):
                files.add(os.path.relpath(collector.path, root))

    os.chdir(root)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        options = ["--collect-only", "-q", "-p", "no:cacheprovider"]
        code = pytest.main([*options, *paths], plugins=[Listener()])
    # 2: a file of the tree cannot be imported, which is no matter here; 5: nothing was collected.
    return {"files": sorted(files)} if code in {0, 2, 5} else {"error": f"exit {code}: {said.getvalue()[-2000:]}"}


if __name__ == "__main__":
    _serve()

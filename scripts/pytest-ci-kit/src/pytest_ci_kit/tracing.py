"""Which functions of the project run between two moments: cheap enough for every test of a suite.

From Python 3.12 on by `sys.monitoring` (a function is reported once a window, then costs nothing), before by the
standard library's C profiler. Neither gets into the way of coverage.py, which traces lines by other means.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from types import CodeType, FrameType
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

Spot = Tuple[str, int]
"""A function: its file as the project names it, and the first line of its code object (of its first decorator)."""
Namer = Callable[[str], Optional[str]]
"""Answers the project's name for a code object's file name, None for code of somebody else."""


class Tracer:
    """Reports the functions that ran in each window; windows follow each other without a gap, in all threads."""

    def __init__(self, name_of: Namer) -> None:
        self._name_of = name_of
        self._names: Dict[str, Optional[str]] = {}

    def start(self) -> bool:
        """Begin the first window; false when somebody else holds what is needed."""
        raise NotImplementedError

    def cut(self) -> Set[Spot]:
        """What ran since the last cut."""
        raise NotImplementedError

    def stop(self) -> None:
        """Leave the interpreter as it was."""
        raise NotImplementedError

    def is_lost(self) -> bool:
        """Whether somebody took the means away, so that the current window is incomplete."""
        raise NotImplementedError

    def name(self, filename: str) -> Optional[str]:
        """The project's name for a file name, remembered."""
        try:
            return self._names[filename]
        except KeyError:
            return self._names.setdefault(filename, self._name_of(filename))


class MonitoringTracer(Tracer):
    """Python 3.12 and newer."""

    def __init__(self, name_of: Namer) -> None:
        super().__init__(name_of)
        self._monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._tool: Optional[int] = None
        self._codes: Dict[int, CodeType] = {}

    def start(self) -> bool:
        """Take a tool number that neither coverage.py (1, 3), a debugger (0) nor a profiler (2) takes."""
        for tool in (4, 3):
            if self._monitoring.get_tool(tool) is None:
                with contextlib.suppress(ValueError):
                    self._monitoring.use_tool_id(tool, "ci-kit")
                    self._tool = tool
                    break
        if self._tool is None:
            return False
        codes, disable, names, name = self._codes, self._monitoring.DISABLE, self._names, self.name

        def began(code: CodeType, _offset: int) -> object:
            file = code.co_filename
            if (names[file] if file in names else name(file)) is not None:
                codes[id(code)] = code
            return disable

        events = self._monitoring.events
        for event in (events.PY_START, events.PY_RESUME):
            self._monitoring.register_callback(self._tool, event, began)
        self._monitoring.set_events(self._tool, events.PY_START | events.PY_RESUME)
        return True

    def cut(self) -> Set[Spot]:
        """`restart_events` makes every function reportable again."""
        found = list(self._codes.values())
        self._codes.clear()
        self._monitoring.restart_events()
        return {(self._names[code.co_filename] or "", code.co_firstlineno) for code in found}

    def stop(self) -> None:
        """Give the tool number back."""
        if self._tool is not None:
            self._monitoring.set_events(self._tool, 0)
            self._monitoring.free_tool_id(self._tool)
            self._tool = None

    def is_lost(self) -> bool:
        """Somebody freed the tool number."""
        return self._tool is None or self._monitoring.get_tool(self._tool) != "ci-kit"


class ProfilingTracer(Tracer):
    """Before Python 3.12: one C profiler for each thread, because a profiler sees only the thread that it is enabled in."""

    def __init__(self, name_of: Namer) -> None:
        super().__init__(name_of)
        self._main: Any = None
        self._others: List[Any] = []
        self._thread = threading.get_ident()

    def start(self) -> bool:
        """`False` when somebody profiles already."""
        if sys.getprofile() is not None:
            return False
        self._main = self._profiler()
        threading.setprofile(self._new_thread)
        self._main.enable(subcalls=False, builtins=False)
        return True

    def cut(self) -> Set[Spot]:
        """Reading a profiler's numbers ends it for the thread that reads, so this one's is enabled again."""
        found: Set[Spot] = set()
        others, self._others = self._others, []
        for profiler in (self._main, *others):
            profiler.disable()
            found.update(self._spots(profiler))
            profiler.clear()
        self._others += others
        self._main.enable(subcalls=False, builtins=False)
        return found

    def stop(self) -> None:
        """Threads that still run keep their profiler until they end."""
        self._main.disable()
        threading.setprofile(None)  # type: ignore[arg-type,unused-ignore]

    def is_lost(self) -> bool:
        """A test that profiles replaces the profiler of its thread."""
        return sys.getprofile() is not self._main

    @staticmethod
    def _profiler() -> Any:  # noqa: ANN401 - a C type
        import _lsprof  # noqa: PLC0415 - absent where it is not needed

        return _lsprof.Profiler()

    def _new_thread(self, _frame: FrameType, _event: str, _arg: object) -> None:
        profiler = self._profiler()
        self._others.append(profiler)
        profiler.enable(subcalls=False, builtins=False)

    def _spots(self, profiler: Any) -> Iterator[Spot]:  # noqa: ANN401
        for entry in profiler.getstats():
            if isinstance(entry.code, CodeType):
                name = self.name(entry.code.co_filename)
                if name is not None:
                    yield name, entry.code.co_firstlineno


def tracer(name_of: Namer) -> Tracer:
    """The one for this Python."""
    return MonitoringTracer(name_of) if sys.version_info >= (3, 12) else ProfilingTracer(name_of)

"""The pinned mutmut is what the adapter knows: the same mutants as its documented command line makes."""

from __future__ import annotations

import os
import sys
from collections import Counter
from importlib.metadata import version

import pytest
from ci_kit.errors import InfrastructureFailure
from ci_kit.process import SubprocessRunner
from ci_kit.selective_mutation import mutmut_adapter
from ci_kit.selective_mutation.change import Change, InternalsChanged
from ci_kit.selective_mutation.engine import Engine
from ci_kit.selective_mutation.mutmut_command import MutmutCommand
from ci_kit.selective_mutation.text import Lines
from ci_kit.wheels import pins
from tooling.yaml_files import ROOT

# Each line is one of mutmut's rules; a rule more costs a process of its command line for each of its mutants.
SOURCE = '''"""ü"""
from enum import Enum

LIMIT = 3


def check(token: str, limit=5):
    if not token or (token is None and
            len(token) > limit):
        raise ValueError("größe")
    while limit:
        limit -= 1
        continue
    match token:
        case "a":
            return dict(x=token)
        # a comment
        case _:
            return token.split(",", limit)
    return 1  # pragma: no mutate


@decorated
def view(request):
    return request + 1


class Thing:
    @staticmethod
    def half(n):
        return [each
                for each in n] if n else -n

    @property
    def size(self):
        return self.n * 2

    class Inner:
        def deep(self):
            return True


class Colour(Enum):
    def _generate_next_value_(name):
        return name + "x"
'''


def applied(change: Change) -> str:
    return SOURCE[: change.start] + change.after + SOURCE[change.end :]


def command() -> MutmutCommand:
    return MutmutCommand([sys.executable, "-m", "mutmut"], SubprocessRunner(), os.environ)


def test_the_tests_run_the_version_that_the_room_pins() -> None:
    lock = (ROOT / "requirements" / "runtime-selective-mutation.txt").read_text(encoding="utf-8")
    assert {pin.name: pin.version for pin in pins(lock)}["mutmut"] == version("mutmut")


def test_the_adapter_makes_what_the_command_line_makes() -> None:
    found, too_long = mutmut_adapter.mutmut_changes("target.py", Lines(SOURCE))
    by_adapter = Counter(applied(each.change) for each in found if each.own)
    by_command = Counter(applied(change) for change in command()("target.py", SOURCE))
    assert too_long == 0
    assert by_command.total() >= 25
    assert by_adapter == by_command
    others = {SOURCE[: each.change.start].count("\n") + 1 for each in found if not each.own}
    assert others == {4, 25, 36, 40}, "module level, decorated functions and nested classes have mutants beside them"


def test_changed_internals_are_told_or_the_command_line_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: object) -> None:
        raise AttributeError("no such thing")

    monkeypatch.setattr(mutmut_adapter, "get_ignored_lines", gone)
    with pytest.raises(InternalsChanged):
        mutmut_adapter.mutmut_changes("a.py", Lines("x = 1\n"))
    with pytest.raises(InfrastructureFailure, match="is not the one") as failure:
        Engine().changes("a.py", Lines("x = 1\n"))
    assert "PATH" in failure.value.next_step
    engine = Engine(command())
    changes, _ = engine.changes("a.py", Lines("def f(x):\n    return x + 1\n"))
    assert [(change.start, change.after) for change in changes] == [(23, "-"), (25, "2")]
    assert engine.fell_back


def test_a_command_that_does_not_work_is_told() -> None:
    broken = MutmutCommand([sys.executable, "-c", "print('broken')"], SubprocessRunner(), os.environ)
    with pytest.raises(InfrastructureFailure, match="broken"):
        broken("a.py", "def f(x):\n    return x + 1\n")

"""The cache keys: the same for the same packages, another one for whatever could matter."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from ci_kit.setup_and_cache.choose import Choice, Source
from ci_kit.setup_and_cache.facts import Facts
from ci_kit.setup_and_cache.interpreter import Interpreter
from ci_kit.setup_and_cache.key import Keys, Machine, keys, meaning
from hypothesis import given
from hypothesis import strategies as st

PYTHON = Interpreter(
    "/usr/bin/python3.12", "3.12.1", "cpython", ".cpython-312-x86_64-linux-gnu.so", "x86_64", "glibc2.39"
)
MACHINE = Machine("ubuntu24.04", "../../../.cache/ci-kit/uv")
CHOICE = Choice(Source.UV, "it is the project's lock", groups=("dev",))
FACTS = Facts(
    digests={"uv.lock": "a" * 64},
    pyproject={"project": {"name": "x", "version": "1", "dependencies": ["six"]}, "tool": {"ruff": {"line-length": 1}}},
)


def made(**changes: Any) -> Keys:  # noqa: ANN401 - fields of several types
    given_ = {"name": "ci", "machine": MACHINE, "interpreter": PYTHON, "choice": CHOICE, "facts": FACTS, "pins": "p"}
    return keys(**{**given_, **changes})


def test_the_key_begins_with_its_prefixes() -> None:
    found = made()
    assert found.key.startswith(found.prefixes[0])
    assert found.prefixes[0].startswith(found.prefixes[1])
    assert re.fullmatch(
        r"ci-kit-ci-setup1-ubuntu24\.04-x86_64-glibc2\.39-[0-9a-f]{6}-uv-cpython3\.12-3\.12\.1-[0-9a-f]{20}", found.key
    )


def pyproject(**project: Any) -> Facts:  # noqa: ANN401 - fields of several types
    return dataclasses.replace(FACTS, pyproject={"project": {**FACTS.pyproject["project"], **project}, "tool": {}})


@pytest.mark.parametrize(
    "changes",
    [
        {"facts": pyproject(version="2")},
        {"facts": pyproject(description="better")},
        {"facts": dataclasses.replace(FACTS, pyproject={**FACTS.pyproject, "tool": {"ruff": {"line-length": 2}}})},
        {"choice": dataclasses.replace(CHOICE, why="another reason")},
        {"interpreter": dataclasses.replace(PYTHON, executable="/opt/python")},
    ],
)
def test_what_cannot_change_the_packages_keeps_the_key(changes: dict[str, Any]) -> None:
    assert made(**changes) == made()


@pytest.mark.parametrize(
    ("changes", "same_prefixes"),
    [
        ({"facts": dataclasses.replace(FACTS, digests={"uv.lock": "b" * 64})}, 2),
        ({"facts": pyproject(dependencies=["idna"])}, 2),
        ({"facts": dataclasses.replace(FACTS, pyproject={"tool": {"uv": {"index": []}}})}, 2),
        ({"choice": dataclasses.replace(CHOICE, extras=("test",))}, 2),
        ({"pins": "q"}, 2),
        ({"interpreter": dataclasses.replace(PYTHON, abi=".cpython-312t.so")}, 2),
        ({"interpreter": dataclasses.replace(PYTHON, version="3.12.2")}, 1),
        ({"interpreter": dataclasses.replace(PYTHON, version="3.13.2")}, 0),
        ({"interpreter": dataclasses.replace(PYTHON, machine="aarch64")}, 0),
        ({"interpreter": dataclasses.replace(PYTHON, libc="musl1.2")}, 0),
        ({"machine": dataclasses.replace(MACHINE, system="ubuntu26.04")}, 0),
        ({"machine": dataclasses.replace(MACHINE, place="../cache")}, 0),
        ({"choice": dataclasses.replace(CHOICE, source=Source.POETRY)}, 0),
        ({"name": "other"}, 0),
    ],
)
def test_what_can_matter_changes_the_key(changes: dict[str, Any], same_prefixes: int) -> None:
    one, other = made(), made(**changes)
    assert one.key != other.key
    assert len(set(one.prefixes) & set(other.prefixes)) == same_prefixes


@given(st.text(), st.text(), st.text())
def test_a_key_is_always_one_that_the_cache_takes(system: str, version: str, machine: str) -> None:
    found = made(
        machine=Machine(system, "x"),
        interpreter=dataclasses.replace(PYTHON, version=version, machine=machine),
    )
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", text) for text in (found.key, *found.prefixes))


def test_poetrys_own_version_is_no_meaning() -> None:
    one, other = ({"tool": {"poetry": {"version": v, "dependencies": {"six": "*"}}}} for v in ("1", "2"))
    assert meaning(one) == meaning(other)
    assert meaning({}) == {"build-system": None, "dependency-groups": None}

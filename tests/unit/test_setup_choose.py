"""How setup-and-cache chooses manager, lock, groups and extras."""

from __future__ import annotations

from typing import Any

import pytest
from ci_kit.errors import CallerMistake
from ci_kit.setup_and_cache.choose import AUTO, Choice, Itself, Source, choose
from ci_kit.setup_and_cache.facts import Facts

BUILD = {"build-system": {"requires": ["hatchling"]}}
PROJECT = {"project": {"name": "x", "optional-dependencies": {"test": ["six"], "docs": ["sphinx"]}}}


def facts(*locks: str, **more: Any) -> Facts:  # noqa: ANN401 - fields of several types
    return Facts(locks={name: name for name in locks}, **more)


def chosen(
    found: Facts, manager: str = "auto", groups: tuple[str, ...] = AUTO, extras: tuple[str, ...] = AUTO
) -> Choice:
    return choose(found, manager, groups, extras)


@pytest.mark.parametrize(
    ("found", "manager", "source", "name"),
    [
        (facts("uv.lock", "poetry.lock"), "auto", Source.UV, "uv"),
        (facts("poetry.lock", "pdm.lock", "pylock.toml"), "auto", Source.PYLOCK, "pip"),
        (facts("poetry.lock", requirements=("requirements.txt",)), "auto", Source.POETRY, "poetry"),
        (facts("pdm.lock"), "auto", Source.PDM, "pdm"),
        (facts(requirements=("requirements.txt",), pyproject=PROJECT), "auto", Source.REQUIREMENTS, "pip"),
        (facts(pyproject=PROJECT), "auto", Source.PROJECT, "pip"),
        (facts(has_setup_py=True), "auto", Source.PROJECT, "pip"),
        (facts(pyproject={"tool": {"ruff": {}}}), "auto", Source.NOTHING, "none"),
        (facts(), "auto", Source.NOTHING, "none"),
        (facts("uv.lock", "poetry.lock"), "poetry", Source.POETRY, "poetry"),
        (facts("uv.lock", "poetry.lock", requirements=("requirements.txt",)), "pip", Source.REQUIREMENTS, "pip"),
        (facts("uv.lock", "pylock.toml"), "pip", Source.PYLOCK, "pip"),
        (facts("uv.lock", pyproject=PROJECT), "pip", Source.PROJECT, "pip"),
    ],
)
def test_the_source(found: Facts, manager: str, source: Source, name: str) -> None:
    choice = chosen(found, manager)
    assert (choice.source, choice.manager) == (source, name)
    assert choice.why


def test_the_other_locks_are_named() -> None:
    assert chosen(facts("uv.lock", "poetry.lock")).why == "it comes before poetry.lock"


@pytest.mark.parametrize("manager", ["uv", "poetry", "pdm"])
def test_a_manager_without_its_lock_is_the_callers_mistake(manager: str) -> None:
    with pytest.raises(CallerMistake, match=rf"{manager} was asked for.*no {manager}\.lock") as raised:
        chosen(facts(pyproject=PROJECT), manager)
    assert f"{manager} lock" in raised.value.next_step


@pytest.mark.parametrize(
    ("found", "itself"),
    [
        (facts("uv.lock", pyproject=BUILD), Itself.BY_LOCK),
        (facts("poetry.lock", pyproject=BUILD), Itself.EDITABLE),
        (facts("poetry.lock", pyproject={**BUILD, "tool": {"poetry": {"package-mode": False}}}), Itself.NOT),
        (facts("pdm.lock", pyproject={**BUILD, "tool": {"pdm": {"distribution": False}}}), Itself.NOT),
        (facts("pylock.toml", pyproject=PROJECT), Itself.NOT),
        (facts(requirements=("requirements.txt",), pyproject={**PROJECT, **BUILD}), Itself.EDITABLE),
        (facts(requirements=("requirements.txt",)), Itself.NOT),
        (facts(pyproject=PROJECT), Itself.DEPENDENCIES),
        (facts(pyproject={**PROJECT, **BUILD, "tool": {"uv": {"package": False}}}), Itself.DEPENDENCIES),
        (facts(has_setup_py=True), Itself.EDITABLE),
        (facts(pyproject={"dependency-groups": {"dev": []}}), Itself.NOT),
        (facts(), Itself.NOT),
    ],
)
def test_how_the_project_itself_is_installed(found: Facts, itself: Itself) -> None:
    assert chosen(found).itself is itself


@pytest.mark.parametrize(
    ("found", "groups", "extras"),
    [
        pytest.param(facts(pyproject=PROJECT), (), ("test",), id="extras-for-tests-and-no-others"),
        pytest.param(
            facts("uv.lock", pyproject={**PROJECT, "dependency-groups": {"docs": [], "tests": [], "dev": []}}),
            ("dev", "tests"),
            ("test",),
            id="groups-for-tests",
        ),
        pytest.param(
            facts("uv.lock", pyproject={"tool": {"uv": {"default-groups": ["ci"]}}, "dependency-groups": {"dev": []}}),
            (),
            (),
            id="uv-default-groups-are-the-projects-own-word",
        ),
        pytest.param(
            facts("uv.lock", pyproject={**PROJECT, "tool": {"uv": {"conflicts": [[{"extra": "test"}]]}}}),
            (),
            (),
            id="uv-conflicts",
        ),
        pytest.param(
            facts(
                "poetry.lock",
                pyproject={
                    "tool": {
                        "poetry": {
                            "dev-dependencies": {"six": "*"},
                            "extras": {"testing": ["a"], "other": ["b"]},
                            "group": {"lint": {}, "heavy": {"optional": True}, "test": {"optional": True}},
                        }
                    }
                },
            ),
            ("lint", "test", "dev"),
            ("testing",),
            id="poetry-takes-what-poetry-install-takes-and-groups-for-tests",
        ),
        pytest.param(
            facts(
                "pdm.lock",
                pyproject={"tool": {"pdm": {"dev-dependencies": {"lint": []}}}, "dependency-groups": {"a": []}},
            ),
            ("a", "lint"),
            (),
            id="pdm-takes-all-groups",
        ),
        pytest.param(
            facts(requirements=("requirements.txt",), pyproject=PROJECT), (), (), id="hashed-requirements-take-none"
        ),
        pytest.param(
            facts(requirements=("requirements.txt",), unhashed=("requirements.txt",), pyproject=PROJECT),
            (),
            ("test",),
            id="plain-requirements-take-extras-too",
        ),
    ],
)
def test_groups_and_extras_by_themselves(found: Facts, groups: tuple[str, ...], extras: tuple[str, ...]) -> None:
    choice = chosen(found)
    assert (choice.groups, choice.extras) == (groups, extras)


def test_groups_and_extras_that_are_asked_for() -> None:
    found = facts("pdm.lock", pyproject={**PROJECT, "dependency-groups": {"dev": [], "lint": []}})
    choice = chosen(found, groups=("lint",), extras=("none",))
    assert (choice.groups, choice.extras, choice.refused_groups) == (("lint",), (), ("dev",))
    assert choice.only_these_groups


@pytest.mark.parametrize("wanted", [{"groups": ("tset",)}, {"extras": ("tset",)}])
def test_a_name_that_does_not_exist_is_the_callers_mistake(wanted: dict[str, tuple[str, ...]]) -> None:
    found = facts(pyproject={**PROJECT, "dependency-groups": {"dev": []}})
    with pytest.raises(CallerMistake, match="'tset' does not exist") as raised:
        chosen(found, **wanted)  # type: ignore[arg-type]
    assert ("dev" if "groups" in wanted else "docs, test") in raised.value.next_step


def test_extras_that_only_a_build_knows_are_believed() -> None:
    assert chosen(facts(has_setup_py=True), extras=("speed",)).extras == ("speed",)


def test_constraints_belong_to_requirements_and_to_plain_projects_only() -> None:
    more: dict[str, Any] = {"constraints": ("constraints.txt",), "pyproject": PROJECT}
    assert chosen(facts(**more)).constraints == ("constraints.txt",)
    assert chosen(facts(requirements=("requirements.txt",), **more)).constraints == ("constraints.txt",)
    assert chosen(facts("uv.lock", **more)).constraints == ()


def test_hashes_are_required_only_when_every_file_has_them() -> None:
    both = ("requirements.txt", "requirements-dev.txt")
    assert chosen(facts(requirements=both)).require_hashes
    assert not chosen(facts(requirements=both, unhashed=both[1:])).require_hashes
    assert not chosen(facts()).require_hashes

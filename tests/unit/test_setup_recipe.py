"""The commands that make the environment, what their settings are, and what their failures mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake, Exit, InfrastructureFailure
from ci_kit.process import Completed
from ci_kit.setup_and_cache.choose import Choice, Itself, Source
from ci_kit.setup_and_cache.failure import explain
from ci_kit.setup_and_cache.recipe import Places, Step, consumer_environ, recipe, tool_environ

PLACES = Places(
    uv=Path("/bin/uv"),
    python="/py",
    folder=Path("/proj ect"),
    venv=Path("/t/venv"),
    cache=Path("/cache"),
    scratch=Path("/t/setup"),
    tool_python="/kit/python",
    locks=Path("/kit/requirements"),
)
PIP = "/bin/uv pip install --python /t/venv/bin/python"


def commands(source: Source, **more: object) -> list[str]:
    choice = Choice(source, "why", **more)  # type: ignore[arg-type]
    return [" ".join(step.argv) for step in recipe(choice, PLACES)]


def test_every_environment_is_made_anew_with_the_exact_interpreter() -> None:
    assert commands(Source.NOTHING) == ["/bin/uv venv --quiet --clear --no-project --python /py /t/venv"]


def test_uv_installs_from_a_lock_that_must_fit() -> None:
    found = commands(Source.UV, groups=("dev",), extras=("test",), itself=Itself.BY_LOCK)
    assert found[1:] == ["/bin/uv sync --locked --python /py --group dev --extra test"]


def test_uv_with_exactly_these_groups() -> None:
    found = commands(Source.UV, groups=("lint",), only_these_groups=True)
    assert found[1:] == ["/bin/uv sync --locked --python /py --no-default-groups --group lint"]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, [f"{PIP} -r a.txt -r b.txt -c c.txt"]),
        ({"itself": Itself.EDITABLE, "extras": ("test", "x")}, [f"{PIP} -r a.txt -r b.txt -c c.txt -e .[test,x]"]),
        ({"itself": Itself.EDITABLE}, [f"{PIP} -r a.txt -r b.txt -c c.txt -e ."]),
        (
            {"itself": Itself.EDITABLE, "require_hashes": True},
            [f"{PIP} -r a.txt -r b.txt -c c.txt --require-hashes", f"{PIP} --no-deps -e ."],
        ),
        (
            {"itself": Itself.DEPENDENCIES, "extras": ("test",), "groups": ("dev",)},
            [f"{PIP} -r a.txt -r b.txt --group dev -c c.txt -r pyproject.toml --extra test"],
        ),
    ],
)
def test_requirements_and_the_project_are_resolved_together(more: dict[str, object], wanted: list[str]) -> None:
    files = {"requirements": ("a.txt", "b.txt"), "constraints": ("c.txt",)}
    assert commands(Source.REQUIREMENTS, **files, **more)[1:] == wanted


def test_a_project_that_declares_nothing_needs_no_installation() -> None:
    assert len(commands(Source.PROJECT, constraints=("constraints.txt",))) == 1


def test_a_pylock_decides_alone() -> None:
    found = commands(Source.PYLOCK, groups=("dev",), itself=Itself.EDITABLE)
    assert found[1:] == [f"{PIP} --preview --no-deps -r pylock.toml --group dev", f"{PIP} --no-deps -e ."]


def test_poetry_exports_and_uv_installs() -> None:
    found = commands(Source.POETRY, groups=("dev", "test"), extras=("x",), itself=Itself.EDITABLE)
    assert "--require-hashes --only-binary :all: -r /kit/requirements/export-poetry.txt" in found[2]
    assert found[3].startswith("/t/setup/exporter/bin/poetry export --no-interaction --directory /proj ect ")
    assert found[3].endswith("--with dev --with test --extras x")
    assert found[4:] == [f"{PIP} --no-deps -r /t/setup/exported-requirements.txt", f"{PIP} --no-deps -e ."]


def test_pdm_checks_its_lock_before_it_exports() -> None:
    found = commands(Source.PDM, groups=("dev",), extras=("x",), refused_groups=("docs",))
    assert found[3] == "/t/setup/exporter/bin/pdm lock --check --project /proj ect"
    assert found[4].endswith("--group x --without docs")


def test_only_tools_run_outside_of_the_project() -> None:
    steps = recipe(Choice(Source.PDM, "why", itself=Itself.EDITABLE), PLACES)
    assert [step.phase for step in steps if step.tool] == ["export"] * 4
    assert [step.phase for step in steps if not step.tool] == ["environment", "packages", "project"]


def test_the_consumers_settings_reach_its_installation_but_not_those_that_the_kit_decides() -> None:
    environ = {
        "UV_INDEX_URL": "https://index.invalid",
        "UV_CONSTRAINT": "c.txt",
        "PIP_INDEX_URL": "https://index.invalid",
        "UV_CACHE_DIR": "/theirs",
        "UV_PYTHON": "3.8",
        "UV_FROZEN": "1",
        "VIRTUAL_ENV": "/v",
        "PYTHONPATH": "/p",
        "CI_KIT_ENV": "SECRET=1",
        "CI_KIT_PYTHON_VERSION": "3.12",
    }
    assert consumer_environ(environ, PLACES) == {
        "UV_INDEX_URL": "https://index.invalid",
        "UV_CONSTRAINT": "c.txt",
        "PIP_INDEX_URL": "https://index.invalid",
        "UV_CACHE_DIR": "/cache",
        "UV_PROJECT_ENVIRONMENT": "/t/venv",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    tool = tool_environ(environ, PLACES)
    assert "UV_CONSTRAINT" not in tool
    assert (tool["UV_INDEX_URL"], tool["UV_CACHE_DIR"]) == ("https://index.invalid", "/cache")


STEP = Step("packages", "installing from uv.lock", ("uv",))


@pytest.mark.parametrize(
    ("source", "output", "kind", "said"),
    [
        (
            Source.UV,
            "error: The lockfile at `uv.lock` needs to be updated, but `--locked` was",
            CallerMistake,
            "uv lock",
        ),
        (Source.POETRY, "pyproject.toml changed significantly since poetry.lock", CallerMistake, "poetry lock"),
        (Source.PDM, "WARNING: Lockfile doesn't satisfy the project requirements", CallerMistake, "pdm lock"),
        (Source.UV, "error sending request for url (https://x)", InfrastructureFailure, "did not answer"),
        (Source.UV, "HTTP status server error (503 Service Unavailable)", InfrastructureFailure, "did not answer"),
        (
            Source.UV,
            "Failed to download `six==1.17.0`\nHash mismatch for",
            InfrastructureFailure,
            "not the one in the lock",
        ),
        (Source.UV, "No space left on device (os error 28)", InfrastructureFailure, "disk is full"),
        (
            Source.UV,
            "error: Required uv version `==0.5` does not match the running version",
            CallerMistake,
            "uv-version",
        ),
        (Source.REQUIREMENTS, "No solution found when resolving", CallerMistake, "mend it in the project"),
        (Source.REQUIREMENTS, "HTTP status client error (404 Not Found)", CallerMistake, "mend it in the project"),
    ],
)
def test_a_failure_says_whose_it_is(source: Source, output: str, kind: type[Exception], said: str) -> None:
    error = explain(STEP, Completed(("uv",), 1, output, 1.0), Choice(source, "why"))
    assert type(error) is kind
    assert said in str(error)
    assert error.exit in {Exit.CALLER, Exit.INFRASTRUCTURE}


def test_a_tool_that_cannot_be_installed_is_not_the_projects_fault() -> None:
    steps = recipe(Choice(Source.POETRY, ""), PLACES)
    kinds = [type(explain(step, Completed(step.argv, 1, "odd", 1.0), Choice(Source.POETRY, ""))) for step in steps]
    assert kinds == [InfrastructureFailure] * 3 + [CallerMistake] * 2


@pytest.mark.parametrize(("lock", "file"), [("uv.lock", "uv.lock"), ("../uv.lock", None)])
def test_a_stale_lock_is_named_and_annotated_where_it_is_in_the_project(lock: str, file: str | None) -> None:
    done = Completed(("uv",), 1, "needs to be updated, but `--locked`", 1.0)
    error = explain(STEP, done, Choice(Source.UV, "", lock=lock))
    assert error.message == f"{lock} does not match pyproject.toml any more."
    assert (error.file, error.next_step) == (file, "Run `uv lock` and commit the lock.")


def test_a_time_limit_is_told() -> None:
    error = explain(STEP, Completed(("uv",), -15, "", 60.0, timed_out=True), Choice(Source.UV, ""))
    assert "longer than 60 s" in str(error)

"""The consumer's secrets: masked before anything else, and never part of a message."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.github import Event, Workflow
from ci_kit.secret_env import check_outputs, check_required, mask_secrets, read_secrets
from hypothesis import given
from hypothesis import strategies as st


def read(text: str) -> tuple[dict[str, str], list[str]]:
    stream = io.StringIO()
    found = read_secrets({"CI_KIT_ENV": text}, Workflow({"GITHUB_ACTIONS": "true"}, stream))
    return found, stream.getvalue().splitlines()


def event(**more: object) -> Event:
    usual = {"sha": "", "ref": "", "repository": "o/r", "run_id": "1", "run_attempt": 1, "workflow": "", "job": ""}
    return Event(**{"name": "push", **usual, "workspace": Path(), **more})  # type: ignore[arg-type]


FORK = {"pull_request": {"head": {"repo": {"full_name": "x/r"}}}}
OURS = {"pull_request": {"head": {"repo": {"full_name": "o/r"}}}}


def test_each_value_is_masked_and_answered() -> None:
    found, said = read("A=one\n\n# a remark=x\n  B = two=2 \r\nEMPTY=\n")
    assert found == {"A": "one", "B": "two=2", "EMPTY": ""}
    assert said == ["::add-mask::one", "::add-mask::two=2"]


def test_nothing_is_fine() -> None:
    assert read("") == ({}, [])


@pytest.mark.parametrize("line", ["no-assignment-s3cret", "1A=s3cret", "A B=s3cret", "=s3cret", "export A=s3cret"])
def test_a_wrong_line_is_named_by_its_number_alone(line: str) -> None:
    with pytest.raises(CallerMistake) as caught:
        read(f"GOOD=x\n{line}\n")
    assert "line 2" in caught.value.message
    assert "s3cret" not in str(caught.value)


def test_the_values_of_a_text_with_a_wrong_line_are_masked_all_the_same() -> None:
    stream = io.StringIO()
    workflow = Workflow({"GITHUB_ACTIONS": "true"}, stream)
    with pytest.raises(CallerMistake):
        read_secrets({"CI_KIT_ENV": "-----BEGIN KEY-----\nA=one\nbase64line\nB=two"}, workflow)
    said = stream.getvalue().splitlines()
    assert {"::add-mask::one", "::add-mask::two", "::add-mask::base64line"} <= set(said)
    assert len(said) == len(set(said)), "each once, whoever asks for it"


def test_masking_alone_never_fails_and_hides_the_value_of_a_wrong_line_too() -> None:
    stream = io.StringIO()
    mask_secrets({"CI_KIT_ENV": "1A=s3cret\nB=x"}, Workflow({"GITHUB_ACTIONS": "true"}, stream))
    assert stream.getvalue().splitlines() == ["::add-mask::1A=s3cret", "::add-mask::s3cret", "::add-mask::x"]


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]*", fullmatch=True),
        st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])),
        max_size=5,
    )
)
def test_any_assignments_are_read_back(values: dict[str, str]) -> None:
    found, said = read("\n".join(f"{name}={value}" for name, value in values.items()))
    assert found == {name: value.strip() for name, value in values.items()}
    assert len(said) == len({value.strip() for value in values.values()} - {""})


def test_required_secrets_that_are_missing_or_empty_are_named() -> None:
    with pytest.raises(CallerMistake, match=r"required secrets are missing: B, C\.") as caught:
        check_required(["A", "B", "C"], {"A": "x", "B": ""}, event())
    assert "secrets.CI_KIT_ENV" in caught.value.next_step


@pytest.mark.parametrize("name", ["pull_request", "pull_request_target"])
def test_a_fork_runs_without_them(name: str) -> None:
    note = check_required(["A"], {}, event(name=name, payload=FORK))
    assert note == "This pull request comes from a fork, so GitHub gives it no secrets; it runs without A."


def test_the_projects_own_pull_request_needs_them() -> None:
    with pytest.raises(CallerMistake):
        check_required(["A"], {}, event(name="pull_request", payload=OURS))


OUTPUTS = {"matrix": '{"include":[{"tier":"unit","shard":"1/1","o":"a\\"b"}]}', "python": "3.12", "test": "true"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("TOKEN=long-enough\nDEBUG=1\n", "the value of the secret DEBUG occurs in the plan's outputs matrix, python,"),
        ("FLAG=true", "the value of the secret FLAG occurs in the plan's output test,"),
        ("NAME= unit \r\n", "the value of the secret NAME occurs in the plan's output matrix,"),
        ('QUOTED=a"b', "the value of the secret QUOTED occurs in the plan's output matrix,"),
        ("# remark\n#\n", None),
        ("A=\n\nB=two\n# x=1", None),
        ("", None),
    ],
)
def test_a_secret_that_would_make_github_drop_an_output_is_named(text: str, said: str | None) -> None:
    if said is None:
        check_outputs(OUTPUTS, {"CI_KIT_ENV": text})
        return
    with pytest.raises(InfrastructureFailure) as caught:
        check_outputs(OUTPUTS, {"CI_KIT_ENV": text})
    assert caught.value.message.startswith(said)
    assert "longer value" in caught.value.next_step
    assert "`env`" in caught.value.next_step


def test_a_remark_that_is_masked_is_named_by_its_line() -> None:
    with pytest.raises(InfrastructureFailure, match=r"^line 2 of the secret CI_KIT_ENV occurs in .* output options,"):
        check_outputs({"options": "a # b"}, {"CI_KIT_ENV": "A=x\n#\n"})


def test_nothing_is_missing() -> None:
    assert check_required(["A"], {"A": "x"}, event()) is None

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.github import ANNOTATIONS_PER_STEP, SUMMARY_BYTES, Annotation, Event, Workflow
from hypothesis import given
from hypothesis import strategies as st

COMMANDS = {
    "error",
    "warning",
    "notice",
    "debug",
    "group",
    "endgroup",
    "add-mask",
    "stop-commands",
    "set-env",
    "add-path",
}


def obeyed(line: str) -> bool:
    """What the runner takes for a command (Runner.Common/ActionCommand.cs): the new form first, the old one anywhere."""
    new = re.match(r"\s*::([^ :]*)[^:]*?::", line)
    old = re.search(r"##\[([^ \]]*)[^\]]*\]", line)
    return bool((new and new[1] in COMMANDS) or (old and old[1] in COMMANDS))


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def on_runner(tmp_path: Path, said: io.StringIO) -> Workflow:
    return Workflow(runner_environment(tmp_path), said)


def runner_environment(folder: Path) -> dict[str, str]:
    files = {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
    return {"GITHUB_ACTIONS": "true", **files}


def assigned(path: Path) -> dict[str, str]:
    """Read an environment file as the runner does: `name<<delimiter`, lines, delimiter."""
    found: dict[str, str] = {}
    rest = path.read_text(encoding="utf-8")
    while rest:
        head, _, rest = rest.partition("\n")
        name, _, delimiter = head.partition("<<")
        value, end, rest = rest.partition(f"\n{delimiter}\n")
        assert end, head
        found[name] = value
    return found


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_any_output_value_comes_back_as_it_was(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("output")
    Workflow(runner_environment(folder)).output("report", value)
    assert assigned(folder / "GITHUB_OUTPUT") == {"report": value}


def test_a_hostile_value_cannot_set_another_output(on_runner: Workflow, tmp_path: Path) -> None:
    on_runner.output("one", "x\nEOF\nverdict<<EOF\npassed\nEOF")
    on_runner.output("two", "y")
    assert assigned(tmp_path / "GITHUB_OUTPUT").keys() == {"one", "two"}


def test_paths_and_variables_reach_the_following_steps(on_runner: Workflow, tmp_path: Path) -> None:
    on_runner.export("VIRTUAL_ENV", "/venv")
    on_runner.add_path(Path("/venv/bin"))
    assert assigned(tmp_path / "GITHUB_ENV") == {"VIRTUAL_ENV": "/venv"}
    assert (tmp_path / "GITHUB_PATH").read_text() == "/venv/bin\n"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    workflow = Workflow({"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path)})
    with pytest.raises(InfrastructureFailure, match="cannot write GITHUB_OUTPUT"):
        workflow.output("a", "b")


def test_outside_a_runner_outputs_are_readable_and_nothing_is_a_command(said: io.StringIO) -> None:
    workflow = Workflow({}, said)
    workflow.output("total", "91.35")
    workflow.export("A", "b")
    workflow.add_path(Path("/x"))
    workflow.summary("# hidden")
    workflow.mask("secret")
    with workflow.group("Tests"), workflow.foreign_output():
        workflow.log("::error::shown as it is")
    workflow.annotate(Annotation("warning", "slow", "a.py", 3))
    assert said.getvalue().splitlines() == [
        "output total = 91.35", "environment A = b", "== Tests", "::error::shown as it is", "warning: a.py:3: slow",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "::error::x",
        "  ::warning file=a::x",
        "\t::add-mask::x",
        "##[error]x",
        "text ##[add-mask]x",
        "::group::##[debug]x",
    ],
)
def test_a_line_that_looks_like_a_command_is_defused(line: str, on_runner: Workflow, said: io.StringIO) -> None:
    assert obeyed(line)
    on_runner.log(line)
    assert not obeyed(said.getvalue())


@given(
    text=st.lists(st.sampled_from(["::", "##[", "]", "error", "add-mask", " ", "\n", "\r", "x", "\u2028", "\t"])).map(
        "".join
    )
)
def test_no_logged_text_is_obeyed(text: str) -> None:
    stream = io.StringIO()
    Workflow({"GITHUB_ACTIONS": "true"}, stream).log(text)
    assert not [line for line in re.split(r"\r?\n", stream.getvalue()) if obeyed(line)]


def test_plain_lines_stay_as_they_are(on_runner: Workflow, said: io.StringIO) -> None:
    on_runner.log("tests/a.py::test_b PASSED\n\nC++: std::vector")
    assert said.getvalue() == "tests/a.py::test_b PASSED\n\nC++: std::vector\n"


def test_a_name_that_is_not_unicode_can_be_logged(on_runner: Workflow, said: io.StringIO, tmp_path: Path) -> None:
    on_runner.log("file \udcff")
    on_runner.output("path", "\udcff")
    on_runner.summary("file \udcff")
    assert said.getvalue() == "file \\udcff\n"
    assert assigned(tmp_path / "GITHUB_OUTPUT") == {"path": "\\udcff"}


def test_annotations_are_escaped(on_runner: Workflow, said: io.StringIO) -> None:
    on_runner.annotate(Annotation("error", "50%\nof it::", "a,b:c.py", 7, "100%"))
    assert said.getvalue() == "::error file=a%2Cb%3Ac.py,line=7,title=100%25::50%25%0Aof it::\n"


def test_an_annotation_may_span_lines(on_runner: Workflow, said: io.StringIO) -> None:
    on_runner.annotate(Annotation("warning", "x", "a.py", 3, end_line=5))
    assert said.getvalue() == "::warning file=a.py,line=3,endLine=5::x\n"


def test_an_annotation_without_a_place_has_no_properties(on_runner: Workflow, said: io.StringIO) -> None:
    on_runner.annotate(Annotation("notice", "done"))
    assert said.getvalue() == "::notice::done\n"


def test_an_annotation_of_a_project_in_a_folder_names_the_file_from_the_checkout(said: io.StringIO) -> None:
    workflow = Workflow({"GITHUB_ACTIONS": "true", "CI_KIT_WORKING_DIRECTORY": "./services/api/"}, said)
    workflow.annotate(Annotation("error", "x", "app/a.py", 1))
    assert said.getvalue() == "::error file=services/api/app/a.py,line=1::x\n"


def test_more_annotations_than_github_shows_are_counted(on_runner: Workflow, said: io.StringIO) -> None:
    for number in range(ANNOTATIONS_PER_STEP + 3):
        on_runner.annotate(Annotation("error", str(number)))
    on_runner.annotate(Annotation("warning", "another kind has its own ten"))
    on_runner.close()
    on_runner.close()
    lines = said.getvalue().splitlines()
    assert len([line for line in lines if line.startswith("::error")]) == ANNOTATIONS_PER_STEP
    assert lines[-2:] == [
        "::warning::another kind has its own ten",
        "3 more error annotations are not shown: GitHub shows 10 a step.",
    ]


@given(lengths=st.lists(st.integers(0, 700_000), min_size=1, max_size=6), letter=st.sampled_from(["x", "é", "🙂"]))
def test_the_summary_never_grows_beyond_what_github_takes(
    lengths: list[int], letter: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("summary")
    workflow = Workflow(runner_environment(folder))
    for length in lengths:
        workflow.summary(letter * (length // len(letter.encode())))
    raw = (folder / "GITHUB_STEP_SUMMARY").read_bytes()
    assert len(raw) <= SUMMARY_BYTES
    assert raw.decode().count("The summary was cut here") <= 1
    if sum(lengths) < SUMMARY_BYTES - 1000:
        assert raw.decode().count(letter) == sum(length // len(letter.encode()) for length in lengths)


def test_every_line_of_a_secret_is_masked(on_runner: Workflow, said: io.StringIO) -> None:
    on_runner.mask("-----BEGIN\nabc%\n\n")
    assert said.getvalue().splitlines() == [
        "::add-mask::-----BEGIN%0Aabc%25%0A%0A",
        "::add-mask::-----BEGIN",
        "::add-mask::abc%25",
    ]


def test_commands_of_other_programs_are_stopped_and_taken_up_again(on_runner: Workflow, said: io.StringIO) -> None:
    with pytest.raises(ValueError, match="boom"), on_runner.foreign_output():
        raise ValueError("boom")
    matcher, stop, start = said.getvalue().splitlines()
    assert matcher == "::remove-matcher owner=python::"
    token = stop.removeprefix("::stop-commands::")
    assert re.fullmatch(r"ci-kit-[0-9a-f]{32}", token)
    assert start == f"::{token}::"


def test_groups_end_even_when_their_work_fails(on_runner: Workflow, said: io.StringIO) -> None:
    with pytest.raises(ValueError, match="boom"), on_runner.group("a%"):
        raise ValueError("boom")
    assert said.getvalue().splitlines() == ["::group::a%25", "::endgroup::"]


def event(tmp_path: Path, payload: object = None, **environ: str) -> Event:
    if payload is not None:
        (tmp_path / "event.json").write_text(json.dumps(payload))
        environ["GITHUB_EVENT_PATH"] = str(tmp_path / "event.json")
    return Event.from_environ({"GITHUB_WORKSPACE": str(tmp_path), "GITHUB_REPOSITORY": "me/project", **environ})


def pull_request(**changes: object) -> dict[str, Any]:
    return {
        "repository": {"default_branch": "trunk"},
        "pull_request": {
            "number": 7, "labels": [{"name": "mutation-test"}], "base": {"sha": "abc"},
            "head": {"repo": {"full_name": "me/project"}}, **changes,
        },
    }  # fmt: skip


def test_a_laptop_is_an_event_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = Event.from_environ({})
    assert (found.name, found.workspace, found.run_attempt, found.on_default_branch) == ("local", tmp_path, 1, False)


def test_a_pull_request(tmp_path: Path) -> None:
    found = event(
        tmp_path,
        pull_request(),
        GITHUB_EVENT_NAME="pull_request",
        GITHUB_REF="refs/pull/7/merge",
        GITHUB_RUN_ATTEMPT="2",
    )
    assert found.is_pull_request
    assert not found.is_fork
    assert not found.on_default_branch
    assert found.pull_request["number"] == 7
    assert found.run_attempt == 2


@pytest.mark.parametrize("head", [{"repo": {"full_name": "other/project"}}, {"repo": None}, {}, None])
def test_a_fork_or_a_deleted_one_gets_no_trust(tmp_path: Path, head: object) -> None:
    assert event(tmp_path, pull_request(head=head), GITHUB_EVENT_NAME="pull_request").is_fork


def test_a_push_to_the_default_branch(tmp_path: Path) -> None:
    payload = {"repository": {"default_branch": "trunk"}}
    assert event(tmp_path, payload, GITHUB_EVENT_NAME="push", GITHUB_REF="refs/heads/trunk").on_default_branch
    assert not event(tmp_path, payload, GITHUB_EVENT_NAME="push", GITHUB_REF="refs/heads/main").on_default_branch
    assert event(tmp_path, {}, GITHUB_EVENT_NAME="push", GITHUB_REF="refs/heads/main").on_default_branch


def test_the_payload_is_not_shown_by_repr(tmp_path: Path) -> None:
    shown = repr(event(tmp_path, pull_request()))
    assert shown.startswith("Event(name=")
    assert "mutation-test" not in shown
    assert "payload=" not in shown


def test_a_payload_that_is_no_json_is_told(tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("{")
    with pytest.raises(InfrastructureFailure, match="is not JSON"):
        Event.from_environ({"GITHUB_EVENT_PATH": str(tmp_path / "event.json")})


def test_a_missing_payload_is_an_empty_one(tmp_path: Path) -> None:
    assert Event.from_environ({"GITHUB_EVENT_PATH": str(tmp_path / "none.json")}).payload == {}


@pytest.mark.parametrize(
    ("folder", "expected"), [("", "."), (".", "."), ("./", "."), ("a/b", "a/b"), ("./a/b/", "a/b")]
)
def test_the_project_can_live_in_a_folder(tmp_path: Path, folder: str, expected: str) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert event(tmp_path, CI_KIT_WORKING_DIRECTORY=folder).workspace == (tmp_path / expected)


@pytest.mark.parametrize("folder", ["missing", "..", "a/../..", "file"])
def test_a_folder_outside_the_checkout_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "checkout" / "a").mkdir(parents=True)
    (tmp_path / "checkout" / "file").touch()
    with pytest.raises(CallerMistake, match="is no folder of the checkout"):
        event(tmp_path / "checkout", CI_KIT_WORKING_DIRECTORY=folder)

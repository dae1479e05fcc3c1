"""Workflow files as act can read them: nothing else about them may change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ci_kit.act import tree
from ci_kit.act.references import Reference
from ci_kit.act.translate import ENTRIES, PREPARE_STEP, Translator, each_translation, shell_command

KIT = Reference("org/ci-kit", "", "f" * 40)


def translated(text: str, *, host: bool = True, own_paths: bool = False) -> tuple[dict[str, Any], Translator]:
    """The workflow after translation, as act's YAML reader (1.2: `on` is text) sees it."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    translator = Translator("/run/shell", "/run/prepare") if host else Translator(None, None)
    translator.workflow(node, ".github/workflows/ci.yml", KIT, own_paths=own_paths)
    return yaml.load(tree.dump(node), Loader=yaml.BaseLoader), translator  # noqa: S506 - BaseLoader makes texts only


WORKFLOW = """
name: CI
on: {push: {branches: [main]}}
cache-mode: read
concurrency: {group: g, queue: max}
defaults: {run: {shell: sh}}
jobs:
  a:
    name: A ${{ matrix.v }}
    runs-on: ubuntu-latest
    cache-mode: write
    services: {redis: {image: "redis:7", ports: [6379]}}
    steps:
      - uses: $/actions/test
        with: {shard: 1, on: yes}
      - run: echo ${{ runner.tool_cache }}
      - {run: print(1), shell: python}
  b:
    needs: [a]
    uses: $/.github/workflows/python-ci.yml
"""


def test_host_mode_says_everything_that_act_cannot_read() -> None:
    """Every entry of the list is applied, counted and reported with what ends it."""
    data, translator = translated(WORKFLOW)
    job = data["jobs"]["a"]
    assert "cache-mode" not in data
    assert "cache-mode" not in job
    assert data["concurrency"] == {"group": "g"}
    assert "services" not in job
    assert job["name"] == "@0»A ${{ matrix.v }}«"
    assert job["steps"][0] == {"id": PREPARE_STEP, "name": PREPARE_STEP, "shell": "bash", "run": "/run/prepare"}
    assert job["steps"][1] == {"uses": f"org/ci-kit/actions/test@{'f' * 40}", "with": {"shard": "1", "on": "yes"}}
    assert job["steps"][2]["shell"] == "/run/shell sh -e {0}"
    assert job["steps"][2]["run"] == "echo ${{ env.RUNNER_TOOL_CACHE }}"
    assert job["steps"][3]["shell"] == "/run/shell python {0}"
    assert data["jobs"]["b"]["uses"] == f"org/ci-kit/.github/workflows/python-ci.yml@{'f' * 40}"
    assert "steps" not in data["jobs"]["b"]
    reported = {entry["name"]: entry["count"] for entry in each_translation(translator.applied)}
    assert reported == {
        "self-reference": 2, "cache-mode": 2, "concurrency-queue": 1, "services": 1, "no-terminal": 2, "own-home": 1,
        "job-name": 2, "tool-cache": 1,
    }  # fmt: skip


def test_the_rest_of_a_file_stays_as_it_is() -> None:
    """Numbers stay numbers, texts texts, `on` stays `on`, and blocks keep their lines."""
    text = 'on: push\nenv: {A: "1", B: 1, C: true, D: "yes"}\njobs: {}\nx: |\n  one\n  two\n'
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    Translator("/s", "/p").workflow(node, "w.yml", KIT, own_paths=False)
    assert yaml.safe_load(tree.dump(node)) == yaml.safe_load(text)
    assert "on: push" in tree.dump(node)


def test_container_mode_keeps_services_and_shells() -> None:
    """Docker starts the services there, and each job has a file system of its own."""
    data, _ = translated(WORKFLOW, host=False)
    job = data["jobs"]["a"]
    assert list(job["services"]) == ["redis"]
    assert "shell" not in job["steps"][1]
    assert job["steps"][1]["run"] == "echo ${{ runner.tool_cache }}"
    assert job["steps"][1]["env"]["ACTIONS_RUNTIME_TOKEN"] == ""
    assert "env" not in job["steps"][0]


def test_the_declared_jobs_are_known_with_their_steps() -> None:
    """What act does not run shows nowhere in its log, so it must come from the files."""
    _, translator = translated(WORKFLOW)
    first, second = translator.jobs
    assert (first.id, first.uses, first.needs, second.needs) == ("a", None, (), ("a",))
    assert [name for _, name in first.steps] == [
        "Run $/actions/test".replace("$/", "org/ci-kit/") + f"@{'f' * 40}", "Run echo ${{ runner.tool_cache }}",
        "Run print(1)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("uses", "own", "expected"),
    [
        ("./x", True, f"org/ci-kit/x@{'f' * 40}"),
        ("./x", False, "./x"),
        ("$/", True, f"org/ci-kit@{'f' * 40}"),
        ("docker://alpine", True, "docker://alpine"),
        ("actions/cache@v5", True, "actions/cache@v5"),
    ],
)
def test_references_of_a_composite_action(uses: str, own: bool, expected: str) -> None:
    """`./x` is the workspace in an action of somebody else, and the repository itself in the consumer's own."""
    node = yaml.compose(f"runs: {{using: composite, steps: [{{uses: {uses}}}]}}", Loader=yaml.SafeLoader)
    assert isinstance(node, yaml.MappingNode)
    translator = Translator("/s", "/p")
    translator.action(node, KIT, own_paths=own)
    assert translator.uses == [expected]


@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        (None, "bash -e {0}"),
        ("bash", "bash --noprofile --norc -e -o pipefail {0}"),
        ("perl {0}", "perl {0}"),
        ("pwsh", None),
        ("${{ inputs.shell }} {0}", None),
    ],
)
def test_shells(shell: str | None, expected: str | None) -> None:
    """The commands of GitHub's documentation; what is not known stays untouched."""
    assert shell_command(shell) == expected


def test_every_entry_names_what_ends_it() -> None:
    """A translation without an end would stay for ever."""
    assert all(what and until for what, until in ENTRIES.values())


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    """The message leads to the place."""
    path = tmp_path / "ci.yml"
    path.write_text("on: push\njobs:\n  a: [\n", encoding="utf-8")
    with pytest.raises(Exception, match=r"ci\.yml:4: is not YAML"):
        tree.load(path, "ci.yml")

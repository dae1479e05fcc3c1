"""How act is started: nothing secret in its arguments, nothing of this machine in its environment."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from ci_kit.act.command import Plan, arguments, environment, write_files
from ci_kit.act.event import Occasion

OCCASION = Occasion("push", "me/app", "main", "refs/heads/main", "a" * 40)
PLAN = Plan(
    Path("/bin/act"), OCCASION, Path("/clone"), Path("/flows"), frozenset({"ubuntu-24.04-big", "macos-14"}),
    {"org/ci-kit@1": Path("/kit")}, env={"A": "1"}, secrets={"KEY": "top\nsecret"}, variables={"V": "v"},
)  # fmt: skip


def pairs(argv: list[str], option: str) -> list[str]:
    return [after for word, after in pairwise(argv) if word == option]


def test_host_mode() -> None:
    argv = arguments(PLAN, Path("/run"))
    assert argv[:2] == ["/bin/act", "push"]
    labels = pairs(argv, "-P")
    assert "ubuntu-latest=-self-hosted" in labels
    assert "ubuntu-24.04-big=-self-hosted" in labels
    assert not any("macos" in label for label in labels)
    assert pairs(argv, "--local-repository") == ["org/ci-kit@1=/kit"]
    assert "--no-skip-checkout" not in argv
    assert not any(word.startswith("--artifact-server") for word in argv), "act would then ignore our own service"
    assert "secret" not in " ".join(argv).replace("--secret-file", "").replace("secrets.yaml", "")


def test_container_mode() -> None:
    plan = replace(PLAN, container="image:local", mounts=(Path("/stand-ins"),))
    argv = arguments(plan, Path("/run"))
    assert "ubuntu-latest=image:local" in pairs(argv, "-P")
    assert "--pull=false" in argv
    assert pairs(argv, "--container-options") == ["-v /stand-ins:/stand-ins:ro"]


def test_a_stand_in_for_checkout_is_used_when_there_is_one() -> None:
    plan = replace(PLAN, repositories={"actions/checkout@v7": Path("/checkout")})
    assert "--no-skip-checkout" in arguments(plan, Path("/run"))


def test_choices() -> None:
    plan = replace(PLAN, matrix=("a:1", "b:2"), job="test", at_once=3)
    argv = arguments(plan, Path("/run"))
    assert pairs(argv, "--matrix") == ["a:1", "b:2"]
    assert (pairs(argv, "--job"), pairs(argv, "--concurrent-jobs")) == (["test"], ["3"])


def test_files_hold_what_arguments_must_not(tmp_path: Path) -> None:
    write_files(PLAN, tmp_path)
    assert json.loads((tmp_path / "secrets.yaml").read_text()) == {"KEY": "top\nsecret"}
    assert (tmp_path / "secrets.yaml").stat().st_mode & 0o077 == 0
    assert json.loads((tmp_path / "event.json").read_text())["after"] == "a" * 40


def test_environment_keeps_what_finds_programs_only(tmp_path: Path) -> None:
    machine = {
        "PATH": "/bin", "HOME": str(tmp_path), "PYTHONPATH": "/x", "GITHUB_TOKEN": "t", "CI_KIT_NAME": "n", "PIP_CERT": "/c",
        "VIRTUAL_ENV": "/v", "UV_INDEX_URL": "u", "UV_CACHE_DIR": "/d",
    }  # fmt: skip
    found = environment(machine, Path("/home"), "MARK=1")
    assert found == {"PATH": "/bin", "PIP_CERT": "/c", "UV_INDEX_URL": "u", "HOME": "/home", "MARK": "1"}
    (tmp_path / ".pyenv").mkdir()
    assert environment(machine, Path("/home"), "MARK=1")["PYENV_ROOT"] == str(tmp_path / ".pyenv")

"""Which services a run needs: written in a workflow, or in the configuration that a calling job names."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.act.services import Needed, Service, expand_port, needed, service_of
from ci_kit.act.workflows import chosen, parse_files

SHA = "0" * 40


@pytest.mark.parametrize(
    ("image", "ports", "expected"),
    [
        ("redis:7", ["16379:6379"], Service("redis:7", 16379)),
        ("redis:7", ["6379", "16379:6379"], Service("redis:7", 16379)),
        ("postgres:16", ["127.0.0.1:5433:5432/tcp"], Service("postgres:16", 5433)),
        ("redis:7", ["6379"], None),
        ("redis:7", ["6379:6379/udp"], None),
        ("redis:7", [], None),
        ("", ["6379:6379"], None),
        ("${{ matrix.image }}", ["6379:6379"], None),
        ("redis:7", ["${{ matrix.port }}"], None),
    ],
)
def test_service_of(image: str, ports: list[str], expected: Service | None) -> None:
    """The port of this machine counts; a lone container port has a random one, and others are known at run time."""
    assert service_of(image, ports, {}) == expected


@pytest.mark.parametrize(
    ("image", "kind"),
    [("redis", "redis"), ("docker.io/library/redis:7-alpine", "redis"), ("postgres@sha256:ab", "postgres")],
)
def test_kind(image: str, kind: str) -> None:
    """Registry, tag and digest say nothing about the kind of server."""
    assert Service(image, 1).kind == kind


@pytest.mark.parametrize(
    ("text", "expected"), [("6379", "6379:6379"), ("6379/tcp", "6379:6379/tcp"), ("1:2", "1:2"), ("x", "x")]
)
def test_a_lone_port_of_the_configuration_is_that_port_on_both_sides(text: str, expected: str) -> None:
    assert expand_port(text) == expected


def find(folder: Path, jobs: str, others: dict[str, str] | None = None) -> Needed:
    """What a push needs in a repository whose `ci.yml` has these `jobs`."""
    for name, text in {".github/workflows/ci.yml": f"on: push\njobs:\n{jobs}", **(others or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    files = parse_files(folder, strict=True)
    return needed(files, chosen(files, "push", "", ""), folder)


def configuration(port: object) -> str:
    return f"tiers: [{{name: unit, services: {{redis: {{image: 'redis:7', ports: [{port}]}}}}}}]\n"


def calling(given: str = "") -> str:
    uses = f"org/ci-kit/.github/workflows/python-ci.yml@{SHA}"
    return f"  call:\n    uses: {uses}\n" + (f"    with: {{{given}}}\n" if given else "")


def test_a_lone_port_in_a_workflow_is_random_on_github_and_said(tmp_path: Path) -> None:
    jobs = (
        "  job:\n    runs-on: x\n    services:\n      db:\n        image: redis:7\n        ports:\n          - 6379\n"
    )
    found = find(tmp_path, jobs)
    assert found.services == ()
    (warning,) = found.warnings
    assert warning.startswith(".github/workflows/ci.yml:9: the service db gets a random port")
    assert warning.endswith("Write 6379:6379")
    assert find(tmp_path, jobs.replace("6379\n", "6379:6379\n")) == Needed((Service("redis:7", 6379),))


@pytest.mark.parametrize(
    ("given", "port"),
    [
        ("", 6379),
        ("config: other.yml", 6380),
        ("working-directory: services/shop", 6381),
        ("working-directory: services/shop, config: deep/kit.yml", 6382),
        ("working-directory: nowhere", None),
        ("config: nowhere.yml", None),
        ("working-directory: ../..", None),
    ],
)
def test_the_calling_job_says_which_configuration_holds(tmp_path: Path, given: str, port: int | None) -> None:
    configurations = {
        ".github/ci-kit.yml": configuration(6379),
        "other.yml": configuration("'6380:6379'"),
        "services/shop/.github/ci-kit.yml": configuration(6381),
        "services/shop/deep/kit.yml": configuration(6382),
    }
    assert find(tmp_path, calling(given), configurations) == Needed((Service("redis:7", port),) if port else ())


def test_what_only_the_run_knows_is_said(tmp_path: Path) -> None:
    jobs = calling("working-directory: '${{ matrix.project }}'")
    found = find(tmp_path, jobs, {".github/ci-kit.yml": configuration(6379)})
    assert found.services == ()
    assert "the job call passes working-directory or config as an expression" in found.warnings[0]


def test_called_workflows_of_the_repository_itself_count_once(tmp_path: Path) -> None:
    inner = "on: workflow_call\njobs:\n" + calling()
    jobs = "  a:\n    uses: ./.github/workflows/inner.yml\n  b:\n    uses: $/.github/workflows/inner.yml\n"
    others = {".github/workflows/inner.yml": inner, ".github/ci-kit.yml": configuration(6379)}
    assert find(tmp_path, jobs, others) == Needed((Service("redis:7", 6379),))


def test_steps_of_the_kit_get_no_services(tmp_path: Path) -> None:
    """On GitHub nothing starts a configured service for a job that the consumer wrote."""
    jobs = f"  job:\n    runs-on: x\n    steps: [{{uses: org/ci-kit/actions/test@{SHA}}}]\n"
    assert find(tmp_path, jobs, {".github/ci-kit.yml": configuration(6379)}) == Needed(())


def test_a_wrong_configuration_has_no_services(tmp_path: Path) -> None:
    """The run's own plan is what refuses it."""
    assert find(tmp_path, calling(), {".github/ci-kit.yml": "tires: []\n"}) == Needed(())

from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.config import Component, Config, Depth, MutationPolicy, Tier, load_config
from ci_kit.errors import CallerMistake
from ci_kit.service import Service

WHOLE = """\
python: ["3.11", "3.12"]
lint: ["ruff check .", "mypy ."]
tiers:
  - {name: unit, paths: [tests/unit]}
  - name: integration
    paths: [tests/integration]
    marker: "not slow"
    shards: 2.0
    after: unit
    env: {REDIS_URL: "redis://127.0.0.1:6379/0", DEBUG: true, LEVEL: 3, MODE: on}
    services:
      redis: {image: "redis:7", ports: [6379, "22:22", 25:25], env: {A: false}, options: "--tmpfs /data", ready: "redis://127.0.0.1:6379"}
depth:
  pull-request: {tiers: [unit, integration], python: [newest]}
  default-branch: {tiers: all, python: all}
  other: {tiers: [unit], python: ["3.11"]}
test: {scope: file, workers: 4, reruns: 0, maxfail: 0, random-order: false, select: all, timeout: 1h5m, quarantine: q.yml}
gates: {pass-rate: 99.5%, flake-rate: 0%, duration: {pull-request: 90s, tiers: {unit: 1m}}, ignored-tests: 0}
coverage: {total: 85, components: {core: {paths: ["src/core/**"], min: 95}}, patch: 90, file-floor: 10.5, regression: forbid, regression-tolerance: 3, source: [src]}
mutation: {critical: ["app/core/jwt.py"], label: mutate, budget: 7m, policies: {"app/core/**": {min-score: 90}, "app/**": {new-survivors: forbid}}, released: {"app/core/version.py": "only a number"}, ratchet: report, max-shards: 3}
secrets: {required: [JWT_SECRET_KEY]}
history: branch
"""


def load(folder: Path, text: str, name: str = ".github/ci-kit.yml") -> Config:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return load_config(folder)


def refused(folder: Path, text: str) -> CallerMistake:
    with pytest.raises(CallerMistake) as raised:
        load(folder, text)
    return raised.value


def test_no_file_is_all_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path) == Config()


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_an_empty_file_is_all_defaults(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Config(file=".github/ci-kit.yml")


def test_every_key_arrives(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert found.python == ("3.11", "3.12")
    assert found.lint == ("ruff check .", "mypy .")
    assert found.tiers == (
        Tier("unit", ("tests/unit",)),
        Tier(
            "integration", ("tests/integration",), "not slow", 2, "unit",
            {"REDIS_URL": "redis://127.0.0.1:6379/0", "DEBUG": "true", "LEVEL": "3", "MODE": "on"},
            {"redis": Service("redis:7", ("6379:6379", "22:22", "25:25"), {"A": "false"}, "--tmpfs /data", "redis://127.0.0.1:6379")},
        ),
    )  # fmt: skip
    assert found.depth == {
        "pull-request": Depth(("unit", "integration"), ("newest",)),
        "default-branch": Depth(None, None),
        "other": Depth(("unit",), ("3.11",)),
    }
    test = found.test
    assert (test.scope, test.workers, test.reruns, test.maxfail, test.random_order) == ("file", 4, 0, 0, False)
    assert (test.select, test.timeout_seconds, test.quarantine) == ("all", 3900.0, "q.yml")
    assert (found.gates.pass_rate, found.gates.flake_rate, found.gates.ignored_tests) == (0.995, 0.0, 0)
    assert found.gates.duration_seconds == {"pull-request": 90.0, "tiers.unit": 60.0}
    budgets = {
        key: found.gates.budget(key) for key in ("pull-request", "default-branch", "other", "tiers.unit", "tiers.x")
    }
    assert budgets == {
        "pull-request": 90.0,
        "default-branch": 900.0,
        "other": None,
        "tiers.unit": 60.0,
        "tiers.x": 180.0,
    }
    coverage = found.coverage
    assert coverage.components == (Component("core", ("src/core/**",), 95),)
    assert (coverage.total, coverage.patch, coverage.file_floor, coverage.regression) == (85, 90, 10.5, "forbid")
    assert coverage.regression_tolerance == 3
    assert coverage.source == ("src",)
    assert (found.mutation.critical, found.mutation.label, found.mutation.budget_seconds) == (
        ("app/core/jwt.py",),
        "mutate",
        420.0,
    )
    assert found.mutation.policies == {
        "app/core/**": MutationPolicy(90.0),
        "app/**": MutationPolicy(new_survivors="forbid"),
    }
    assert found.mutation.released == {"app/core/version.py": "only a number"}
    assert (found.mutation.ratchet, found.mutation.max_shards) == ("report", 3)
    assert (found.required_secrets, found.history) == (("JWT_SECRET_KEY",), "branch")


def test_a_whole_number_may_be_written_with_a_point(tmp_path: Path) -> None:
    found = load(tmp_path, "test: {workers: 2.0, reruns: 1.0, maxfail: 3.0}\ngates: {ignored-tests: 4.0}\n")
    numbers = (found.test.workers, found.test.reruns, found.test.maxfail, found.gates.ignored_tests)
    assert numbers == (2, 1, 3, 4)
    assert all(isinstance(number, int) for number in numbers)


def test_auto_is_left_to_the_planner(tmp_path: Path) -> None:
    found = load(tmp_path, "tiers: [{name: a, shards: auto}]\ntest: {workers: auto}\n")
    assert (found.tiers[0].shards, found.test.workers) == (None, None)


def test_the_other_ending_is_found_too(tmp_path: Path) -> None:
    assert load(tmp_path, "history: none\n", ".github/ci-kit.yaml").history == "none"


def test_another_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text("history: none\n")
    assert load_config(tmp_path, Path("other.yml")).history == "none"
    with pytest.raises(CallerMistake, match=r"input config: there is no file missing.yml"):
        load_config(tmp_path, Path("missing.yml"))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("coverge: {total: 85}\n", 1, "coverge: unknown key 'coverge' (did you mean 'coverage'?)."),
        ("python: [3.10]\n", 1, "python[0]: expected a quoted Python version"),
        ("test:\n  timeout: 10\n", 2, "test.timeout: expected a duration such as 90s, 8m or 1h30m, found the number 10."),
        ("gates:\n  pass-rate: 98\n", 2, "gates.pass-rate: expected a percentage such as 98% or 99.5%, found the number 98."),
        ("coverage: {total: .nan}\n", 1, 'coverage.total: expected a number from 0 to 100, found ".nan".'),
        ("coverage: {total: 101}\n", 1, "coverage.total: expected a number from 0 to 100, found the number 101."),
        ("tiers: []\n", 1, "tiers: expected at least 1 entries, found 0."),
        ("tiers:\n  - paths: [a]\n", 2, "tiers[0]: the key 'name' is missing."),
        ('tiers: [{name: "unit\\n"}]\n', 1, "tiers[0].name: expected a name"),
        ("- a\n", 1, "expected the configuration of ci-kit (.github/ci-kit.yml), found a list of 1."),
        ("tiers: [{name: a}, {name: a}]\n", 1, "tiers[1].name: the tier 'a' stands twice."),
        ("tiers:\n  - {name: unit}\n  - name: b\n    after: unti\n", 4, "tiers[1].after: expected another tier, found 'unti' (did you mean 'unit'?)."),
        ("tiers: [{name: a, after: a}]\n", 1, "tiers[0].after: expected another tier, found 'a'"),
        ("tiers: [{name: a}, {name: b, after: a}, {name: c, after: b}]\n", 1, "tiers[2].after: 'b' itself runs after another tier"),
        ("tiers: [{name: a}]\ndepth: {other: {tiers: [b]}}\n", 2, "depth.other.tiers: 'b' is not among ['a']"),
        ('python: ["3.11"]\ndepth: {other: {python: ["3.12"]}}\n', 2, "depth.other.python: '3.12' is not among"),
        ("secrets: {required: [A B]}\n", 1, "secrets.required[0]: expected the name of an environment variable"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_and_suggestion(tmp_path: Path, text: str, line: int, message: str) -> None:
    error = refused(tmp_path, text)
    assert error.message.startswith(message)
    assert (error.file, error.line) == (".github/ci-kit.yml", line)
    assert "docs/configuration.md" in error.next_step


def test_too_many_services_for_the_slots_are_refused(tmp_path: Path) -> None:
    services = ", ".join(f"s{i}: {{image: x}}" for i in range(5))
    assert (
        "expected at most 4 services, found 5"
        in refused(tmp_path, f"tiers: [{{name: a, services: {{{services}}}}}]\n").message
    )


@pytest.mark.parametrize(
    ("service", "ports", "ready"),
    [
        ("ports: [6379]", ("6379:6379",), "tcp://127.0.0.1:6379"),
        ('ports: ["6379"]', ("6379:6379",), "tcp://127.0.0.1:6379"),
        ("ports: [6379.0]", ("6379:6379",), "tcp://127.0.0.1:6379"),
        ('ports: ["6380:6379", 7000]', ("6380:6379", "7000:7000"), "tcp://127.0.0.1:6380"),
        ('ports: ["6379/tcp"]', ("6379:6379",), "tcp://127.0.0.1:6379"),
        ('ports: ["53/udp"]', ("53:53/udp",), None),
        ('ports: ["53/udp", "5353:53/tcp"]', ("53:53/udp", "5353:53"), "tcp://127.0.0.1:5353"),
        ('ports: [6379], ready: "redis://localhost:6379"', ("6379:6379",), "redis://localhost:6379"),
        ("options: --privileged", (), None),
    ],
)
def test_a_service_is_reached_on_the_port_that_was_written(
    service: str, ports: tuple[str, ...], ready: str | None, tmp_path: Path
) -> None:
    """Docker gives a lone container port a host port by chance, and nothing that waits for it would find it."""
    [tier] = load(tmp_path, f"tiers: [{{name: a, services: {{s: {{image: x, {service}}}}}}}]\n").tiers
    assert (tier.services["s"].ports, tier.services["s"].ready) == (ports, ready)


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("6379", '"6379:1"', "services.b.ports[0]: the port 6379 of this machine is taken by the service 'a'"),
        ("6379", '"70000:80"', "services.b.ports[0]: expected ports from 1 to 65535, found '70000:80'"),
        ("6379", '"0:80"', "services.b.ports[0]: expected ports from 1 to 65535, found '0:80'"),
    ],
)
def test_ports_that_cannot_be_had_are_refused(one: str, other: str, said: str, tmp_path: Path) -> None:
    services = f"{{a: {{image: x, ports: [{one}]}}, b: {{image: x, ports: [{other}]}}}}"
    assert said in refused(tmp_path, f"tiers: [{{name: t, services: {services}}}]\n").message


def test_one_number_may_be_a_tcp_and_a_udp_port(tmp_path: Path) -> None:
    assert load(tmp_path, 'tiers: [{name: t, services: {a: {image: x, ports: [53, "53/udp"]}}}]\n').tiers


def test_every_mistake_is_in_one_message(tmp_path: Path) -> None:
    error = refused(tmp_path, "histroy: cache\ntest:\n  rerun: 2\n  maxfail: -1\n")
    assert str(error).splitlines() == [
        ".github/ci-kit.yml:1: histroy: unknown key 'histroy' (did you mean 'history'?).",
        ".github/ci-kit.yml:3: test.rerun: unknown key 'rerun' (did you mean 'reruns'?).",
        f".github/ci-kit.yml:4: test.maxfail: expected a whole number at least 0, found the number -1. {error.next_step}",
    ]

"""The consumer's configuration, `.github/ci-kit.yml`: validated against `schemas/config.json`, all defaults filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from ci_kit import quarantine, schema
from ci_kit.errors import CallerMistake
from ci_kit.inputs import duration, ratio
from ci_kit.service import Service, build_service, environment, wrong_services
from ci_kit.yaml_file import Document, read_yaml

DEFAULT_PATH = Path(".github/ci-kit.yml")
BUDGETS: Mapping[str, float] = MappingProxyType(
    {"pull-request": 480.0, "default-branch": 900.0, "lint": 30.0, "gate": 30.0, "tiers": 180.0}
)
"""Seconds that the kit itself expects of a run by its kind of event, of lint, of the gate, and of each tier."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Tier:
    """Tests that run together. No `paths`: pytest's own test paths.

    `shards` None: at most `max_shards`, as many as bring each job under `target_seconds`.
    """

    name: str
    paths: tuple[str, ...] = ()
    marker: str | None = None
    shards: int | None = None
    after: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    target_seconds: float = 180.0
    max_shards: int = 16


@dataclass(frozen=True)
class Depth:
    """What one kind of event runs. None means all; `newest` in `python` is the newest configured version."""

    tiers: tuple[str, ...] | None
    python: tuple[str, ...] | None


@dataclass(frozen=True)
class TestSettings:
    """How tests run. `workers` None: chosen from the machine; `maxfail` 0: never stop early.

    `rerun_only` are patterns of errors (none: all failures are run again), `test_seconds` limits each test (None: only
    `timeout_seconds` holds).
    """

    scope: str = "auto"
    workers: int | None = None
    reruns: int = 3
    maxfail: int = 10
    random_order: bool = True
    select: str = "affected-first"
    timeout_seconds: float = 600.0
    quarantine: str = quarantine.DEFAULT
    rerun_only: tuple[str, ...] = ()
    test_seconds: float | None = None

    __test__ = False  # for pytest: this is no test class


@dataclass(frozen=True)
class Gates:
    """Thresholds of the test gates; rates are 0-1.

    `duration_seconds` holds only the budgets that the file sets, under the kind of event, `lint`, `gate` or
    `tiers.<name>`.
    """

    pass_rate: float = 1.0
    flake_rate: float = 0.02
    duration_seconds: Mapping[str, float] = field(default_factory=dict)
    ignored_tests: int | None = None

    def budget(self, key: str) -> float | None:
        """The budget that holds, in seconds: the file's, else the kit's own, if there is one."""
        return self.duration_seconds.get(key, BUDGETS.get(key.partition(".")[0]))


@dataclass(frozen=True)
class Component:
    """A named part of the code; `min_percent` is 0-100."""

    name: str
    paths: tuple[str, ...]
    min_percent: float


@dataclass(frozen=True)
class Coverage:
    """Thresholds of coverage in percent, 0-100; None: not judged. The tolerance is in lines and branches."""

    total: float = 85.0
    components: tuple[Component, ...] = ()
    patch: float | None = None
    file_floor: float = 0.0
    regression: Literal["forbid", "allow"] = "allow"
    regression_tolerance: int = 0
    source: tuple[str, ...] = ()


@dataclass(frozen=True)
class MutationPolicy:
    """What holds for the files of a pattern: the least score in percent (None: any), and whether new survivors fail."""

    min_score: float | None = None
    new_survivors: Literal["forbid", "report"] = "report"


@dataclass(frozen=True)
class Mutation:
    """Where and how long mutants are tried; `policies` by pattern of files.

    `released` are patterns of files that are no longer security-critical, each with its reason. `ratchet` says whether
    the score of a security-critical file may fall. One run is at most `max_shards` jobs.
    """

    critical: tuple[str, ...] = ()
    label: str = "mutation-test"
    budget_seconds: float = 420.0
    policies: Mapping[str, MutationPolicy] = field(default_factory=dict)
    released: Mapping[str, str] = field(default_factory=dict)
    ratchet: Literal["hold", "report"] = "hold"
    max_shards: int = 8


@dataclass(frozen=True)
class Config:
    """The whole configuration. `file` is its path as shown to people, None when there is none.

    Empty `python`, `tiers` and None `lint` mean that the repository itself is asked (`ci_kit.project`).
    """

    file: str | None = None
    python: tuple[str, ...] = ()
    lint: tuple[str, ...] | None = None
    tiers: tuple[Tier, ...] = ()
    depth: Mapping[str, Depth] = field(default_factory=dict)
    test: TestSettings = TestSettings()
    gates: Gates = Gates()
    coverage: Coverage = Coverage()
    mutation: Mutation = Mutation()
    required_secrets: tuple[str, ...] = ()
    history: str = "cache"


def load_config(workspace: Path, path: Path | None = None) -> Config:
    """Read and validate the configuration of the repository at `workspace`.

    Without `path`, `.github/ci-kit.yml` (or `.yaml`) is read when it is there and all defaults hold when it is not.
    Raises `CallerMistake` with file, line and a suggestion; every problem is listed in one message.
    """
    found = _find(workspace, path)
    if found is None:
        return Config()
    name = found.relative_to(workspace).as_posix() if found.is_relative_to(workspace) else str(found)
    document = read_yaml(found, name)
    if document.data is None:
        return Config(file=name)
    _refuse(name, document, [(p.place, p.message) for p in schema.problems(document.data, schema.load("config"))])
    _refuse(name, document, list(_contradictions(document.data)))
    return _build(name, document.data)


def _find(workspace: Path, path: Path | None) -> Path | None:
    if path is not None:
        if not (workspace / path).is_file():
            raise CallerMistake(
                f"input config: there is no file {path}.", next_step="Correct the path, or leave the input out."
            )
        return workspace / path
    candidates = [workspace / DEFAULT_PATH, workspace / DEFAULT_PATH.with_suffix(".yaml")]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _refuse(name: str, document: Document, wrong: list[tuple[schema.Place, str]]) -> None:
    if not wrong:
        return
    first, *rest = [(document.line(place), schema.dotted(place), message) for place, message in wrong]
    more = "".join(f"\n{name}:{line}: {place}: {message}." for line, place, message in rest[:20])
    raise CallerMistake(
        f"{first[1]}: {first[2]}.{more}" if first[1] else f"{first[2]}.{more}",
        next_step="The keys are described in docs/configuration.md.",
        file=name,
        line=first[0],
    )


def _contradictions(data: Mapping[str, Any]) -> list[tuple[schema.Place, str]]:
    """What a schema cannot say: names that must exist, cycles, values that exclude each other."""
    wrong: list[tuple[schema.Place, str]] = []
    tiers = data.get("tiers", [])
    names = [tier["name"] for tier in tiers]
    for index, tier in enumerate(tiers):
        place: schema.Place = ("tiers", index)
        if names.index(tier["name"]) != index:
            wrong.append(((*place, "name"), f"the tier {tier['name']!r} stands twice"))
        after = tier.get("after")
        if after is not None and (after not in names or after == tier["name"]):
            wrong.append(
                ((*place, "after"), f"expected another tier, found {after!r}{schema.suggestion(after, names)}")
            )
        elif after is not None and "after" in tiers[names.index(after)]:
            wrong.append(
                ((*place, "after"), f"{after!r} itself runs after another tier; one step of waiting is the most")
            )
        wrong += wrong_services(place, tier.get("services", NOTHING))
    budgets = ((data.get("gates") or NOTHING).get("duration") or NOTHING).get("tiers") or NOTHING
    wrong += [
        (("gates", "duration", "tiers", name), f"there is no tier {name!r}{schema.suggestion(name, names)}")
        for name in budgets
        if names and name not in names
    ]
    for event, depth in data.get("depth", {}).items():
        for key, known in (("tiers", names), ("python", ["newest", *data.get("python", [])])):
            listed = depth.get(key, [])
            unknown = [value for value in listed if value not in known] if isinstance(listed, list) else []
            wrong += [
                (("depth", event, key), f"{v!r} is not among {known}{schema.suggestion(v, known)}") for v in unknown
            ]
    return wrong


def _build(name: str, data: Mapping[str, Any]) -> Config:
    test, gates, mutation = (data.get(key) or NOTHING for key in ("test", "gates", "mutation"))
    default_test, default_gates, default_mutation = TestSettings(), Gates(), Mutation()
    return Config(
        file=name,
        python=tuple(data.get("python", ())),
        lint=tuple(data["lint"]) if "lint" in data else None,
        tiers=tuple(_tier(tier) for tier in data.get("tiers", ())),
        depth={event: _depth(depth) for event, depth in data.get("depth", {}).items()},
        test=TestSettings(
            scope=test.get("scope", default_test.scope),
            workers=_count(test.get("workers")),
            reruns=int(test.get("reruns", default_test.reruns)),
            maxfail=int(test.get("maxfail", default_test.maxfail)),
            random_order=test.get("random-order", default_test.random_order),
            select=test.get("select", default_test.select),
            timeout_seconds=duration(test["timeout"]) if "timeout" in test else default_test.timeout_seconds,
            quarantine=test.get("quarantine", default_test.quarantine),
            rerun_only=tuple(test.get("rerun-only", ())),
            test_seconds=duration(test["test-timeout"]) if "test-timeout" in test else None,
        ),
        gates=Gates(
            pass_rate=ratio(gates["pass-rate"]) if "pass-rate" in gates else default_gates.pass_rate,
            flake_rate=ratio(gates["flake-rate"]) if "flake-rate" in gates else default_gates.flake_rate,
            duration_seconds=_budgets(gates.get("duration", NOTHING)),
            ignored_tests=_count(gates.get("ignored-tests")),
        ),
        coverage=_coverage(data.get("coverage") or NOTHING),
        mutation=Mutation(
            critical=tuple(mutation.get("critical", ())),
            label=mutation.get("label", default_mutation.label),
            budget_seconds=duration(mutation["budget"]) if "budget" in mutation else default_mutation.budget_seconds,
            policies={pattern: _policy(policy) for pattern, policy in mutation.get("policies", {}).items()},
            released=dict(mutation.get("released", NOTHING)),
            ratchet=mutation.get("ratchet", default_mutation.ratchet),
            max_shards=int(mutation.get("max-shards", default_mutation.max_shards)),
        ),
        required_secrets=tuple((data.get("secrets") or NOTHING).get("required", ())),
        history=data.get("history", "cache"),
    )


def _budgets(data: Mapping[str, Any]) -> dict[str, float]:
    plain = {key: duration(value) for key, value in data.items() if key != "tiers"}
    return plain | {f"tiers.{name}": duration(value) for name, value in data.get("tiers", NOTHING).items()}


def _count(value: float | str | None) -> int | None:
    return None if value is None or isinstance(value, str) else int(value)  # 2.0 is a whole number too


def _depth(data: Mapping[str, Any]) -> Depth:
    def listed(key: str) -> tuple[str, ...] | None:
        return tuple(data[key]) if isinstance(data.get(key), list) else None

    return Depth(listed("tiers"), listed("python"))


def _tier(data: Mapping[str, Any]) -> Tier:
    return Tier(
        name=data["name"],
        paths=tuple(data.get("paths", ())),
        marker=data.get("marker"),
        shards=_count(data.get("shards")),
        after=data.get("after"),
        env=environment(data.get("env", NOTHING)),
        services={name: build_service(service) for name, service in data.get("services", NOTHING).items()},
        target_seconds=duration(data["target"]) if "target" in data else Tier.target_seconds,
        max_shards=int(data.get("max-shards", Tier.max_shards)),
    )


def _policy(data: Mapping[str, Any]) -> MutationPolicy:
    default = MutationPolicy()
    return MutationPolicy(
        float(data["min-score"]) if "min-score" in data else default.min_score,
        data.get("new-survivors", default.new_survivors),
    )


def _coverage(data: Mapping[str, Any]) -> Coverage:
    default = Coverage()
    return Coverage(
        total=data.get("total", default.total),
        components=tuple(
            Component(name, tuple(part["paths"]), part["min"]) for name, part in data.get("components", NOTHING).items()
        ),
        patch=data.get("patch"),
        file_floor=data.get("file-floor", default.file_floor),
        regression=data.get("regression", default.regression),
        regression_tolerance=int(data.get("regression-tolerance", default.regression_tolerance)),
        source=tuple(data.get("source", ())),
    )

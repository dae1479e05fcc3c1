"""Find out everything that a run of pytest needs, before it starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit import inputs, secret_env, test_plugins
from ci_kit.affected_plan import read_choice
from ci_kit.config import Config, load_config
from ci_kit.git import checked_out
from ci_kit.inputs import Shard, setting
from ci_kit.machine import find_machine
from ci_kit.plan import Leg, artifact_name
from ci_kit.pytest_config import read_pytest_config
from ci_kit.quarantine import read_quarantine
from ci_kit.report import report_folder
from ci_kit.seed import seed_of
from ci_kit.service import Service
from ci_kit.test import command, measuring, surroundings
from ci_kit.test.gather import DATA_NAME
from ci_kit.test.interpreter import check_pytest, probe
from ci_kit.test.measuring import Measuring
from ci_kit.test.model import Interpreter
from ci_kit.test.record import write_task
from ci_kit.test.recorded import recorded_durations
from ci_kit.test.shard_run import ShardRun
from ci_kit.test.workload import Workload, estimate, find_workload
from ci_kit.tests_python import find_python
from ci_kit.tools import Tools

FROM_CONFIG = -1
_WORKERS: int | None = FROM_CONFIG
PLUGIN_PATH = Path("scripts", "pytest-ci-kit", "src")
START_COVERAGE_PATH = Path("scripts", "pytest-ci-kit", "start-coverage")


@dataclass(frozen=True)
class RunInputs:
    """Inputs of `test run`."""

    shard: Shard = setting(Shard(1, 1), inputs.shard, "part of the tests to run, such as 2/4 (default 1/1)")
    tier: str = setting("", inputs.text, "tier of the configuration (default: the only one)")
    python: str = setting("", inputs.text, "interpreter of the tests (default: the environment's, else that on PATH)")
    python_version: str = setting(
        "", inputs.version_label, "Python version as named in reports (default: the interpreter's)"
    )
    plan: Path | None = setting(None, inputs.path, "plan.json of the run (default: planned here)")
    config: Path | None = setting(None, inputs.path, "configuration file (default .github/ci-kit.yml)")
    workers: int | None = setting(_WORKERS, inputs.count_or_auto, "xdist workers, or auto (default: configuration)")
    reruns: int = setting(FROM_CONFIG, inputs.integer(0, 10), "how often a failed test runs again (default 3)")
    pytest_args: tuple[str, ...] = setting((), inputs.lines, "more arguments of pytest, one a line")
    coverage: bool = setting(True, inputs.boolean, "measure coverage, true or false (default true)")
    name: str = setting("ci", inputs.short_name, "name of this call, part of the artifact's name (default ci)")
    upload: bool = setting(True, inputs.boolean, "whether the action uploads the results (default true)")
    seed: int | None = setting(None, inputs.integer(0, 2**31), "seed of the random order (default: the plan's)")
    timeout: float | None = setting(None, inputs.duration, "time limit of the step")
    env: str = setting("", inputs.text, "lines NAME=value of the consumer's secrets", secret=True)


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start: its environment, its services' addresses and the configuration's time limit.

    `started` is when the step began, by the monotonic clock.
    """

    run: ShardRun
    environ: Mapping[str, str]
    ready: tuple[str, ...]
    test_seconds: float
    started: float
    services: Mapping[str, Service]


def prepare(given: RunInputs, tools: Tools) -> Prepared:
    """Raises `CallerMistake` for everything that the caller can mend; nothing of the workspace is changed."""
    started = tools.clock.monotonic()
    root = tools.event.workspace.resolve()
    config = load_config(root, given.config)
    secrets = secret_env.read_secrets(tools.environ, tools.workflow)
    note = secret_env.check_required(config.required_secrets, secrets, tools.event)
    workload = find_workload(root, config, plan=given.plan, tier=given.tier, shard=given.shard)
    pytest_config = read_pytest_config(root, workload.tier.paths)
    own = surroundings.base(tools.environ) | dict(workload.tier.env) | secrets
    options = [*pytest_config.addopts, *own.get("PYTEST_ADDOPTS", "").split(), *given.pytest_args]
    kit_folder = report_folder(tools.environ)
    private = _fresh(kit_folder / "test" / f"{given.name}-{os.getpid()}")
    python, settings = _interpreter(given, tools, root, own, options, kit_folder)
    leg = Leg(workload.tier.name, given.python_version or python.minor, given.shard)
    folder = _fresh(kit_folder / "results" / artifact_name(given.name, "results", leg, tools.event.run_attempt))
    measured = None
    if given.coverage:
        measured = _measuring(settings, python, config, options, root, folder)
        _rc(private).write_text(measured.rc, encoding="utf-8")
    durations = recorded_durations(given.plan, workload.tier.name, workload.selection)
    workers = _workers(given, config, workload, root, durations)
    choice = read_choice(given.plan)
    seed = _seed(given, config, workload, tools)
    quarantined = read_quarantine(root, config.test.quarantine, tools.clock.now().date())
    task = {
        "seed": seed,
        "test-timeout": config.test.test_seconds,
        "scope": config.test.scope,
        "durations": durations,
        **choice.task(leg.tier, leg.python),
    }
    request = command.Request(
        python=python.path,
        task=write_task(private, root, workload.selection, task),
        stream=private / "report-log.jsonl",
        paths=workload.tier.paths,
        marker=workload.tier.marker,
        workers=workers.count,
        scope=config.test.scope,
        reruns=config.test.reruns if given.reruns == FROM_CONFIG else given.reruns,
        maxfail=command.maxfail_beside(config.test.maxfail, quarantined),
        rerun_only=config.test.rerun_only,
        extra=given.pytest_args,
        has_pytest_cov="pytest-cov" in python.distributions,
        read_only=not os.access(root, os.W_OK),
    )
    environ = surroundings.for_tests(
        tools.environ,
        interpreter=python,
        search_path=_search_path(tools, measured),
        tier=workload.tier.env,
        secrets=secrets,
        coverage_rc=_rc(private) if measured else None,
    )
    notes = [*filter(None, (note, choice.sentence(leg.tier))), *_notes(options, request)]
    run = ShardRun(
        given.name, leg, tools.event.run_attempt, tools.event.sha, checked_out(tools) if measured else "",
        root, folder, private, workload.selection, python, measured, workers, request, tuple(notes), tuple(secrets.values()),
        seed, config.test.test_seconds, quarantined, tuple(options), task,
    )  # fmt: skip
    ready = tuple(service.ready for service in workload.tier.services.values() if service.ready)
    return Prepared(run, environ, ready, config.test.timeout_seconds, started, workload.tier.services)


def _seed(given: RunInputs, config: Config, workload: Workload, tools: Tools) -> int | None:
    if given.seed is not None:
        return given.seed
    if not config.test.random_order:
        return None
    return seed_of(tools.event) if workload.seed is None else workload.seed


def _fresh(folder: Path) -> Path:
    """An empty folder: nothing of an earlier call may pass for this one's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _rc(private: Path) -> Path:
    return private / "coverage.ini"


def _interpreter(
    given: RunInputs,
    tools: Tools,
    root: Path,
    environ: Mapping[str, str],
    options: Sequence[str],
    kit_folder: Path,
) -> tuple[Interpreter, Mapping[str, object]]:
    path = find_python(given.python, tools.environ, kit_folder)
    config: str | None = None
    if given.coverage:
        config = command.coverage_options(options).config
    python, settings = probe(path, tools, root=root, environ=environ, coverage_config=config)
    if not python.distributions.keys() >= set(test_plugins.NEEDED):
        # Without the secrets and the tier's own variables: they are for the tests.
        added = test_plugins.ensure(path, tools, environ=surroundings.base(tools.environ), cwd=root).added
        listed = ", ".join(f"{name} {added[name]}" for name in sorted(added))
        tools.workflow.log(f"Added to the environment: {listed}.")
        python, settings = probe(path, tools, root=root, environ=environ, coverage_config=config)
    check_pytest(python)
    return python, settings


def _measuring(
    settings: Mapping[str, object],
    python: Interpreter,
    config: Config,
    options: Sequence[str],
    root: Path,
    folder: Path,
) -> Measuring:
    asked = command.coverage_options(options)
    (folder / "coverage").mkdir()
    return measuring.decide(
        settings,
        python,
        root=root,
        configured=config.coverage.source,
        fallback=asked.source or measuring.default_source(root),
        branch=asked.branch,
        data_file=folder / "coverage" / DATA_NAME,
    )


def _workers(
    given: RunInputs, config: Config, workload: Workload, root: Path, durations: Mapping[str, float]
) -> command.Workers:
    selection = workload.selection
    size = estimate(root, selection.mine, durations, owns_unplanned=selection.owns_unplanned)
    asked = config.test.workers if given.workers == FROM_CONFIG else given.workers
    return command.decide_workers(asked, find_machine(), size, config.test.scope)


def _search_path(tools: Tools, measured: Measuring | None) -> tuple[Path, ...]:
    plugin = tools.kit_root / PLUGIN_PATH
    return (plugin,) if measured is None else (plugin, tools.kit_root / START_COVERAGE_PATH)


def _notes(options: Sequence[str], request: command.Request) -> list[str]:
    notes = []
    if words := command.replaced(options, marker=request.marker is not None):
        notes.append(f"The kit's own settings replace these options of the project: {' '.join(dict.fromkeys(words))}.")
    if request.read_only:
        notes.append("The workspace is read-only, so pytest runs without its cache.")
    return notes

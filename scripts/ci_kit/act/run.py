"""One run, start to end: copies, translation, servers, act, and the report."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ci_kit import report
from ci_kit.act import command, event, preparation, say, workflows
from ci_kit.act.artifact_store import ArtifactStore
from ci_kit.act.blobs import Blobs
from ci_kit.act.cache_store import CacheStore
from ci_kit.act.command import Plan
from ci_kit.act.log import RunLog, skipped_jobs
from ci_kit.act.masks import Masks
from ci_kit.act.outcome import JobRun, verdict
from ci_kit.act.prepared import Prepared, prepare
from ci_kit.act.request import Request, Result
from ci_kit.act.results_service import ResultsService
from ci_kit.act.servers import Servers
from ci_kit.act.session import Ended, run_session
from ci_kit.act.stand_ins import StandIns, prepare_stand_ins
from ci_kit.errors import CallerMistake, InfrastructureFailure, KitError
from ci_kit.process import Runner, SubprocessRunner
from ci_kit.tools import KIT_ROOT

CHOSEN_LEGS = "only the chosen legs run, so a job that judges all legs (the gate of python-ci.yml) is red"
UNREADABLE = (
    "not valid",
    "yaml:",
    "Failed to match",
    "Could not find any stages",
    "unknown property",
    "Unknown Property",
)


@dataclass(frozen=True)
class Machine:
    """Where this run lives on this machine, and what serves it."""

    runner: Runner
    environ: Mapping[str, str]
    folder: Path
    tools: Path
    act: Path
    version: str
    stand_ins: StandIns | None
    servers: Servers
    write: Callable[[str], None]


def run_act(
    request: Request,
    *,
    kit_root: Path = KIT_ROOT,
    environ: Mapping[str, str] | None = None,
    runner: Runner | None = None,
    write: Callable[[str], None] = print,
) -> Result:
    """Run a consumer's workflows; `kit_root` is served as the kit. Raises `KitError` for what is no verdict of theirs."""
    environ = dict(os.environ if environ is None else environ)
    runner = runner or SubprocessRunner()
    tools = preparation.cache_folder(environ)
    act = preparation.find_act(runner, environ, KIT_ROOT, tools)
    version = preparation.act_version(runner, act)
    offline = request.actions == "stand-ins" or (request.actions == "auto" and not _github_answers())
    stand_ins = prepare_stand_ins(runner, environ, KIT_ROOT, tools) if offline else None
    folder = Path(tempfile.mkdtemp(prefix="ci-kit-act-")).resolve()
    servers = Servers(folder / "servers", tools / "ports", write)
    machine = Machine(runner, environ, folder, tools, act, version, stand_ins, servers, write)
    try:
        prepared = prepare(request, runner=runner, kit_root=kit_root, folder=folder, stand_ins=stand_ins)
        if not request.container and request.services != "none":
            servers.start(prepared.services, environ, request.limit_seconds)
        return _run(request, machine, prepared)
    finally:
        servers.stop()
        _remove(folder)


def _github_answers() -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request("https://github.com", method="HEAD"), timeout=4):
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _run(request: Request, machine: Machine, prepared: Prepared) -> Result:
    occasion, output = prepared.consumer.occasion, request.output.absolute()
    for name in ("artifacts", "summaries"):
        shutil.rmtree(output / name, ignore_errors=True)
    for old in output.glob("unexpected-error-*.txt"):
        old.unlink()
    output.mkdir(parents=True, exist_ok=True)
    run_id = time.time_ns() // 1000 % 10**12
    blobs = Blobs(machine.folder / "blobs")
    artifacts = ArtifactStore(blobs.folder, output / "artifacts")
    caches = CacheStore(
        (request.cache or machine.tools / "caches").absolute(), occasion.repository, event.scopes(occasion)
    )
    service = ResultsService(artifacts, caches, blobs, str(run_id))
    plan = _plan(request, machine, prepared, service, run_id)
    masks = Masks([*plan.secrets.values(), service.token])
    log = RunLog(prepared.jobs, masks, say.Live(machine.write, verbose=request.verbose), prepared=not request.container)
    for warning in prepared.warnings:
        machine.write(f"warning: {warning}")
    say.announce(
        machine.write, prepared.consumer, prepared.top, prepared.translations, _heads(request, machine), machine.servers
    )
    if request.matrix:
        machine.write(f"note: {CHOSEN_LEGS}")
    service.start()
    try:
        ended = _act(plan, machine, log, masks, request.limit_seconds, output)
    finally:
        service.stop()
    jobs = _jobs(request, prepared, log, ended)
    result = Result(
        verdict="cancelled"
        if ended.timed_out
        else "failure"
        if ended.code and verdict(jobs) == "success"
        else verdict(jobs),
        occasion=occasion,
        folder=output,
        actions="stand-ins" if machine.stand_ins else "genuine",
        mode="container" if request.container else "host",
        act=machine.version,
        seconds=ended.seconds,
        jobs=jobs,
        artifacts=artifacts.finished(),
        transfers=[replace(t, name=masks.hide(t.name), matched=masks.hide(t.matched)) for t in service.transfers],
        translations=prepared.translations,
        services=machine.servers.started,
        notes=[
            *prepared.consumer.notes,
            *prepared.warnings,
            *([CHOSEN_LEGS] if request.matrix else []),
            *(f"service not started: {each}" for each in machine.servers.absent),
        ],
        messages=log.messages,
        timed_out=ended.timed_out,
    )
    _keep(result)
    _keep_defects(machine, output, masks)
    if ended.timed_out:
        machine.write(f"the time limit of {request.limit_seconds:.0f} s (--limit) is over; everything was stopped")
    machine.write(say.closing(jobs, result.verdict, result.seconds))
    return result


def _heads(request: Request, machine: Machine) -> str:
    where = f"container {request.container}" if request.container else "this machine"
    actions = "stand-ins for actions (github.com is not used)" if machine.stand_ins else "genuine actions"
    return f"act {machine.version} on {where}, {actions}"


def _plan(request: Request, machine: Machine, prepared: Prepared, service: ResultsService, run_id: int) -> Plan:
    occasion = prepared.consumer.occasion
    env = event.variables(occasion, run_id) | service.environment()
    mounts: tuple[Path, ...] = ()
    if machine.stand_ins is not None:
        mounts = (machine.stand_ins.root,)
        env["CI_KIT_ACT_ORIGIN"] = str(prepared.consumer.server)
        env["CI_KIT_ACT_PYTHONS"] = os.pathsep.join(map(str, preparation.python_folders(machine.environ)))
        if any(spec.startswith("astral-sh/setup-uv@") for spec in prepared.repositories):
            env["CI_KIT_ACT_UV"] = str(preparation.provide_uv(machine.runner, machine.environ, KIT_ROOT, machine.tools))
    folder = machine.folder / "workflows"
    folder.mkdir()
    for file in prepared.top:  # only what the event starts, so that act plans no others
        shutil.copy2(file.path, folder)
    return Plan(
        machine.act, occasion, prepared.consumer.clone, folder, prepared.labels, prepared.repositories,
        env=env | dict(request.env), secrets={} if occasion.is_fork else dict(request.secrets),
        variables=request.variables, container=request.container, mounts=mounts, matrix=request.matrix,
        job=request.job, at_once=request.at_once,
    )  # fmt: skip


def _act(plan: Plan, machine: Machine, log: RunLog, masks: Masks, limit_seconds: float, output: Path) -> Ended:
    command.write_files(plan, machine.folder)
    marker = f"RUNNER_TRACKING_ID={plan.env['RUNNER_TRACKING_ID']}"
    home = machine.folder / "home"
    home.mkdir()
    env = command.environment(machine.environ, home, marker)
    argv = command.arguments(plan, machine.folder)
    with (output / "act.log").open("w", encoding="utf-8") as kept:

        def feed(line: str) -> None:
            log.feed(line)
            kept.write(masks.line(line.rstrip("\n")) + "\n")

        return run_session(argv, env=env, cwd=home, marker=marker, limit_seconds=limit_seconds, feed=feed)


def _jobs(request: Request, prepared: Prepared, log: RunLog, ended: Ended) -> list[JobRun]:
    ran = log.jobs(cancelled=ended.timed_out)
    if not ran and ended.code and not ended.timed_out:
        raise _nothing_ran(log.messages, prepared)
    places = [(prepared.consumer.occasion.repository, file.name) for file in prepared.top]
    reach, called = workflows.reachable(prepared.jobs, places, request.job)
    return [*ran, *skipped_jobs(reach, ran, called)]


def _nothing_ran(messages: list[str], prepared: Prepared) -> KitError:
    text = " ".join(messages[-3:]) or "it gave no reason"
    if any(word in text for word in UNREADABLE):
        names = ", ".join(file.name for file in prepared.top)
        return CallerMistake(
            f"act cannot read the workflow: {text}.", next_step=f"Check {names}.", file=prepared.top[0].name
        )
    return InfrastructureFailure(
        f"act ended before any job started: {text}.", next_step="act.log in the output has more."
    )


def _keep_defects(machine: Machine, output: Path, masks: Masks) -> None:
    """The kit's own account of an unexpected error lies in the job's temporary folder, which goes away with the run."""
    for number, found in enumerate(sorted(machine.folder.glob("cache/*/tmp/ci-kit/unexpected-error.txt"))):
        target = output / f"unexpected-error-{number}.txt"
        report.write_text(target, masks.hide(found.read_text(encoding="utf-8", errors="replace")))
        machine.write(f"a defect of ci-kit: {target}")


def _keep(result: Result) -> None:
    taken: set[str] = set()
    for run in result.jobs:
        if run.summary:
            base = "-".join(part for part in (run.caller, run.id, str(run.leg or "")) if part)
            name = base if base not in taken else f"{base}-{len(taken)}"
            taken.add(name)
            run.summary_file = f"summaries/{name}.md"
            report.write_text(result.folder / run.summary_file, "\n".join(run.summary))
    report.write_report(result.folder, "act", result.report())


def _remove(folder: Path) -> None:
    """Delete a run's folder, also what a step has made read-only."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink() and not os.access(path, os.W_OK | os.X_OK):
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)

"""One run, start to end: copies, translation, servers, act, and the report."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit import report
from ci_kit.act import copies, event, preparation, references, say, workflows
from ci_kit.act.artifact_store import ArtifactStore
from ci_kit.act.blobs import Blobs
from ci_kit.act.cache_store import CacheStore
from ci_kit.act.copies import Consumer
from ci_kit.act.log import Masks, RunLog, skipped_jobs
from ci_kit.act.outcome import verdict
from ci_kit.act.preparation import StandIns
from ci_kit.act.references import Reference
from ci_kit.act.request import Request, Result
from ci_kit.act.results_service import ResultsService
from ci_kit.act.servers import Servers, service_of
from ci_kit.act.session import run_session
from ci_kit.act.translate import Job, Translator, each_translation
from ci_kit.act.workflows import Parsed
from ci_kit.config import load_config
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.process import Runner, SubprocessRunner
from ci_kit.tools import KIT_ROOT

LABELS = ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04", "ubuntu-26.04", "ubuntu-24.04-arm", "ubuntu-slim")
KIT_SHA = "0" * 40

# What a job may inherit from this machine: where programs and certificates are. Nothing else, as on a fresh runner.
INHERITED = ("PATH", "LANG", "TMPDIR", "TZ", "USER", "LOGNAME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
INHERITED += ("CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "DOCKER_HOST", "http_proxy", "https_proxy", "no_proxy")
INHERITED += ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PYENV_ROOT")
INHERITED_PREFIXES = ("LC_", "PIP_", "NPM_CONFIG_", "npm_config_", "UV_INDEX", "UV_DEFAULT_INDEX")


@dataclass(frozen=True)
class Prepared:
    """Everything that act is started with."""

    consumer: Consumer
    top: list[Parsed]
    labels: set[str]
    jobs: list[Job]
    called: dict[str, list[str]]
    repositories: dict[str, Path]
    translations: list[dict[str, object]]


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
    cache = (request.cache or preparation.cache_folder(environ)).absolute()
    act = preparation.find_act(runner, environ, KIT_ROOT, cache)
    version = preparation.act_version(runner, act)
    mode = _actions_mode(request.actions)
    stand_ins = preparation.prepare_stand_ins(runner, environ, KIT_ROOT, cache) if mode == "stand-ins" else None
    folder = Path(tempfile.mkdtemp(prefix="ci-kit-act-")).resolve()
    output = request.output.absolute()
    servers = Servers(folder / "servers")
    try:
        prepared = _prepare(request, runner, kit_root, folder, stand_ins)
        if not request.container:
            _start_servers(request, prepared, servers, environ)
        result = _session(request, prepared, act, version, mode, folder, output, cache, servers, stand_ins, environ, write)
    finally:
        servers.stop()
        _remove(folder)
    return result


def _prepare(request: Request, runner: Runner, kit_root: Path, folder: Path, stand_ins: StandIns | None) -> Prepared:
    consumer = copies.copy_consumer(runner, request.repo, request.wanted, folder)
    own_files = workflows.parse_files(consumer.tree, strict=True)
    top = workflows.chosen(own_files, request.wanted.event, request.workflow, request.job)
    name = consumer.occasion.repository
    owner = Reference(name, "", consumer.occasion.sha)
    kit = references.kit_reference(workflows.uses_of(own_files), name) or Reference("org/ci-kit", "", KIT_SHA)
    kit_copy = folder / "kit"
    copies.copy_kit(runner, kit_root, kit_copy)
    kit_files = workflows.parse_files(kit_copy, strict=False)
    shell, prepare = preparation.write_programs(folder / "bin")
    host = not request.container
    translator = Translator(shlex.quote(str(shell)) if host else None, shlex.quote(str(prepare)) if host else None)
    workflows.translate(own_files, translator, owner, own_paths=True)
    if name != kit.repository:
        workflows.translate(kit_files, translator, kit, own_paths=False)
    repositories = references.local_repositories(
        translator.uses, name, kit_copy, consumer.tree, stand_ins and stand_ins.actions, stand_ins and stand_ins.refuse
    )
    if stand_ins is not None:
        _refuse_foreign_workflows(translator.uses, name)
    places = [(name, file.name) for file in top]
    _, called = workflows.reachable(translator.jobs, places, request.job)
    labels = workflows.labels_of([*own_files, *kit_files])
    return Prepared(consumer, top, labels, translator.jobs, called, repositories, each_translation(translator.applied))


def _refuse_foreign_workflows(uses: list[str], consumer: str) -> None:
    for each in uses:
        if references.classify(each, consumer) is references.Kind.WORKFLOW:
            raise InfrastructureFailure(
                f"the workflow {each} lies on github.com, which is not used.", next_step="Run with --actions genuine."
            )


def _actions_mode(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    try:
        with urllib.request.urlopen(urllib.request.Request("https://github.com", method="HEAD"), timeout=4):
            return "genuine"
    except (urllib.error.URLError, OSError, ValueError):
        return "stand-ins"


def _start_servers(request: Request, prepared: Prepared, servers: Servers, environ: Mapping[str, str]) -> None:
    if request.services == "none":
        return
    wanted = workflows.services_of(prepared.top)
    config = load_config(prepared.consumer.clone)
    for tier in config.tiers:
        for service in tier.services.values():
            found = service_of(service.image, service.ports, service.env)
            wanted += [found] if found else []
    servers.start(wanted, environ)


def _session(
    request: Request,
    prepared: Prepared,
    act: Path,
    version: str,
    mode: str,
    folder: Path,
    output: Path,
    cache: Path,
    servers: Servers,
    stand_ins: StandIns | None,
    environ: Mapping[str, str],
    write: Callable[[str], None],
) -> Result:
    occasion = prepared.consumer.occasion
    secrets = {} if occasion.is_fork else dict(request.secrets)
    run_id = time.time_ns() // 1000 % 10**12
    for name in ("artifacts", "summaries"):
        shutil.rmtree(output / name, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    blobs = Blobs(folder / "blobs")
    blobs.folder.mkdir()
    service = ResultsService(
        ArtifactStore(blobs.folder, output / "artifacts"),
        CacheStore(cache / "caches", occasion.repository, event.scopes(occasion)),
        blobs,
        str(run_id),
    )
    service.start()
    masks = Masks([*secrets.values(), service.token])
    live = say.Live(write, verbose=request.verbose)
    log = RunLog(prepared.jobs, masks, live)
    log.set_shifted(not request.container)
    marker = f"RUNNER_TRACKING_ID=github_{run_id}_{os.getpid()}"
    host_environment = _environment(environ, folder, marker)
    argv = _arguments(request, prepared, act, folder, service, run_id, secrets, stand_ins, environ)
    _announce(write, request, prepared, version, mode, servers)
    try:
        with (output / "act.log").open("w", encoding="utf-8") as kept:

            def feed(line: str) -> None:
                log.feed(line)
                kept.write(masks.hide(line.rstrip("\n")) + "\n")

            ended = run_session(
                argv, env=host_environment, cwd=folder, marker=marker, limit_seconds=request.limit_seconds, feed=feed
            )
    finally:
        service.stop()
    ran = log.jobs(cancelled=ended.timed_out)
    if not ran and ended.code and not ended.timed_out:
        raise _no_run(log.messages, prepared)
    reach, called = workflows.reachable(prepared.jobs, [(occasion.repository, f.name) for f in prepared.top], request.job)
    jobs = [*ran, *skipped_jobs(reach, ran, called)]
    decided = "cancelled" if ended.timed_out else verdict(jobs)
    if ended.code and decided == "success":
        decided = "failure"
    result = Result(
        decided, occasion, output, mode, "container" if request.container else "host", version, ended.seconds, jobs,
        service.artifacts.finished(), service.transfers, prepared.translations, servers.started,
        [*prepared.consumer.notes, *(f"no server for {each}" for each in servers.absent)], log.messages, ended.timed_out,
    )  # fmt: skip
    _keep(result)
    write(say.closing(jobs, result.verdict, result.seconds))
    return result


def _environment(environ: Mapping[str, str], folder: Path, marker: str) -> dict[str, str]:
    kept = {n: v for n, v in environ.items() if n in INHERITED or n.startswith(INHERITED_PREFIXES)}
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv")
    if pyenv.is_dir():
        kept["PYENV_ROOT"] = str(pyenv)
    name, _, value = marker.partition("=")
    home = folder / "home"
    home.mkdir()
    return kept | {"HOME": str(home), "XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(home), name: value}


def _arguments(
    request: Request,
    prepared: Prepared,
    act: Path,
    folder: Path,
    service: ResultsService,
    run_id: int,
    secrets: Mapping[str, str],
    stand_ins: StandIns | None,
    environ: Mapping[str, str],
) -> list[str]:
    occasion = prepared.consumer.occasion
    env = event.variables(occasion, run_id) | {
        "ACTIONS_RESULTS_URL": service.url,
        "ACTIONS_RUNTIME_URL": service.url,
        "ACTIONS_CACHE_URL": service.url,
        "ACTIONS_RUNTIME_TOKEN": service.token,
        "ACTIONS_CACHE_SERVICE_V2": "true",
    }
    if stand_ins is not None:
        uv = preparation.find_uv(SubprocessRunner(), environ)
        env["CI_KIT_ACT_UV"] = str(uv or "")
        env["CI_KIT_ACT_PYTHONS"] = os.pathsep.join(map(str, preparation.python_folders(environ)))
    files = {"env": env | dict(request.env), "secrets": dict(secrets), "vars": dict(request.variables), "inputs": {}}
    for name, values in files.items():
        path = folder / f"{name}.yaml"
        path.touch(mode=0o600)
        path.write_text(json.dumps(values), encoding="utf-8")
    payload = folder / "event.json"
    payload.write_text(json.dumps(event.payload(occasion)), encoding="utf-8")
    argv = [str(act), occasion.event, "-C", str(prepared.consumer.clone), "--json", "--no-cache-server"]
    argv += ["-W", str(_workflow_folder(prepared, folder)), "--use-gitignore=false", "--eventpath", str(payload)]
    argv += ["--env-file", str(folder / "env.yaml"), "--secret-file", str(folder / "secrets.yaml")]
    argv += ["--var-file", str(folder / "vars.yaml"), "--input-file", str(folder / "inputs.yaml")]
    argv += ["--actor", occasion.actor, "--defaultbranch", occasion.default_branch]
    for label in sorted({*LABELS, *(label for label in prepared.labels if "ubuntu" in label or label == "self-hosted")}):
        argv += ["-P", f"{label}={request.container or '-self-hosted'}"]
    if request.container:
        argv += ["--pull=false", "--rm"]
        if stand_ins is not None:
            argv += ["--container-options", f"-v {stand_ins.root.parent}:{stand_ins.root.parent}:ro"]
    for spec, path in sorted(prepared.repositories.items()):
        argv += ["--local-repository", f"{spec}={path}"]
    for pair in request.matrix:
        argv += ["--matrix", pair]
    if request.job:
        argv += ["--job", request.job]
    if request.at_once:
        argv += ["--concurrent-jobs", str(request.at_once)]
    return argv


def _workflow_folder(prepared: Prepared, folder: Path) -> Path:
    """A folder with just the workflows that the event starts, so that act plans no others."""
    target = folder / "workflows"
    target.mkdir()
    for file in prepared.top:
        shutil.copy2(file.path, target)
    return target


def _announce(
    write: Callable[[str], None], request: Request, prepared: Prepared, version: str, mode: str, servers: Servers
) -> None:
    occasion = prepared.consumer.occasion
    where = f"container {request.container}" if request.container else "this machine"
    write(f"act {version} on {where}, {mode.replace('-', ' ')} for actions; {occasion.event} of {occasion.repository}")
    write(f"{occasion.ref} at {occasion.sha[:12]}; workflows: {', '.join(Path(f.name).name for f in prepared.top)}")
    for note in prepared.consumer.notes:
        write(f"note: {note}")
    if occasion.is_fork:
        write("note: a pull request from a fork gets no secrets")
    for each in servers.started:
        write(f"service: {each}")
    for each in servers.absent:
        write(f"service not started: {each}")
    for entry in prepared.translations:
        write(f"translated {entry['count']}x {entry['name']}: {entry['what']} (until: {entry['until']})")


def _no_run(messages: list[str], prepared: Prepared) -> CallerMistake | InfrastructureFailure:
    text = " ".join(messages[-3:]) or "no message"
    if any(word in text for word in ("not valid", "yaml:", "Failed to match", "unable to", "Could not find any stages")):
        names = ", ".join(f.name for f in prepared.top)
        return CallerMistake(f"act cannot read the workflow: {text}", next_step=f"Check {names}.", file=prepared.top[0].name)
    return InfrastructureFailure(f"act ended before any job started: {text}", next_step="See act.log in the output folder.")


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
    def writable(_function: object, path: str, _error: object) -> None:
        parent = Path(path).parent
        parent.chmod(0o700)
        Path(path).unlink(missing_ok=True) if not Path(path).is_dir() else shutil.rmtree(path, ignore_errors=True)

    shutil.rmtree(folder, onerror=writable)



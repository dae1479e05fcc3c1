"""How act is started: its arguments, its files, and the environment that jobs may see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.act import event
from ci_kit.act.event import Occasion

LABELS = ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04", "ubuntu-26.04", "ubuntu-24.04-arm", "ubuntu-slim")

# What a job may inherit from this machine: where programs and certificates are. Nothing else, as on a fresh runner.
INHERITED = frozenset({
    "PATH", "LANG", "TMPDIR", "TZ", "USER", "LOGNAME", "DOCKER_HOST", "PYENV_ROOT",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
})  # fmt: skip
INHERITED_PREFIXES = ("LC_", "PIP_", "NPM_CONFIG_", "npm_config_", "UV_INDEX", "UV_DEFAULT_INDEX")


@dataclass(frozen=True)
class Plan:
    """What act is told; `env`, `secrets` and `variables` go through files, never through arguments."""

    act: Path
    occasion: Occasion
    clone: Path
    workflows: Path
    labels: frozenset[str]
    repositories: Mapping[str, Path]
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    variables: Mapping[str, str]
    container: str = ""
    mounts: tuple[Path, ...] = ()
    matrix: tuple[str, ...] = ()
    job: str = ""
    at_once: int = 0


def write_files(plan: Plan, folder: Path) -> None:
    """The files that `arguments` names; YAML, because act's other format cannot hold several lines."""
    contents = {
        "env.yaml": dict(plan.env),
        "secrets.yaml": dict(plan.secrets),
        "vars.yaml": dict(plan.variables),
        "inputs.yaml": {},
        "event.json": event.payload(plan.occasion),
    }
    for name, data in contents.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(data), encoding="utf-8")


def arguments(plan: Plan, folder: Path) -> list[str]:
    """The command line."""
    argv = [str(plan.act), plan.occasion.event, "-C", str(plan.clone), "-W", str(plan.workflows), "--json"]
    argv += [
        "--action-cache-path",
        str(folder / "cache"),
        "--no-cache-server",
        "--use-gitignore=false",
        "--actor",
        plan.occasion.actor,
    ]
    argv += ["--defaultbranch", plan.occasion.default_branch, "--eventpath", str(folder / "event.json")]
    for option in ("env", "secret", "var", "input"):
        name = option if option == "env" else f"{option}s"
        argv += [f"--{option}-file", str(folder / f"{name}.yaml")]
    for label in sorted({*LABELS, *(each for each in plan.labels if "ubuntu" in each or each == "self-hosted")}):
        argv += ["-P", f"{label}={plan.container or '-self-hosted'}"]
    if plan.container:
        argv += ["--pull=false", "--rm"]
        argv += ["--container-options", " ".join(f"-v {m}:{m}:ro" for m in plan.mounts)] if plan.mounts else []
    if any(spec.startswith("actions/checkout@") for spec in plan.repositories):
        argv.append("--no-skip-checkout")
    for spec, path in sorted(plan.repositories.items()):
        argv += ["--local-repository", f"{spec}={path}"]
    argv += _each("--matrix", plan.matrix) + (["--job", plan.job] if plan.job else [])
    return argv + (["--concurrent-jobs", str(plan.at_once)] if plan.at_once else [])


def environment(environ: Mapping[str, str], home: Path, marker: str) -> dict[str, str]:
    """What act itself is started with, which jobs inherit. `marker` is `NAME=value`; act's settings files are not read."""
    kept = {name: value for name, value in environ.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)}
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/")) / ".pyenv")
    if pyenv.is_dir():
        kept["PYENV_ROOT"] = str(pyenv)
    name, _, value = marker.partition("=")
    return kept | {"HOME": str(home), name: value}


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (option, value)]

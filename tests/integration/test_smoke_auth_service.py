"""The smoke verb as a person runs it, against the real auth-service: the good build, and every bad one."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from integration.consumer import START, UV, read_outputs

AUTH_SERVICE = Path(__file__).resolve().parents[2] / "examples" / "auth-service"
PASSWORD = "pw-" + secrets.token_urlsafe(18)
SHA = "0123abcd"
LONGEST_SECONDS = 90


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with what the service needs."""
    folder = tmp_path_factory.mktemp("auth") / "venv"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    found = folder / "bin" / "python"
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--python", found, "-r", AUTH_SERVICE / "pyproject.toml"], check=True
    )
    return found


@contextmanager
def serving(python: Path, folder: Path, **faults: str) -> Iterator[str]:
    """The service with its smoke user; its address, also when the build ends at its start."""
    environ = {
        "PATH": os.environ["PATH"],
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "SMOKE_PASSWORD": PASSWORD,
        "DATABASE_PATH": str(folder / "auth.sqlite3"),
        "GIT_SHA": SHA,
        "ENVIRONMENT": "test",
        "SCRYPT_LOG2_N": "4",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    make = [str(python), "-m", "app.manage", "create-user", "smoke", "--password-env", "SMOKE_PASSWORD"]
    subprocess.run(make, cwd=AUTH_SERVICE, env=environ, check=True, capture_output=True, timeout=60)
    with subprocess.Popen(
        [python, "-m", "uvicorn", "app.faulty:app", "--port", "0"],
        cwd=AUTH_SERVICE, env={**environ, **faults}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        address = None
        for line in server.stdout:
            if found := re.search(r"running on (http://\S+)", line):
                address = found[1]
                break
        drain = threading.Thread(target=server.stdout.read)
        drain.start()
        try:
            yield address or "http://127.0.0.1:9"  # a build that crashed answers nowhere
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
            drain.join()


@dataclass(frozen=True)
class Ran:
    code: int
    log: str
    report: dict[str, Any]
    outputs: dict[str, str]
    summary: str

    @property
    def failed(self) -> dict[str, str]:
        return {check["name"]: check["why"] for check in self.report["smoke"]["checks"] if not check["ok"]}


def smoke(folder: Path, url: str, *, spec: str | None = None, **environ: str) -> Ran:
    text = spec or (AUTH_SERVICE / ".github" / "ci-kit-smoke.yml").read_text(encoding="utf-8")
    text = text.replace("timeout: 60s", "timeout: 3s").replace('"${GITHUB_SHA}"}', '"${GITHUB_SHA}", timeout: 2s}')
    (folder / ".github").mkdir(exist_ok=True)
    (folder / ".github" / "ci-kit-smoke.yml").write_text(text, encoding="utf-8")
    given = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(folder / "temp"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_SHA": SHA,
        "GITHUB_OUTPUT": str(folder / "OUTPUT"),
        "GITHUB_STEP_SUMMARY": str(folder / "SUMMARY"),
        "BASE_URL": url,
        "CI_KIT_ENV": f"SMOKE_USER=smoke\nSMOKE_PASSWORD={PASSWORD}",
        "CI_KIT_ENVIRONMENT": "staging",
        **environ,
    }
    done = subprocess.run(
        [sys.executable, "-c", START, "smoke-and-rollback", "smoke"],
        cwd=folder, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=LONGEST_SECONDS, check=False,
    )  # fmt: skip
    report = folder / "temp" / "ci-kit" / "smoke-and-rollback.json"
    outputs = read_outputs(folder / "OUTPUT") if (folder / "OUTPUT").exists() else {}
    summary = (folder / "SUMMARY").read_text(encoding="utf-8") if (folder / "SUMMARY").exists() else ""
    return Ran(
        done.returncode, done.stdout, json.loads(report.read_text()) if report.exists() else {}, dict(outputs), summary
    )


def test_a_good_build_is_good_and_no_secret_is_told(python: Path, tmp_path: Path) -> None:
    with serving(python, tmp_path) as url:
        ran = smoke(tmp_path, url)
    assert ran.code == 0, ran.log
    assert ran.failed == {}
    assert (ran.outputs["verdict"], ran.outputs["version"]) == ("good", SHA)
    assert ran.report["smoke"]["answered"] >= 35
    assert "✅ Smoke: staging" in ran.summary
    assert ran.report["skipped"] == [
        "The error rate is not watched: PROMETHEUS_URL, for metrics.prometheus.url, is not set."
    ]
    told = re.sub(r"::add-mask::.*", "", ran.log) + json.dumps(ran.report) + ran.summary
    assert PASSWORD not in told
    (token,) = set(re.findall(r"::add-mask::(eyJ.*)", ran.log))
    assert token not in told


@pytest.mark.parametrize(
    ("faults", "failed"),
    [
        ({"FAULT_AUTH": "removed"}, {"me with no token": "must be refused: expected the status 401, found 200"}),
        (
            {"FAULT_AUTH": "unverified"},
            {"me with a garbage token": "must be refused: expected the status 401, found 200"},
        ),
        ({"FAULT_VERSION": "older"}, {"version": 'the version "older" answers, not "0123abcd"'}),
        ({"FAULT_SLOW_SECONDS": "0.4"}, {"me: latency": "p95 is above 300 ms: 2 of 2 answers took 4"}),
        ({"FAULT_DATABASE": "down"}, {"ready": "expected the status 200, found 503"}),
        ({"FAULT_ERROR_SHARE": "1"}, {"login": "expected the status 200, found 500", "me": "there is no token"}),
        ({"FAULT_ERROR_SHARE": "0.1"}, {"me: latency": "expected the status 200, found 500"}),
        ({"FAULT_START": "crash"}, {"ready": "no connection: Connection refused"}),
    ],
    ids=lambda value: next(iter(value), "") + "-" + next(iter(value.values())) if isinstance(value, dict) else None,
)
def test_a_bad_build_is_noticed(python: Path, tmp_path: Path, faults: dict[str, str], failed: dict[str, str]) -> None:
    with serving(python, tmp_path, **faults) as url:
        ran = smoke(tmp_path, url)
    assert ran.code == 1, ran.log
    assert ran.outputs["verdict"] == "bad"
    for name, why in failed.items():
        assert why in ran.failed.get(name, ""), ran.failed
        assert f"::error file=.github/ci-kit-smoke.yml,title=smoke%3A staging::{name}: " in ran.log
    assert "is NOT good" in ran.log
    assert "❌ Smoke: staging" in ran.summary
    assert PASSWORD not in re.sub(r"::add-mask::.*", "", ran.log) + json.dumps(ran.report)


def test_a_token_from_a_command(python: Path, tmp_path: Path) -> None:
    text = (AUTH_SERVICE / ".github" / "ci-kit-smoke.yml").read_text(encoding="utf-8")
    login = text[text.index("  login:") : text.index("checks:")]
    command = f"[sh, -c, 'cd {AUTH_SERVICE} && {python} -m app.manage issue-token smoke']"
    with serving(python, tmp_path) as url:
        key = {"JWT_SECRET_KEY": "k" * 8 + secrets.token_urlsafe(32), "DATABASE_PATH": str(tmp_path / "auth.sqlite3")}
        ran = smoke(tmp_path, url, spec=text.replace(login, f"  token: {{command: {command}}}\n"), **key)
    # Signed with another key than the service's: the command worked, its token is refused.
    assert ran.failed == {"me": "expected the status 200, found 401"}, ran.log
    assert len(set(re.findall(r"::add-mask::(eyJ.*)", ran.log))) == 1


def test_what_is_missing_is_the_callers_mistake(tmp_path: Path) -> None:
    ran = smoke(tmp_path, "")
    assert ran.code == 2
    assert (
        "::error file=.github/ci-kit-smoke.yml,line=5,title=ci-kit::target.base-url: the variable BASE_URL" in ran.log
    )
    assert ran.report == {}
    ran = smoke(tmp_path, "http://127.0.0.1:9", CI_KIT_SPEC="nowhere.yml")
    assert ran.code == 2
    assert "input spec: there is no file nowhere.yml" in ran.log

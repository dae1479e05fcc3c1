"""A site that is deployed to by the kit, as a step of GitHub's would start it."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.notify_doubles import TOKEN, GitHubDouble, SlackDouble
from tooling.yaml_files import ROOT

PROGRAMS = Path(__file__).with_name("small_site.py")
PYTHON = [sys.executable, "-I", "-S", str(PROGRAMS)]
SPEC = """\
version: 1
timeout: 30s
target:
  base-url: ${BASE_URL}
  expect-version: {path: /version, json: $.git_sha, equals: "${RELEASE}", consecutive: 3, timeout: 1s}
ready: {path: /readyz, timeout: 2s, consecutive: 1}
auth:
  login: {path: /login, json: {user: smoke, password: "${SMOKE_PASSWORD}"}}
  token: $.access_token
checks:
  - {name: me, path: /me, auth: true, json: {$.user: smoke}, max-ms: {p95: 100, samples: 20}}
  - {name: database, path: /healthz/db, json: {$.db: ok}, write-read: true}
  - {name: work, path: /work, json: {$.done: true}}
rollback: {strategy: releases, link: "${SITE}/current", restart: [RESTART]}
notify: {slack: true, github-issue: true}
"""


@dataclass(frozen=True)
class Done:
    """One run of the kit."""

    code: int
    log: str
    report: dict[str, Any]
    summary: str
    outputs: str


class Site:
    """Releases behind a link on a free port, and doubles of who is told."""

    def __init__(self, folder: Path, slack: SlackDouble, github: GitHubDouble) -> None:
        self.folder = folder / "site"
        self.temp = folder / "temp"
        self.repository = folder / "repository"
        for each in (self.folder / "releases", self.temp, self.repository / ".github"):
            each.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        (self.folder / "port").write_text(str(self.port))
        self.slack = slack
        self.github = github
        self.deploys = "deploy"
        self.password = "smoke-password"
        restart = ", ".join(json.dumps(word) for word in [*PYTHON, "restart", str(self.folder)])
        self.spec = SPEC.replace("RESTART", restart)
        self.run_id = 1
        self.attempt = 1

    @property
    def live(self) -> str:
        """The release behind the link."""
        return (self.folder / "current").resolve().name

    @property
    def state(self) -> dict[str, Any]:
        """The document at the target."""
        found: dict[str, Any] = json.loads((self.folder / ".current.ci-kit.json").read_text())
        return found

    def by_hand(self, verb: str, folder: str = "", *words: str) -> None:
        """One of the site's programs."""
        subprocess.run([*PYTHON, verb, str(self.folder / folder), *words], check=True, timeout=30)

    def argv(self, verb: str, *options: str) -> list[str]:
        """The kit's command line."""
        return [sys.executable, "-m", "ci_kit", "smoke-and-rollback", verb, *options]

    def deploy_command(self, release: str, fault: str = "none") -> str:
        """What deploys a build of this release with this fault."""
        return shlex.join([*PYTHON, self.deploys, str(self.folder), release, fault])

    def environment(self, release: str) -> dict[str, str]:
        """A step's environment."""
        (self.repository / ".github" / "ci-kit-smoke.yml").write_text(self.spec)
        for name in ("output", "summary"):
            (self.temp / name).unlink(missing_ok=True)
        return {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT / "scripts"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_RUN_ID": str(self.run_id),
            "GITHUB_RUN_ATTEMPT": str(self.attempt),
            "GITHUB_SHA": release,
            "GITHUB_API_URL": self.github.url,
            "GITHUB_SERVER_URL": "https://github.test",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_WORKSPACE": str(self.repository),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "RUNNER_TEMP": str(self.temp),
            "CI_KIT_GITHUB_TOKEN": TOKEN,
            "CI_KIT_ENV": f"SMOKE_PASSWORD={self.password}\nSLACK_WEBHOOK_URL={self.slack.url}{self.slack.path}",
            "BASE_URL": f"http://127.0.0.1:{self.port}",
            "SITE": str(self.folder),
            "RELEASE": release,
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, verb: str, release: str, *options: str) -> Done:
        """One verb to its end."""
        (self.temp / "ci-kit" / "deployment.json").unlink(missing_ok=True)
        done = subprocess.run(
            self.argv(verb, *options),
            env=self.environment(release), cwd=self.repository, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return self.done(done.returncode, done.stdout + done.stderr)

    def done(self, code: int, log: str) -> Done:
        """What the run left."""
        report = self.temp / "ci-kit" / "deployment.json"
        texts = [path.read_text() if path.exists() else "" for path in (self.temp / "summary", self.temp / "output")]
        return Done(code, log, json.loads(report.read_text()) if report.exists() else {}, *texts)

    def deploy(self, release: str, fault: str = "none", *options: str) -> Done:
        """A build of this release with this fault, by the kit."""
        return self.run("deploy", release, "--command", self.deploy_command(release, fault), *options)


@contextmanager
def site(folder: Path, server: dict[str, Any] | None = None) -> Iterator[Site]:
    """A site on which release `a1` is live; `server` describes another service than the small one."""
    with ExitStack() as stack:
        slack, github = SlackDouble(), GitHubDouble()
        stack.enter_context(slack.running())
        stack.enter_context(github.running())
        made = Site(folder, slack, github)
        stack.callback(made.by_hand, "stop")
        if server is not None:
            (made.folder / "server.json").write_text(json.dumps(server))
        made.by_hand("deploy", "", "a1", "none")
        yield made

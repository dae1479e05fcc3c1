"""A site behind a real haproxy, scraped by a real Prometheus, with users that never cease to ask."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from integration.deploy_kit import Site
from integration.notify_doubles import GitHubDouble, SlackDouble
from tooling.servers import free_port, require_server, running

GROUPS = {"blue": "b1", "green": "g1"}
SCRAPE_SECONDS = 1.0
USERS_A_SECOND = 300
# The smoke run asks nothing of /work, which users do: what is wrong with it shows under traffic alone.
SPEC = """\
version: 1
timeout: 30s
target:
  base-url: ${BASE_URL}
  expect-version: {path: /version, json: $.git_sha, equals: "${RELEASE}", consecutive: 3, timeout: 2s}
ready: {path: /readyz, timeout: 3s, consecutive: 1}
auth:
  login: {path: /login, json: {user: smoke, password: "${SMOKE_PASSWORD}"}}
  token: $.access_token
checks:
  - {name: me, path: /me, auth: true, json: {$.user: smoke}, max-ms: {p95: 150, samples: 20}}
  - {name: database, path: /healthz/db, json: {$.db: ok}, write-read: true}
metrics:
  prometheus: {url: "${PROMETHEUS_URL}", require: 'up{job="shop"}', max-sample-age: 5s, scrape-interval: 1s}
  requests: 'http_requests_total{version="${VERSION}"}'
  errors: 'http_requests_total{version="${VERSION}",status=~"5.."}'
  baseline-version: ${PREVIOUS_VERSION}
  max-error-rate: 1%
canary: {steps: [10, 50, 100], min-watch: 2s, max-watch: 40s, headers: {X-Target: canary}}
rollback:
  strategy: haproxy
  socket: ${SITE}/admin.sock
  backend: app
  groups: {blue: [b1], green: [g1]}
  state: ${SITE}/.current.ci-kit.json
notify: {slack: true, github-issue: true}
"""


class ProxiedSite(Site):
    """`blue` is live; `green` gets what is deployed."""

    def __init__(self, folder: Path, slack: SlackDouble, github: GitHubDouble) -> None:
        super().__init__(folder, slack, github)
        self.spec, self.deploys = SPEC, "deploy-group"
        self.prometheus_port = free_port()
        self.ports = {name: free_port() for name in GROUPS}
        for name, port in self.ports.items():
            (self.folder / name / "releases").mkdir(parents=True)
            (self.folder / name / "port").write_text(str(port))

    def environment(self, release: str) -> dict[str, str]:
        """With the address of Prometheus."""
        return {**super().environment(release), "PROMETHEUS_URL": f"http://127.0.0.1:{self.prometheus_port}"}

    def answering(self) -> set[str]:
        """The versions that users meet."""
        return {json.loads(self.ask("/version")[1])["git_sha"] for _ in range(20)}

    def ask(self, path: str) -> tuple[int, bytes]:
        """One user's request."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def haproxy(self) -> list[str]:
        """Its command line; the header reaches the group that is deployed to, whatever its weight."""
        rows = [
            "global", f"  stats socket {self.folder}/admin.sock mode 600 level admin",
            "defaults", "  mode http", "  timeout connect 2s", "  timeout client 20s", "  timeout server 20s",
            "frontend web", f"  bind 127.0.0.1:{self.port}",
            "  use_backend canary if { hdr(X-Target) canary }", "  default_backend app",
            "backend canary", f"  server g1 127.0.0.1:{self.ports['green']}",
            "backend app", "  balance roundrobin",
            f"  server b1 127.0.0.1:{self.ports['blue']} weight 100 check inter 100 fall 2 rise 1",
            f"  server g1 127.0.0.1:{self.ports['green']} weight 0 check inter 100 fall 2 rise 1",
        ]  # fmt: skip
        (self.folder / "haproxy.cfg").write_text("\n".join([*rows, ""]))
        return [require_server("haproxy"), "-db", "-f", str(self.folder / "haproxy.cfg")]

    def prometheus(self) -> list[str]:
        """Its command line."""
        targets = ", ".join(f"'127.0.0.1:{port}'" for port in self.ports.values())
        (self.folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 900ms}\n"
            f"scrape_configs:\n  - {{job_name: shop, static_configs: [{{targets: [{targets}]}}]}}\n"
        )
        return [
            require_server("prometheus"), f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
            "--log.level=error",
        ]  # fmt: skip


@contextmanager
def proxied_site(folder: Path) -> Iterator[ProxiedSite]:
    """A site on which release `a1` is live and has been scraped, and users ask for `/work`."""
    with ExitStack() as stack:
        slack, github = SlackDouble(), GitHubDouble()
        stack.enter_context(slack.running())
        stack.enter_context(github.running())
        made = ProxiedSite(folder, slack, github)
        for name in GROUPS:
            stack.callback(made.by_hand, "stop", name)
        made.by_hand("deploy", "blue", "a1", "none")
        stack.enter_context(running(made.haproxy(), f"http://127.0.0.1:{made.port}/readyz"))
        stack.enter_context(running(made.prometheus(), f"http://127.0.0.1:{made.prometheus_port}/-/ready"))
        stack.enter_context(_users(made))
        _await_samples(made)
        yield made


@contextmanager
def _users(made: ProxiedSite) -> Iterator[None]:
    """So many requests a second, by several threads."""
    stop, threads, each = threading.Event(), [], 12

    def ask() -> None:
        while not stop.wait(each / USERS_A_SECOND):
            with suppress(OSError):
                made.ask("/work")

    for _ in range(each):
        threads.append(threading.Thread(target=ask, daemon=True))
        threads[-1].start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _await_samples(made: ProxiedSite) -> None:
    """Until Prometheus has counted the users of the live release."""
    query = f"http://127.0.0.1:{made.prometheus_port}/api/v1/query?query=http_requests_total%3E20"
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with urllib.request.urlopen(query, timeout=10) as answer:
            if json.load(answer)["data"]["result"]:
                return
        threading.Event().wait(0.1)
    raise TimeoutError("Prometheus has scraped nothing")

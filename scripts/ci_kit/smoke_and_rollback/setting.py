"""Build the parts of a deployment from the inputs and the specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ci_kit.errors import CallerMistake
from ci_kit.inputs import variable_name
from ci_kit.process import Completed
from ci_kit.smoke_and_rollback import telling
from ci_kit.smoke_and_rollback.answers import NotFound, read_json, value_at
from ci_kit.smoke_and_rollback.deployment_state import Owner
from ci_kit.smoke_and_rollback.http_client import HttpClient, Question
from ci_kit.smoke_and_rollback.notify.event import Channel, Event
from ci_kit.smoke_and_rollback.notify.github_api import GitHubApi
from ci_kit.smoke_and_rollback.notify.web import Web
from ci_kit.smoke_and_rollback.owners import this_run
from ci_kit.smoke_and_rollback.parts import Parts, Proof
from ci_kit.smoke_and_rollback.preflight import preflight
from ci_kit.smoke_and_rollback.prometheus import Prometheus, prometheus_client
from ci_kit.smoke_and_rollback.redact import redact
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.smoke_result import SmokeResult
from ci_kit.smoke_and_rollback.smoke_verb import read_spec, smoke, variables_of
from ci_kit.smoke_and_rollback.spec import RollbackSpec, Spec
from ci_kit.smoke_and_rollback.strategies import Strategy, World, find
from ci_kit.smoke_and_rollback.target_state import LEASE_SECONDS
from ci_kit.smoke_and_rollback.telling import Told
from ci_kit.smoke_and_rollback.watching import Watcher
from ci_kit.tools import Tools

PREVIOUS = "PREVIOUS_VERSION"
_GITHUBS = variable_name("github-token")  # no program of the consumer gets it


@dataclass(frozen=True)
class Where:
    """What every verb that touches a target is told."""

    spec: Path
    environment: str
    release: str
    github_token: str = field(repr=False)
    variables: tuple[str, ...] = ()


class Setting:
    """The real world of one run. Smoke runs and tellings are kept for the report."""

    def __init__(self, where: Where, tools: Tools) -> None:
        self._tools = tools
        self._where = where
        self._variables = variables_of(tools, where.variables)
        self.smokes: list[tuple[str, SmokeResult]] = []
        self.told: list[Told] = []
        self.spec = self._load(self._variables)
        self.release = where.release or tools.event.sha
        if not self.release:
            raise CallerMistake("input release: nothing names the release.", next_step="Pass its commit.")
        self.owner: Owner = this_run(tools.event, tools.environ)
        web = Web(tools.clock, tools.environ)
        self.api: GitHubApi | None = telling.github_api(web, tools.environ, tools.event, where.github_token)
        self.commit = tools.event.sha or self.release
        self.channels: Sequence[Channel] = telling.channels(self.spec, web, self.api, self.commit, self.owner.url)
        self.rollback, self.strategy = self._strategy()
        self.watcher: Watcher | None = None

    def version(self) -> str:
        """What the release that runs now says of itself; empty when it says nothing."""
        expect = self.spec.target.expect_version
        client = self._client(self.spec)
        try:
            answer = client.ask(Question(expect.path, fresh=True))
            found = value_at(read_json(answer.body), expect.json) if answer.status == 200 else ""
        except NotFound:
            return ""
        finally:
            client.close()
        return found if isinstance(found, str) else ""

    def know_the_version_before(self, version: str) -> None:
        """Where the caller did not name the baseline, it is what answers now; a release is no baseline of itself."""
        if version not in {"", self.spec.target.expect_version.equals} and not self._variables.get(PREVIOUS):
            self.spec = self._load({**self._variables, PREVIOUS: version})

    def try_the_metrics(self, *, first: bool) -> None:
        """Run every query once; raises `CallerMistake` and `InfrastructureFailure` (see `preflight`)."""
        metrics = self.spec.metrics
        if metrics is None:
            return
        clock = self._tools.clock
        prometheus = Prometheus(prometheus_client(metrics, clock, self._tools.environ))
        version = self.spec.target.expect_version.equals
        scrape = preflight(
            prometheus, metrics, file=self.spec.file, version=version, now=clock.now().timestamp(), first=first
        )
        self.watcher = Watcher(
            self.spec, metrics, prometheus, self._client(self._to_the_release()), clock, self._tools.workflow.log,
            shares=self.strategy.shares, scrape_seconds=scrape,
        )  # fmt: skip

    def parts(self, command: Sequence[str] = (), command_seconds: float = 0.0) -> Parts:
        """The parts of a deployment by this command, or of what is left of an earlier one."""
        tools = self._tools

        def deploy(variables: Mapping[str, str]) -> Completed:
            if self.watcher is not None:
                self.watcher.start()
            with tools.workflow.group("Deploy"), tools.workflow.foreign_output():
                return tools.runner.run(
                    command,
                    timeout_seconds=command_seconds,
                    cwd=tools.event.workspace,
                    env={**self._for_programs(), **variables},
                )

        return Parts(
            strategy=self.strategy,
            clock=tools.clock,
            owner=self.owner,
            prove=self._prove,
            version=self.version,
            command=deploy,
            watch=self.watcher,
            tell=self._tell,
            say=tools.workflow.log,
        )

    def _load(self, variables: Mapping[str, str]) -> Spec:
        return read_spec(self._where.spec, self._where.environment, variables, self._tools)

    def _strategy(self) -> tuple[RollbackSpec, Strategy]:
        spec = self.spec
        if spec.rollback is None:
            raise CallerMistake(
                "rollback: there is none, so a bad release could not be taken back.",
                next_step="Add `rollback` to the specification: see docs/deploy.md.",
                file=spec.file,
            )
        world = World(self._tools.runner, self._tools.clock, spec.rollback.timeout_seconds, dict(self._for_programs()))
        options = Options(spec.rollback.options, spec.rollback.lines, spec.file)
        strategy = find(spec.rollback.strategy)(options, world)
        if spec.canary.steps != (100,) and not strategy.shares:
            raise CallerMistake(
                f"canary.steps: the strategy {spec.rollback.strategy} cannot give a release a share of the traffic.",
                next_step="Remove canary.steps, or use a strategy that has weights: haproxy, command.",
                file=spec.file,
            )
        if spec.canary.max_watch_seconds >= LEASE_SECONDS:
            raise CallerMistake(
                f"canary.max-watch: expected less than {LEASE_SECONDS / 60:.0f}m, which the target's lock lasts.",
                next_step="Watch more briefly, in more steps.",
                file=spec.file,
            )
        return spec.rollback, strategy

    def _for_programs(self) -> dict[str, str]:
        return {name: value for name, value in self._variables.items() if name != _GITHUBS}

    def _to_the_release(self) -> Spec:
        """The specification with the headers that lead to the new release."""
        target = self.spec.target
        return replace(self.spec, target=replace(target, headers={**target.headers, **self.spec.canary.headers}))

    def _client(self, spec: Spec) -> HttpClient:
        return HttpClient(
            spec.target.base_url,
            spec.limits,
            self._tools.clock,
            headers=spec.target.headers,
            environ=self._tools.environ,
        )

    def _prove(self, version: str, new: bool) -> Proof:
        spec = self._to_the_release() if new else self.spec
        target = replace(spec.target, expect_version=replace(spec.target.expect_version, equals=version))
        result = smoke(replace(spec, target=target), self._for_programs(), self._tools)
        self.smokes.append((version, result))
        return Proof(result.ok, redact(result.why, self.spec.secrets))

    def _tell(self, event: Event) -> Sequence[Told]:
        # An error of a strategy holds what its program printed.
        secrets = self.spec.secrets
        event = replace(event, why=redact(event.why, secrets), by_hand=redact(event.by_hand, secrets))
        found = telling.tell(event, self.channels, self._tools.clock, secrets)
        self.told += found
        return found

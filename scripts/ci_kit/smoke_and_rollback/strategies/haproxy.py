"""Two groups of servers behind one haproxy backend: one is live, the other gets the new release, and then the traffic.

Options: `socket` (a path or host:port, `level admin`), `backend`, `groups` (`{blue: [b1, b2], green: [g1, g2]}`),
`state` (the file that holds the state) or `configuration` (haproxy's own file; the state is kept beside it),
`server-state-file` (written after each change, so that a reload of haproxy keeps the weights; haproxy needs
`load-server-state-from-file`). The deploy command finds the idle group in `CI_KIT_GROUP` and `CI_KIT_SERVERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ci_kit.report import write_text
from ci_kit.smoke_and_rollback.canary_weights import weights
from ci_kit.smoke_and_rollback.deployment_state import Snapshot, Standing
from ci_kit.smoke_and_rollback.file_store import FileStore
from ci_kit.smoke_and_rollback.haproxy_socket import LARGEST_WEIGHT, HaproxySocket, Server
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World
from ci_kit.smoke_and_rollback.target_errors import RollbackError, TargetFailure
from ci_kit.smoke_and_rollback.target_state import TargetState

POLL_SECONDS = 0.05


def build(options: Options, world: World) -> Strategy:
    """See the module."""
    options.only("socket", "backend", "groups", "state", "configuration", "server-state-file")
    given = options.values.get("groups")
    if not isinstance(given, dict) or len(given) != 2:
        raise options.mistake("groups", "must name two groups", "Write {blue: [b1, b2], green: [g1, g2]}.")
    inner = Options(given, {name: options.lines.get("groups", 1) for name in given}, options.file)
    groups = {str(name): inner.texts(name, needed=True) for name in given}
    if len({server for servers in groups.values() for server in servers}) != sum(map(len, groups.values())):
        raise options.mistake("groups", "name a server twice", "A server belongs to one group.")
    configuration = options.optional("configuration")
    if configuration is None and "state" not in options.values:
        raise options.mistake(
            "state", "is needed", "Name the file that keeps the state, or configuration: haproxy's own file."
        )
    state_file = options.optional("server-state-file")
    return Haproxy(
        HaproxySocket(options.text("socket")),
        options.text("backend"),
        groups,
        world,
        state=Path(options.text("state", f"{configuration}.ci-kit.json")),
        server_state_file=None if state_file is None else Path(state_file),
    )


class Haproxy(Strategy):
    """Weights are set one server at a time; the servers that shall serve come first, so that there are always some."""

    def __init__(
        self,
        socket: HaproxySocket,
        backend: str,
        groups: Mapping[str, tuple[str, ...]],
        world: World,
        *,
        state: Path,
        server_state_file: Path | None,
    ) -> None:
        self._socket = socket
        self._backend = backend
        self._groups = groups
        self._world = world
        self._server_state_file = server_state_file
        self._retired: tuple[str, ...] = ()
        self.state = TargetState(FileStore(state), world.clock)

    @property
    def shares(self) -> bool:
        """By the servers' weights."""
        return True

    def preflight(self) -> None:
        """One group has all the traffic, and the socket takes another weight."""
        before = self.snapshot()
        if before.details["live"] is None:
            raise TargetFailure(
                f"both groups of {self._backend} have traffic, or none: {before.identity}.",
                next_step="Set the weights so that one group is live.",
            )
        # A balance that is not dynamic takes only 0 and the configured weight. Nothing shows it but another weight.
        name = next(name for name in self._groups[before.details["live"]] if self._shares(before)[name])
        weight = self._shares(before)[name]
        self._socket.set(self._backend, name, f"weight {weight - 1 if weight > 1 else 2}")
        self._socket.set(self._backend, name, f"weight {weight}")

    def snapshot(self) -> Snapshot:
        """Weight and state of every server of both groups."""
        servers = self._servers()
        live = [group for group, names in self._groups.items() if any(_serves(servers[name]) for name in names)]
        shown = ", ".join(
            f"{s.name}={s.weight}{'' if s.admin == 'ready' else f' ({s.admin})'}" for s in servers.values()
        )
        return Snapshot(
            "haproxy",
            f"{self._backend}: {shown}",
            None,  # weights say nothing of the release behind them
            {
                "live": live[0] if len(live) == 1 else None,
                "servers": {s.name: {"weight": s.weight, "admin": s.admin} for s in servers.values()},
            },
        )

    def deploy_environment(self, before: Snapshot) -> dict[str, str]:
        """The group without traffic, and its servers."""
        group = self._idle(before)
        return {
            **super().deploy_environment(before),
            "CI_KIT_GROUP": group,
            "CI_KIT_SERVERS": " ".join(self._groups[group]),
        }

    def standing(self, before: Snapshot, after: Snapshot | None) -> Standing:  # noqa: ARG002 - shares tell enough
        """By who serves. Canary steps and half a rollback alike are AFTER: the weights are set again, all of them."""
        return Standing.BEFORE if self._shares(self.snapshot()) == self._shares(before) else Standing.AFTER

    def rollback(self, before: Snapshot) -> None:
        """Give every server the share that it had; those that had none get no request from then on."""
        if not self.changed(before):
            return
        servers = self._servers()
        then = self._shares(before)
        serving = [name for name, share in then.items() if share]
        # Health checks rest while a server is in maintenance: whether it is up is only known afterwards.
        if not any(servers[name].up or servers[name].admin == "maint" for name in serving):
            raise RollbackError(
                f"none of {', '.join(serving)}, which served before, is up.",
                next_step=f"Start the release before on them; then give them their weights again: {before.identity}",
            )
        self._apply(then, retire=True)

    def wait(self, deadline: float) -> None:
        """Until the servers that were taken out have answered their last request; at the deadline they are cut off."""
        while busy := [name for name, server in self._servers().items() if name in self._retired and server.sessions]:
            if self._world.clock.monotonic() >= deadline:
                for name in busy:
                    self._socket.shut_sessions(self._backend, name)
                return
            self._world.clock.sleep(POLL_SECONDS)

    def verify(self, before: Snapshot) -> None:
        """Every server has the share that it had, and the ones that serve are up."""
        now = self.snapshot()
        if self._shares(now) != self._shares(before):
            raise RollbackError(
                f"the traffic is not as it was: {now.identity}.",
                next_step=f"Set the weights by hand: {before.identity}",
            )
        servers = self._servers()
        down = [name for name, share in self._shares(before).items() if share and not servers[name].up]
        if down:
            raise RollbackError(
                f"{', '.join(down)} should serve, and haproxy says down.", next_step="Start the release before on them."
            )

    def weight(self, percent: int, before: Snapshot) -> None:
        """Give the idle group's servers this share together, the live ones the rest."""
        new = self._groups[self._idle(before)]
        old = [name for names in self._groups.values() for name in names if name not in new]
        for_new, for_old = weights(percent, len(new), len(old), LARGEST_WEIGHT)
        self._apply(dict.fromkeys(new, for_new) | dict.fromkeys(old, for_old), retire=percent in {0, 100})

    def _apply(self, shares: Mapping[str, int], *, retire: bool) -> None:
        for name, share in sorted(shares.items(), key=lambda item: -item[1]):
            if share:
                self._socket.set(self._backend, name, f"weight {share}")
                self._socket.set(self._backend, name, "state ready")
            else:
                # Weight 0 alone still gets the requests of clients that hold its cookie. Maintenance comes first, so
                # that a run killed between the two leaves a server that does not serve.
                if retire:
                    self._socket.set(self._backend, name, "state maint")
                self._socket.set(self._backend, name, "weight 0")
        self._retired = tuple(name for name, share in shares.items() if not share)
        if self._server_state_file is not None:
            write_text(self._server_state_file, self._socket.ask("show servers state"))

    def _shares(self, snapshot: Snapshot) -> dict[str, int]:
        return {
            name: server["weight"] if server["admin"] == "ready" else 0
            for name, server in snapshot.details["servers"].items()
        }

    def _idle(self, before: Snapshot) -> str:
        live = before.details["live"]
        return next(group for group in self._groups if group != live)

    def _servers(self) -> dict[str, Server]:
        servers = self._socket.servers(self._backend)
        wanted = [name for names in self._groups.values() for name in names]
        if missing := [name for name in wanted if name not in servers]:
            raise TargetFailure(
                f"backend {self._backend} has no server {', '.join(missing)}.", next_step="Correct rollback.groups."
            )
        return {name: servers[name] for name in wanted}


def _serves(server: Server) -> bool:
    return server.weight > 0 and server.admin == "ready"

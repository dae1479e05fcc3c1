"""A strict double of Helm 3's command line, as a runner: arguments that Helm does not know end with 1, as Helm's do.

From the manual of `helm history`, `helm get values`, `helm get manifest` and `helm rollback` (Helm 3.14). It also
answers the few kubectl calls that keep the state. The real client runs on GitHub (self-test.yml).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from ci_kit.process import Completed

FLAGS = {
    "history": {"--max", "--output", "--namespace", "--kube-context"},
    "get values": {"--revision", "--all", "--output", "--namespace", "--kube-context"},
    "get manifest": {"--revision", "--namespace", "--kube-context"},
    "rollback": {"--wait", "--timeout", "--namespace", "--kube-context"},
}
SWITCHES = {"--all", "--wait"}
WARNING = "WARNING: Kubernetes configuration file is group-readable. This is insecure.\n"


@dataclass
class Revision:
    """One line of the history."""

    number: int
    chart: str
    values: dict[str, object]
    status: str = "deployed"


@dataclass
class HelmDouble:
    """The release `shop`. `history_max` as in `helm upgrade`; `fails`: what a rollback answers instead of working."""

    history_max: int = 10
    revisions: list[Revision] = field(default_factory=list)
    rollbacks: list[int] = field(default_factory=list)
    fails: str = ""
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def upgrade(self, chart: str, status: str = "deployed", **values: object) -> None:
        """What a deploy command does."""
        for revision in self.revisions:
            if status == "deployed" and revision.status == "deployed":
                revision.status = "superseded"
        number = self.revisions[-1].number + 1 if self.revisions else 1
        self.revisions.append(Revision(number, chart, values, status))
        del self.revisions[: -self.history_max]

    def run(
        self,
        argv: Sequence[str],
        **_options: object,
    ) -> Completed:
        """As `Runner.run`."""
        self.calls.append(tuple(argv))
        code, output = self._helm(list(argv[1:])) if argv[0] == "helm" else (1, f"{argv[0]}: not found")
        return Completed(tuple(argv), code, WARNING + output, 0.01)

    def _helm(self, arguments: list[str]) -> tuple[int, str]:
        words = [word for word in arguments if not word.startswith("--")]
        command = " ".join(words[:2]) if words[0] == "get" else words[0]
        flags: dict[str, str] = {}
        for flag in (word for word in arguments if word.startswith("--")):
            name, equals, value = flag.partition("=")
            if name not in FLAGS.get(command, ()) or bool(equals) is (name in SWITCHES):
                return 1, f"Error: unknown flag: {flag}"
            flags[name] = value
        if flags.get("--namespace") != "prod" or flags.get("--kube-context") != "east":
            return 1, 'Error: query: failed to query with labels: secrets is forbidden: User "x" cannot list'
        operands = words[len(command.split()) :]
        if operands[:1] != ["shop"] or not self.revisions:
            return 1, "Error: release: not found"
        if command == "history":
            return 0, json.dumps([self._line(r) for r in self.revisions[-int(flags["--max"]) :]])
        if command == "rollback":
            return self._rollback(int(operands[1]))
        found = [r for r in self.revisions if r.number == int(flags["--revision"])]
        if not found:
            return 1, "Error: release: not found"
        if command == "get values":
            return 0, json.dumps(found[0].values or None)
        return 0, f"---\nkind: Deployment\nimage: {found[0].values.get('image')}\n"

    def _line(self, revision: Revision) -> dict[str, object]:
        return {
            "revision": revision.number, "updated": "2026-05-01T12:00:00Z", "status": revision.status,
            "chart": revision.chart, "app_version": "1.0", "description": "Upgrade complete",
        }  # fmt: skip

    def _rollback(self, number: int) -> tuple[int, str]:
        found = [r for r in self.revisions if r.number == number]
        if self.fails or not found:
            return 1, f"Error: {self.fails or 'release has no ' + str(number) + ' version'}"
        for revision in self.revisions:
            if revision.status in {"deployed", "pending-upgrade", "pending-rollback"}:
                revision.status = "superseded" if revision.status == "deployed" else "failed"
        self.rollbacks.append(number)
        self.upgrade(found[0].chart, "deployed", **found[0].values)
        return 0, "Rollback was a success! Happy Helming!"

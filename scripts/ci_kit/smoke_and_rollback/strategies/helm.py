"""A Helm release, by chart, values and manifest; its revision numbers are looked up when the rollback begins.

Options: `release`, `namespace`, `context`. Needs `helm` 3 and `kubectl`; the state is an annotation of the ConfigMap
`ci-kit-<release>`, because Helm owns everything else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ci_kit.process import Completed
from ci_kit.smoke_and_rollback.deployment_state import Snapshot, Standing
from ci_kit.smoke_and_rollback.kubectl import AnnotationStore, Kubectl, failure
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World
from ci_kit.smoke_and_rollback.target_errors import RollbackError, TargetBusy, TargetFailure
from ci_kit.smoke_and_rollback.target_state import TargetState

REQUEST_SECONDS = 60.0
HISTORY = 256


def build(options: Options, world: World) -> Strategy:
    """See the module."""
    options.only("release", "namespace", "context")
    return Helm(options.text("release"), options.optional("namespace"), options.optional("context"), world)


class Helm(Strategy):
    """`helm rollback` to the revision that has the remembered identity. Helm itself locks with its `pending-*` states."""

    def __init__(self, release: str, namespace: str | None, context: str | None, world: World) -> None:
        self._release = release
        self._where = [
            *(() if namespace is None else (f"--namespace={namespace}",)),
            *(() if context is None else (f"--kube-context={context}",)),
        ]
        self._world = world
        kubectl = Kubectl(world.runner, world.clock, namespace, context)
        self.state = TargetState(AnnotationStore(kubectl, f"configmap/ci-kit-{release}", create=True), world.clock)

    def preflight(self) -> None:
        """The release is deployed, and nothing is pending."""
        last = self._history()[-1]
        status, revision = last["status"], last["revision"]
        if status.startswith("pending-"):
            raise TargetBusy(
                f"revision {revision} of {self._release} is {status}: helm works on it, or was killed while it did.",
                next_step=f"If no helm runs: helm history {self._release}, then helm rollback {self._release} <a good revision>.",
            )
        if status != "deployed":
            raise TargetFailure(
                f"revision {revision} of {self._release} is {status}, not deployed.",
                next_step=f"Bring it into a good state by hand: helm history {self._release}",
            )

    def snapshot(self) -> Snapshot:
        """The newest revision, whatever its status."""
        last = self._history()[-1]
        details = {**self._identity(last), "revision": last["revision"], "status": last["status"]}
        shown = f"{self._release}: {last['chart']} with values {details['values'][7:19]}, manifest {details['manifest'][7:19]}"
        artifact = f"{details['chart']} {details['values']} {details['manifest']}"
        return Snapshot("helm", shown, artifact, details)

    def standing(self, before: Snapshot, after: Snapshot | None) -> Standing:
        """MIDWAY: `pending-rollback`. A pending or failed upgrade is AFTER, whatever it reached."""
        now = self.snapshot()
        status = now.details["status"]
        if status == "pending-rollback":
            return Standing.MIDWAY
        if status == "deployed" and now.artifact == before.artifact:
            return Standing.BEFORE
        if after is None or status != "deployed" or now.artifact == after.artifact:
            return Standing.AFTER
        return Standing.FOREIGN

    def rollback(self, before: Snapshot) -> None:
        """Roll back to the revision with the identity of `before`, and wait for what it deploys."""
        if not self.changed(before):
            return
        revision = next(self._revisions_of(before), None)
        if revision is None:
            raise RollbackError(
                f"no revision of {self._release} is {before.identity} any more.",
                next_step=f"helm history {self._release}; deploy the release before by hand. A larger --history-max keeps more.",
            )
        seconds = self._world.timeout_seconds
        done = self._helm(
            "rollback", self._release, str(revision), "--wait", f"--timeout={seconds:.0f}s", seconds=seconds + 30
        )
        if done.code:
            raise RollbackError(
                f"helm rollback {self._release} {revision} failed: {' '.join(done.output.strip().splitlines()[-3:])[:600]}",
                next_step=f"helm status {self._release}; then helm rollback {self._release} {revision} by hand.",
            )

    def wait(self, deadline: float) -> None:
        """Nothing to wait for: `helm rollback --wait` has."""

    def verify(self, before: Snapshot) -> None:
        """The identity of `before` is deployed again, in a new revision."""
        if self.changed(before):
            now = self.snapshot()
            raise RollbackError(
                f"revision {now.details['revision']} is {now.details['status']}: {now.identity}; wanted {before.identity}.",
                next_step=f"helm history {self._release}; then helm rollback {self._release} <that revision> by hand.",
            )

    def _revisions_of(self, before: Snapshot) -> Iterator[int]:
        """The remembered revision first, then the others from the newest; only those that were deployed once."""
        kept = [r for r in self._history() if r["status"] in {"deployed", "superseded"}]
        kept.sort(key=lambda r: (r["revision"] != before.details["revision"], -int(r["revision"])))
        wanted = {key: before.details[key] for key in ("chart", "values", "manifest")}
        return (int(r["revision"]) for r in kept if r["chart"] == wanted["chart"] and self._identity(r) == wanted)

    def _identity(self, revision: Mapping[str, Any]) -> dict[str, str]:
        which = f"--revision={revision['revision']}"
        values = self._json("get", "values", self._release, which, "--all", "--output=json")
        said = self._ask("get", "manifest", self._release, which)
        manifest = "\n".join(line for line in said.splitlines() if not line.startswith("WARNING:"))
        return {
            "chart": str(revision["chart"]),
            "values": _digest(json.dumps(values, sort_keys=True)),
            "manifest": _digest(manifest),
        }

    def _history(self) -> list[dict[str, Any]]:
        found = self._json("history", self._release, f"--max={HISTORY}", "--output=json")
        if not isinstance(found, list) or not found:
            raise TargetFailure(
                f"{self._release} has no history.",
                next_step="Install it once by hand; then there is a release to go back to.",
            )
        return sorted(found, key=lambda revision: int(revision["revision"]))

    def _json(self, *arguments: str) -> Any:  # noqa: ANN401 - JSON holds anything
        said = self._ask(*arguments)
        # Warnings about the kubeconfig stand before the answer.
        for line_start in (0, *(i + 1 for i, letter in enumerate(said) if letter == "\n")):
            if said[line_start : line_start + 1] in {"{", "[", "n"}:
                try:
                    return json.JSONDecoder().raw_decode(said, line_start)[0]
                except ValueError:
                    continue
        raise TargetFailure(f"helm's answer is not JSON: {said[:200]!r}.", next_step="Run helm by hand.")

    def _ask(self, *arguments: str) -> str:
        done = self._helm(*arguments)
        if done.code:
            raise failure(done)
        return done.output

    def _helm(self, *arguments: str, seconds: float = REQUEST_SECONDS) -> Completed:
        return self._world.runner.run(["helm", *arguments, *self._where], timeout_seconds=seconds, stream=False)


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

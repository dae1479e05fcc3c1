"""A Kubernetes Deployment, by ReplicaSet and image digest.

Options: `resource` (`deployment/web`), `namespace`, `context`. The state is an annotation of the Deployment. Never
`rollout undo`: it goes to the previous revision, which after a first undo, or after a deployment that changed nothing,
is not the last good one; and it brings back the annotations of that revision too.
"""

from __future__ import annotations

from typing import Any

from ci_kit.errors import CallerMistake
from ci_kit.smoke_and_rollback.deployment_state import Snapshot, Standing
from ci_kit.smoke_and_rollback.kubectl import AWAY, AnnotationStore, Kubectl
from ci_kit.smoke_and_rollback.replica_sets import Running, look, owned, pinned, same, snapshot_of
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World
from ci_kit.smoke_and_rollback.target_errors import RollbackError, TargetFailure
from ci_kit.smoke_and_rollback.target_state import TargetState

TRIES = 5
CONTROLLER_TRIES = 50
CONTROLLER_PAUSE_SECONDS = 0.2
AWAY_PAUSE_SECONDS = 1.0


def build(options: Options, world: World) -> Strategy:
    """See the module."""
    options.only("resource", "namespace", "context")
    resource = options.text("resource")
    kind, _, name = resource.partition("/")
    if kind not in {"deployment", "deployments", "deploy", "deployment.apps"} or not name:
        raise options.mistake(
            "resource", f"is {resource!r}", "Write deployment/<name>; for other kinds use the strategy command."
        )
    kubectl = Kubectl(world.runner, world.clock, options.optional("namespace"), options.optional("context"))
    return Kubernetes(kubectl, f"deployment/{name}", world)


class Kubernetes(Strategy):
    """One patch of the pod template is the whole rollback, so it happened or it did not."""

    def __init__(self, kubectl: Kubectl, resource: str, world: World) -> None:
        self._kubectl = kubectl
        self._resource = resource
        self._world = world
        self.state = TargetState(AnnotationStore(kubectl, resource), world.clock)

    def preflight(self) -> None:
        """The Deployment is there, keeps old ReplicaSets, is not paused, and may be patched."""
        spec = self._kubectl.get(self._resource)["spec"]
        if spec.get("revisionHistoryLimit") == 0:
            raise CallerMistake(
                f"{self._resource} has revisionHistoryLimit: 0, so no release before is kept.",
                next_step="Set it to 2 or more.",
            )
        if spec.get("paused"):
            raise CallerMistake(f"{self._resource} is paused.", next_step=f"kubectl rollout resume {self._resource}")
        for verb, what in (
            ("patch", self._resource),
            ("list", "replicasets.apps"),
            ("list", "pods"),
            ("watch", self._resource),
        ):
            if self._kubectl.run("auth", "can-i", verb, what, "--quiet").code:
                raise CallerMistake(
                    f"these credentials may not {verb} {what}.", next_step="Give their role that permission."
                )

    def snapshot(self) -> Snapshot:
        """ReplicaSet and image digests; waits a little for the controller to have made the ReplicaSet."""
        return snapshot_of(self._look())

    def standing(self, before: Snapshot, after: Snapshot | None) -> Standing:
        """Never MIDWAY: a patch is atomic."""
        now = self.snapshot()
        if same(now, before):
            return Standing.BEFORE
        return Standing.AFTER if after is None or same(now, after) else Standing.FOREIGN

    def rollback(self, before: Snapshot) -> None:
        """Put the pod template of the remembered ReplicaSet back, unless somebody changes the Deployment meanwhile."""
        seen = None
        for _ in range(TRIES):
            now = self._look()
            current = snapshot_of(now)
            if same(current, before):
                return
            if seen is not None and not same(current, seen):
                raise self._failed(before, "somebody else deployed while it was rolled back")
            seen = current
            if now.deployment["metadata"]["uid"] != before.details["uid"]:
                raise self._failed(before, "it was deleted and made again since the deployment began")
            patch = [
                {"op": "test", "path": "/metadata/uid", "value": before.details["uid"]},
                {"op": "test", "path": "/metadata/generation", "value": now.deployment["metadata"]["generation"]},
                {"op": "replace", "path": "/spec/template", "value": self._template(now, before)},
            ]
            if self._kubectl.patch(self._resource, "json", patch):
                return
        raise self._failed(before, f"it was changed {TRIES} times while it was rolled back")

    def wait(self, deadline: float) -> None:
        """Until the rollout is complete: new pods available, old ones gone."""
        clock = self._world.clock
        while True:
            seconds = max(1, round(deadline - clock.monotonic()))
            done = self._kubectl.run("rollout", "status", self._resource, f"--timeout={seconds}s", seconds=seconds)
            if done.code == 0:
                return
            if not AWAY.search(done.output) or clock.monotonic() >= deadline:
                break
            clock.sleep(AWAY_PAUSE_SECONDS)
        raise RollbackError(
            f"{self._resource} is not rolled out: {' '.join(done.output.strip().splitlines()[-2:])}",
            next_step=f"kubectl describe {self._resource} says why; the template is the good one already.",
        )

    def verify(self, before: Snapshot) -> None:
        """The remembered digests run, in as many available pods as are wanted."""
        now = self._look()
        current = snapshot_of(now)
        if not same(current, before):
            raise self._failed(before, f"{current.identity} runs")
        wanted = now.deployment["spec"].get("replicas", 1)
        available = (now.deployment.get("status") or {}).get("availableReplicas", 0)
        if available < wanted:
            raise self._failed(before, f"{available} of {wanted} pods are available")
        unproven = before.details["digests"].keys() - current.details["digests"].keys()
        if unproven:
            raise self._failed(before, f"its pods do not agree on the image of {', '.join(sorted(unproven))}")

    def _look(self) -> Running:
        for _ in range(CONTROLLER_TRIES):
            now = look(self._kubectl, self._resource)
            if now.replica_set is not None or now.deployment["spec"].get("paused"):
                return now
            self._world.clock.sleep(CONTROLLER_PAUSE_SECONDS)
        raise TargetFailure(
            f"{self._resource} has no ReplicaSet for its template after "
            f"{CONTROLLER_TRIES * CONTROLLER_PAUSE_SECONDS:.0f} s.",
            next_step=f"Check the cluster's controller: kubectl describe {self._resource}",
        )

    def _template(self, now: Running, before: Snapshot) -> dict[str, Any]:
        remembered = before.details["replica-set"]
        kept = [r for r in owned(self._kubectl, now.deployment) if remembered and r.uid == remembered["uid"]]
        if not kept:
            raise self._failed(before, "its ReplicaSet was deleted")
        template = self._kubectl.get(f"replicaset/{kept[0].name}")["spec"]["template"]
        return pinned(template, before, now.deployment["spec"]["template"])

    def _failed(self, before: Snapshot, why: str) -> RollbackError:
        ids, images = before.details["image-ids"], before.details["images"]
        wanted = " ".join(f"{n}={ids[n] if '@' in ids.get(n, '') else image}" for n, image in sorted(images.items()))
        return RollbackError(
            f"{self._resource} is not back at {before.identity}: {why}.",
            next_step=f"Look at it, then: kubectl set image {self._resource} {wanted}",
        )

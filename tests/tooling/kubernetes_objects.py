"""The objects of the Kubernetes double, and the part of the deployment controller that a rollback meets."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from typing import Any

Thing = dict[str, Any]
HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
PLURALS = {"deployments": "Deployment", "replicasets": "ReplicaSet", "pods": "Pod", "configmaps": "ConfigMap"}


class Conflict(Exception):
    """The object has changed since the version that the caller named."""


class Cluster:
    """Objects by (plural, name), each change numbered; `registry` says which digest a tag has, `broken` which never run.

    The controller makes a ReplicaSet for each template and moves the pods over, one step a call, so that whoever
    watches sees a rollout on its way.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.things: dict[tuple[str, str], Thing] = {}
        self.events: list[tuple[int, str, str, Thing]] = []
        self.registry: dict[str, str] = {}
        self.broken: set[str] = set()
        self.version = 100
        self._names = 0

    def push(self, tag: str, content: str) -> str:
        """Point a tag at an image; its digest."""
        digest = "sha256:" + hashlib.sha256(content.encode()).hexdigest()
        self.registry[tag] = digest
        return digest

    def put(self, plural: str, thing: Thing, *, version: str | None = None) -> Thing:
        """Create or replace; raises `Conflict`."""
        with self.changed:
            key = (plural, thing["metadata"]["name"])
            old = self.things.get(key)
            if old is not None and version is not None and old["metadata"]["resourceVersion"] != version:
                raise Conflict
            new = copy.deepcopy(thing)
            meta = new["metadata"]
            if old is not None and _without_version(old) == _without_version(new):
                return old
            if old is None:
                meta["uid"] = hashlib.sha256(f"{key}{self.version}".encode()).hexdigest()[:32]
                meta["generation"] = 1
            elif old.get("spec") != new.get("spec"):
                meta["generation"] = old["metadata"]["generation"] + 1
            meta["namespace"] = "default"
            self.version += 1
            meta["resourceVersion"] = str(self.version)
            self.things[key] = new
            self.events.append((self.version, plural, "MODIFIED" if old else "ADDED", copy.deepcopy(new)))
            self.changed.notify_all()
            return new

    def delete(self, plural: str, name: str) -> None:
        """Remove it."""
        with self.changed:
            thing = self.things.pop((plural, name))
            self.version += 1
            thing["metadata"]["resourceVersion"] = str(self.version)
            self.events.append((self.version, plural, "DELETED", thing))
            self.changed.notify_all()

    def all(self, plural: str) -> list[Thing]:
        """Every object of a kind."""
        with self.changed:
            return [copy.deepcopy(thing) for (kind, _), thing in sorted(self.things.items()) if kind == plural]

    def step(self) -> bool:
        """One step of the controller for every Deployment; whether anything changed."""
        with self.changed:
            before = self.version
            for deployment in self.all("deployments"):
                self._reconcile(deployment)
            return self.version != before

    def _reconcile(self, deployment: Thing) -> None:
        meta, spec = deployment["metadata"], deployment["spec"]
        owned = [r for r in self.all("replicasets") if r["metadata"]["ownerReferences"][0]["uid"] == meta["uid"]]
        pod_hash = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()[:10]
        name = f"{meta['name']}-{pod_hash}"
        newest = max((int(r["metadata"]["annotations"][REVISION]) for r in owned), default=0)
        mine = next((r for r in owned if r["metadata"]["name"] == name), None)
        # As the real controller: a template that comes back gets the next revision number, and its ReplicaSet the
        # Deployment's annotations.
        kept = int(mine["metadata"]["annotations"][REVISION]) if mine else 0
        revision = str(kept if mine and kept == newest else newest + 1)
        annotations = {**meta.get("annotations", {}), REVISION: revision}
        annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
        if mine is None:
            mine = self.put("replicasets", _replica_set(deployment, name, pod_hash, annotations))
        elif mine["metadata"]["annotations"] != annotations:
            mine["metadata"]["annotations"] = annotations
            self.put("replicasets", mine)
        self._move_pods(deployment, mine, owned)
        limit = spec.get("revisionHistoryLimit", 10)
        idle = [r for r in owned if r["metadata"]["name"] != name and not self._pods(r)]
        idle.sort(key=lambda r: int(r["metadata"]["annotations"][REVISION]))
        for old in idle[: max(0, len(idle) - limit)]:
            self.delete("replicasets", old["metadata"]["name"])
        deployment["metadata"].setdefault("annotations", {})[REVISION] = revision
        deployment["status"] = self._status(deployment, mine)
        self.put("deployments", deployment)

    def _move_pods(self, deployment: Thing, new: Thing, owned: list[Thing]) -> None:
        """One new pod, or one old pod less."""
        wanted = deployment["spec"]["replicas"]
        pods = self._pods(new)
        if len(pods) < wanted:
            self._names += 1
            self.put("pods", self._pod(new, f"{new['metadata']['name']}-{self._names}"))
            return
        if any(not _ready(pod) for pod in pods):
            return
        for old in owned:
            if old["metadata"]["uid"] != new["metadata"]["uid"] and (left := self._pods(old)):
                self.delete("pods", left[0]["metadata"]["name"])
                return

    def _pods(self, replica_set: Thing) -> list[Thing]:
        pod_hash = replica_set["metadata"]["labels"][HASH]
        return [pod for pod in self.all("pods") if pod["metadata"]["labels"].get(HASH) == pod_hash]

    def _pod(self, replica_set: Thing, name: str) -> Thing:
        template = replica_set["spec"]["template"]
        statuses = []
        for container in template["spec"]["containers"]:
            image = container["image"]
            digest = image.partition("@")[2] or self.registry[image]
            repository = image.partition("@")[0].rpartition(":")[0] or image.partition("@")[0]
            runs = digest not in self.broken
            statuses.append(
                {
                    "name": container["name"], "image": image, "ready": runs, "restartCount": 0,
                    "imageID": f"docker.io/library/{repository.removeprefix('docker.io/library/')}@{digest}",
                }
            )  # fmt: skip
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": dict(template["metadata"]["labels"])},
            "spec": template["spec"],
            "status": {"phase": "Running", "containerStatuses": statuses},
        }

    def _status(self, deployment: Thing, new: Thing) -> Thing:
        pods = [p for p in self.all("pods") if p["metadata"]["labels"].get("app") == deployment["metadata"]["name"]]
        ready = sum(_ready(pod) for pod in pods)
        return {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(self._pods(new)),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": len(pods) - ready,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}],
        }


def deployment(name: str, image: str, replicas: int = 2) -> Thing:
    """A Deployment with one container `web`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"creationTimestamp": None, "labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": image, "env": [{"name": "WORDS", "value": 'a "b"'}]}]},
            },
        },
    }


def _replica_set(owner: Thing, name: str, pod_hash: str, annotations: dict[str, str]) -> Thing:
    template = copy.deepcopy(owner["spec"]["template"])
    template["metadata"]["labels"][HASH] = pod_hash
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "labels": dict(template["metadata"]["labels"]),
            "annotations": annotations,
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True,
                 "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
            ],
        },
        "spec": {"replicas": owner["spec"]["replicas"], "selector": {"matchLabels": template["metadata"]["labels"]},
                 "template": template},
    }  # fmt: skip


def _ready(pod: Thing) -> bool:
    return all(status["ready"] for status in pod["status"]["containerStatuses"])


def _without_version(thing: Thing) -> Thing:
    return {
        **thing,
        "metadata": {
            k: v for k, v in thing["metadata"].items() if k not in {"resourceVersion", "uid", "generation", "namespace"}
        },
    }

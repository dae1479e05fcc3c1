"""What a Kubernetes Deployment runs: its ReplicaSet, its pod template and the digests of its images."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_kit.smoke_and_rollback.deployment_state import Snapshot
from ci_kit.smoke_and_rollback.kubectl import Kubectl, metadata

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class ReplicaSet:
    """One of the Deployment's ReplicaSets."""

    name: str
    uid: str
    revision: int
    pod_hash: str


@dataclass(frozen=True)
class Running:
    """The Deployment as it is now. `replica_set` is None until the controller has made it.

    `image_ids` has, for each container, what its running pods say that they run (`docker.io/web@sha256:…`, or a bare
    `sha256:…` for an image that has no digest in a registry); a container whose pods disagree, or say nothing, is out.
    """

    deployment: Mapping[str, Any]
    replica_set: ReplicaSet | None
    image_ids: Mapping[str, str]


def look(kubectl: Kubectl, resource: str) -> Running:
    """Ask for all of it; raises `TargetFailure`."""
    deployment = kubectl.get(resource)
    revision = metadata(deployment, "annotations", REVISION)
    behind = (deployment.get("status") or {}).get("observedGeneration", 0) < metadata(deployment, "generation")
    found = None if behind else next((r for r in owned(kubectl, deployment) if str(r.revision) == revision), None)
    return Running(deployment, found, {} if found is None else _image_ids(kubectl, found))


def owned(kubectl: Kubectl, deployment: Mapping[str, Any]) -> list[ReplicaSet]:
    """The Deployment's ReplicaSets. Only a few fields are asked for: there may be many, and each holds a pod template."""
    fields = (
        r"{range .items[*]}{.metadata.ownerReferences[0].uid}{'\t'}{.metadata.name}{'\t'}{.metadata.uid}{'\t'}"
        r"{.metadata.annotations.deployment\.kubernetes\.io/revision}{'\t'}"
        r"{.metadata.labels.pod-template-hash}{'\n'}{end}"
    ).replace("'", '"')
    found = []
    for line in kubectl.ask("get", "replicasets", f"--output=jsonpath={fields}").splitlines():
        owner, _, rest = line.partition("\t")
        parts = rest.split("\t")
        if owner == metadata(deployment, "uid") and len(parts) == 4 and parts[2].isdigit():
            found.append(ReplicaSet(parts[0], parts[1], int(parts[2]), parts[3]))
    return found


def _image_ids(kubectl: Kubectl, replica_set: ReplicaSet) -> dict[str, str]:
    fields = r"{range .items[*]}{range .status.containerStatuses[*]}{.name}{'\t'}{.imageID}{'\n'}{end}{end}".replace(
        "'", '"'
    )
    said = kubectl.ask("get", "pods", f"--selector={HASH_LABEL}={replica_set.pod_hash}", f"--output=jsonpath={fields}")
    found: dict[str, set[str]] = {}
    for line in said.splitlines():
        name, tab, image = line.partition("\t")
        if tab and image:
            found.setdefault(name, set()).add(re.sub(r"^[a-z-]+://", "", image))
    return {name: images.pop() for name, images in sorted(found.items()) if len(images) == 1}


def snapshot_of(running: Running) -> Snapshot:
    """The identity: ReplicaSet and image digests."""
    replica_set = running.replica_set
    name = str(metadata(running.deployment, "name"))
    template = running.deployment["spec"]["template"]
    images = {c["name"]: c["image"] for c in containers(template)}
    digests = {n: d for n in images if (d := digest(images[n]) or digest(running.image_ids.get(n, "")))}
    known = bool(digests) and len(digests) == len(images)
    identity = f"deployment/{name}: " + ", ".join(f"{n}={digests.get(n, image)}" for n, image in sorted(images.items()))
    if replica_set is not None:
        identity += f" ({replica_set.name})"
    details = {
        "uid": metadata(running.deployment, "uid"),
        "replica-set": None if replica_set is None else {"name": replica_set.name, "uid": replica_set.uid},
        "images": images,
        "image-ids": dict(running.image_ids),
        "digests": digests,
        "template": template_digest(template, digests),
    }
    return Snapshot("kubernetes", identity, ",".join(sorted(digests.values())) if known else None, details)


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether both run the same: the ReplicaSet, or the template once tags are replaced by digests; never other digests."""
    a, b = one.details, other.details
    if any(a["digests"][name] != b["digests"][name] for name in a["digests"].keys() & b["digests"].keys()):
        return False
    if a["replica-set"] is not None and a["replica-set"] == b["replica-set"]:
        return True
    return bool(a["template"] == b["template"])


def containers(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The containers of a pod template (init containers run before them, and are part of the template's digest)."""
    found: list[dict[str, Any]] = template["spec"]["containers"]
    return found


def digest(image: str) -> str | None:
    """The `sha256:…` in an image's name or id."""
    found = DIGEST.search(image)
    return found and found.group()


def template_digest(template: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """One name for all that a template says, tags replaced by the digests that they stood for."""
    plain = without_hash(template)
    for container in containers(plain):
        container["image"] = digests.get(container["name"], container["image"])
    return "sha256:" + hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def without_hash(template: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without the label that the controller adds to a ReplicaSet's template."""
    plain: dict[str, Any] = copy.deepcopy(dict(template))
    plain.get("metadata", {}).get("labels", {}).pop(HASH_LABEL, None)
    return plain


def pinned(template: Mapping[str, Any], before: Snapshot, live: Mapping[str, Any]) -> dict[str, Any]:
    """The template with a digest in place of each tag that the live template uses too.

    Such a tag was pushed again: it now names the bad image, and only the digest still names the good one.
    """
    plain = without_hash(template)
    live_images = {c["name"]: c["image"] for c in containers(live)}
    for container in containers(plain):
        image_id = before.details["image-ids"].get(container["name"], "")
        if live_images.get(container["name"]) == container["image"] and "@" in image_id:
            container["image"] = image_id
    return plain

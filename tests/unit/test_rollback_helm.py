from __future__ import annotations

import pytest
from ci_kit.clock import SystemClock
from ci_kit.smoke_and_rollback.deployment_state import Snapshot, Standing
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World, find
from ci_kit.smoke_and_rollback.target_errors import NoCanary, RollbackError, TargetBusy, TargetFailure
from tooling.helm_double import HelmDouble


@pytest.fixture
def helm() -> HelmDouble:
    made = HelmDouble()
    made.upgrade("shop-1.0.0", image="web:1", password="hidden")
    made.upgrade("shop-1.0.0", image="web:2", password="hidden")
    return made


def strategy(helm: HelmDouble) -> Strategy:
    options = Options({"release": "shop", "namespace": "prod", "context": "east"})
    return find("helm")(options, World(helm, SystemClock(), timeout_seconds=40))


def remembered(target: Strategy) -> Snapshot:
    return Snapshot.from_json(target.snapshot().to_json())


def test_the_revision_with_the_remembered_identity_is_put_back(helm: HelmDouble) -> None:
    target = strategy(helm)
    target.preflight()
    before = remembered(target)
    assert "hidden" not in str(before)
    helm.upgrade("shop-1.1.0", image="web:3", password="hidden")
    after = target.snapshot()
    assert target.standing(before, after) is Standing.AFTER
    target.rollback(before)
    target.verify(before)
    assert helm.rollbacks == [2]
    assert target.standing(before, after) is Standing.BEFORE
    target.rollback(before)
    assert helm.rollbacks == [2]
    assert (
        "helm",
        "rollback",
        "shop",
        "2",
        "--wait",
        "--timeout=40s",
        "--namespace=prod",
        "--kube-context=east",
    ) in helm.calls


def test_revision_numbers_that_changed_do_not_lead_astray(helm: HelmDouble) -> None:
    target = strategy(helm)
    before = remembered(target)
    helm.history_max = 3
    for image in ("web:3", "web:2", "web:4"):  # the remembered revision falls out of the history; its twin is kept
        helm.upgrade("shop-1.0.0", image=image, password="hidden")
    target.rollback(before)
    assert helm.rollbacks == [4]
    target.verify(before)


def test_values_alone_make_another_release(helm: HelmDouble) -> None:
    target = strategy(helm)
    before = remembered(target)
    helm.upgrade("shop-1.0.0", image="web:2", password="other")
    assert target.changed(before)


def test_a_revision_that_is_gone_is_said(helm: HelmDouble) -> None:
    target = strategy(helm)
    before = remembered(target)
    helm.history_max = 1
    helm.upgrade("shop-1.1.0", image="web:3")
    with pytest.raises(RollbackError, match="any more") as error:
        target.rollback(before)
    assert "--history-max" in error.value.next_step


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_a_helm_that_was_killed_is_recognised_before_anything_ships(helm: HelmDouble, status: str) -> None:
    helm.upgrade("shop-1.1.0", status, image="web:3")
    with pytest.raises(TargetBusy, match=f"revision 3 of shop is {status}"):
        strategy(helm).preflight()


@pytest.mark.parametrize(
    ("status", "standing"),
    [("pending-upgrade", Standing.AFTER), ("failed", Standing.AFTER), ("pending-rollback", Standing.MIDWAY)],
)
def test_an_upgrade_that_stopped_halfway_is_taken_back(helm: HelmDouble, status: str, standing: Standing) -> None:
    target = strategy(helm)
    before = remembered(target)
    helm.upgrade("shop-1.1.0", status, image="web:3")
    assert target.standing(before, None) is standing
    target.rollback(before)
    target.verify(before)
    assert helm.rollbacks == [2]


def test_a_failed_release_is_nothing_to_go_back_to(helm: HelmDouble) -> None:
    helm.upgrade("shop-1.1.0", "failed", image="web:3")
    with pytest.raises(TargetFailure, match="failed, not deployed"):
        strategy(helm).preflight()


def test_a_rollback_that_fails_says_what_to_do_by_hand(helm: HelmDouble) -> None:
    target = strategy(helm)
    before = remembered(target)
    helm.upgrade("shop-1.1.0", image="web:3")
    helm.fails = "timed out waiting for the condition"
    with pytest.raises(RollbackError, match="timed out waiting") as error:
        target.rollback(before)
    assert "helm rollback shop 2" in error.value.next_step
    with pytest.raises(RollbackError):
        target.verify(before)


def test_what_somebody_else_deployed_is_seen(helm: HelmDouble) -> None:
    target = strategy(helm)
    before = remembered(target)
    helm.upgrade("shop-1.1.0", image="web:3")
    after = target.snapshot()
    helm.upgrade("shop-1.2.0", image="web:4")
    assert target.standing(before, after) is Standing.FOREIGN


def test_a_release_that_is_not_there_is_said() -> None:
    with pytest.raises(TargetFailure, match="release: not found"):
        strategy(HelmDouble()).preflight()


def test_there_is_no_canary(helm: HelmDouble) -> None:
    target = strategy(helm)
    with pytest.raises(NoCanary, match="helm"):
        target.weight(10, target.snapshot())

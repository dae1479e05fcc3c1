"""How long a bad release stays: every kind of bad build is deployed to real parts, found, and taken back.

Real services, a real haproxy and a real Prometheus on loopback; Kubernetes is a real kubectl against the small API of the
tests. Run it with the packages of requirements/dev.txt, and with haproxy, prometheus and kubectl installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import ROOT, read_options, report, table

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from ci_kit.clock import SystemClock  # noqa: E402 - found through the path above
from ci_kit.process import SubprocessRunner  # noqa: E402
from ci_kit.smoke_and_rollback.rollback_options import Options  # noqa: E402
from ci_kit.smoke_and_rollback.strategies import World, find  # noqa: E402
from integration.deploy_kit import Done, Site, site  # noqa: E402
from integration.proxied_site import SCRAPE_SECONDS, proxied_site  # noqa: E402
from tooling.kubernetes_double import kubernetes  # noqa: E402
from tooling.kubernetes_objects import Cluster, deployment  # noqa: E402

FAULTS = ("open", "slow", "old-version", "database", "crash", "errors")
LIMIT_SECONDS = 60.0
UNDER_TRAFFIC = "errors"
NO_ROLLBACK = float("nan")


@dataclass(frozen=True)
class Case:
    """One deployment. `restored`: exactly the release before runs again, proven, and one message was sent."""

    strategy: str
    fault: str
    done: Done
    restored: bool

    @property
    def good(self) -> bool:
        """The build had no fault."""
        return self.fault == "none"

    def seconds(self, name: str) -> float:
        """From the report; not a number when it did not come to that."""
        found = self.done.report["seconds"][name]
        return NO_ROLLBACK if found is None else float(found)

    @property
    def found_after(self) -> float:
        """From the first request that users could have sent to the release until it was found to be bad."""
        began = {step["phase"]: step["at"] for step in reversed(self.done.report["steps"])}
        return float(began["rolling-back"] - began["canary"]) if "canary" in began else self.seconds("detect")

    def row(self) -> list[str]:
        """Its cells."""
        if self.good:
            return [self.strategy, "good build", str(self.done.report["verdict"]), "", "", "", ""]
        found, back = self.found_after, self.seconds("recover")
        scrapes = (f"{value / SCRAPE_SECONDS:.1f}" for value in (found, back))
        return [
            self.strategy, self.fault, str(self.done.report["verdict"]),
            f"{found:.2f} s", next(scrapes), f"{back:.2f} s", next(scrapes),
        ]  # fmt: skip


def deployed(strategy: str, made: Site, number: int, fault: str, before: str) -> Case:
    """One deployment, and whether the release before is the one that runs now."""
    told = len(made.slack.messages)
    made.run_id = number
    done = made.deploy(f"b{number}", fault)
    proofs = [(run["version"], run["ok"]) for run in done.report.get("smoke", [])]
    restored = done.code == 10 and proofs[-1] == (before, True) and len(made.slack.messages) == told + 1
    if not done.report:
        raise RuntimeError(f"{strategy}, {fault}: exit {done.code}\n{done.log}")
    return Case(strategy, fault, done, restored)


def releases(folder: Path, rounds: int) -> Iterator[Case]:
    """Releases behind a link."""
    with site(folder) as made:
        live = "a1"
        for number in range(rounds):
            for index, fault in enumerate(FAULTS):
                yield deployed("releases", made, 10 * (number + 1) + index, fault, live)
            good = 10 * (number + 1) + len(FAULTS)
            yield deployed("releases", made, good, "none", live)
            live = f"b{good}"


def haproxy(folder: Path, rounds: int) -> Iterator[Case]:
    """Canary steps behind haproxy, watched by Prometheus; `errors` passes the smoke run and shows under traffic."""
    for number in range(rounds):
        with proxied_site(folder / str(number)) as made:
            for index, fault in enumerate((*FAULTS, "none")):
                yield deployed("haproxy", made, 10 + index, fault, "a1")


def kubernetes_rollback(folder: Path) -> float:
    """Seconds from the rollback's first act until its strategy has verified the ReplicaSet before."""
    os.environ.update(KUBECONFIG=str(folder / "kubeconfig"), HOME=str(folder))
    cluster = Cluster()
    for tag in ("web:1", "web:2"):
        cluster.push(tag, tag)
    cluster.put("deployments", deployment("web", "web:1"))
    with kubernetes(cluster, folder / "kubeconfig"):
        target = find("kubernetes")(Options({"resource": "deployment/web"}), World(SubprocessRunner(), SystemClock()))
        _kubectl("rollout", "status", "deployment/web", "--timeout=30s")
        before = target.snapshot()
        _kubectl("set", "image", "deployment/web", "web=web:2")
        _kubectl("rollout", "status", "deployment/web", "--timeout=30s")
        started = time.monotonic()
        target.rollback(before)
        target.wait(started + LIMIT_SECONDS)
        target.verify(before)
        return time.monotonic() - started


def _kubectl(*words: str) -> None:
    subprocess.run(["kubectl", *words], check=True, capture_output=True, timeout=60)


def main() -> int:
    """Deploy everything everywhere, and print what it took."""
    options = read_options(__doc__.partition("\n")[0])
    rounds = 1 if options.quick else 3
    with tempfile.TemporaryDirectory(prefix="ci-kit-recovery-") as name:
        folder = Path(name)
        for each in ("releases", "haproxy", "kubernetes", *(f"haproxy/{number}" for number in range(rounds))):
            (folder / each).mkdir()
        cases = [*releases(folder / "releases", rounds), *haproxy(folder / "haproxy", rounds)]
        orchestrated = kubernetes_rollback(folder / "kubernetes") if shutil.which("kubectl") else None
    bad, good = [case for case in cases if not case.good], [case for case in cases if case.good]
    watched = [case for case in bad if (case.strategy, case.fault) == ("haproxy", UNDER_TRAFFIC)]
    figures = {
        "detect_broken_scrapes": max(case.found_after for case in watched) / SCRAPE_SECONDS,
        "rollback_seconds_haproxy": max(case.seconds("recover") for case in bad if case.strategy == "haproxy"),
        "rollback_seconds_releases": max(case.seconds("recover") for case in bad if case.strategy == "releases"),
        "bad_builds_tried": len(bad),
        "bad_builds_rolled_back": sum(case.restored for case in bad),
        "good_builds_tried": len(good),
        "good_builds_promoted": sum(case.done.code == 0 for case in good),
    }
    if orchestrated is not None:
        figures["rollback_seconds_kubernetes"] = orchestrated
    header = ["strategy", "build", "verdict", "found after", "in scrapes", "back and proven after", "in scrapes"]
    report(
        "Bad builds: found, taken back, proven",
        tables=[table(header, [case.row() for case in cases])],
        figures=figures,
        versions=f"scrape interval {SCRAPE_SECONDS:g} s, largest of {rounds} rounds",
        options=options,
    )
    return 0 if all(case.restored for case in bad) and all(case.done.code == 0 for case in good) else 1


if __name__ == "__main__":
    sys.exit(main())

"""How often a good release is rolled back, and how soon a bad one is: the kit's rule beside the usual ones.

Simulated deployments with a fixed seed. Requests arrive evenly, each fails by chance; Prometheus scrapes each release at a
moment of its own within every interval; all rules see the same counts at every scrape. The kit's rule is the code that
decides in a deployment, fed with the simulated samples. The canary has a tenth of the traffic where there is a baseline.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass

from common import ROOT, Options, read_options, report, table

sys.path.insert(0, str(ROOT / "scripts"))

from ci_kit.smoke_and_rollback.counts import Counts
from ci_kit.smoke_and_rollback.e_process import log_evidence
from ci_kit.smoke_and_rollback.judge import judge
from ci_kit.smoke_and_rollback.samples import Series, count_both, intervals

SEED = 20_260
SCRAPE_SECONDS = 15.0
SCRAPES = 60
RATE = 20.0
WEIGHT = 0.1
LEVEL = 1.6448536269514722  # the one-sided 95 % quantile of the normal distribution
Rule = Callable[[Counts], bool]
ErrorRate = Callable[[float], float]


def naive(threshold: float) -> Rule:
    """The share of errors is above the threshold."""
    return lambda seen: seen.errors > threshold * seen.requests


def wilson(threshold: float) -> Rule:
    """The lower 95 % bound of Wilson's interval is above the threshold, looked at after every scrape."""

    def rule(seen: Counts) -> bool:
        n, share, z2 = seen.requests, seen.errors / seen.requests, LEVEL * LEVEL
        middle = share + z2 / (2 * n)
        width = LEVEL * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        return (middle - width) / (1 + z2 / n) > threshold

    return rule


def alone(threshold: float) -> Rule:
    """The kit's rule without a baseline, as `judge` has it."""
    return lambda seen: log_evidence(seen.requests, seen.errors, threshold) >= math.log(100)


@dataclass(frozen=True)
class Release:
    """One release: its requests a second, and its error rate at a time since the deployment."""

    rate: float
    errors: ErrorRate


def scraped(release: Release, offset: float, chance: random.Random) -> tuple[Series, Series]:
    """The samples of its requests and errors; `offset` is the moment of its first scrape."""
    requests, errors = [(offset - SCRAPE_SECONDS, 0.0)], [(offset - SCRAPE_SECONDS, 0.0)]
    number = failed = 0
    for scrape in range(SCRAPES):
        when = offset + scrape * SCRAPE_SECONDS
        while (number + 0.5) / release.rate <= when:
            failed += chance.random() < release.errors((number + 0.5) / release.rate)
            number += 1
        requests.append((when, float(number)))
        errors.append((when, float(failed)))
    return Series({}, tuple(requests)), Series({}, tuple(errors))


def until(series: Series, now: float) -> Series:
    """As Prometheus has it at that time."""
    return Series(series.labels, tuple(sample for sample in series.samples if sample[0] <= now))


def first_alarms(rules: dict[str, Rule], release: Release, chance: random.Random) -> dict[str, int]:
    """The scrape after which each rule first says no; a rule that never does is not in it."""
    found: dict[str, int] = {}
    requests, errors = scraped(release, SCRAPE_SECONDS, chance)
    for scrape, ((_, number), (_, failed)) in enumerate(zip(requests.samples[1:], errors.samples[1:], strict=True), 1):
        seen = Counts(int(number), int(failed))
        for name, rule in rules.items():
            if name not in found and rule(seen):
                found[name] = scrape
    return found


def beside_a_baseline(
    canary: Release, baseline: Release, threshold: float, chance: random.Random
) -> tuple[float | None, bool]:
    """When the kit's rule rolls back (None: never), in seconds, and whether it ever spoke of a sick environment."""
    offsets = [chance.random() * SCRAPE_SECONDS for _ in range(2)]
    own, other = (scraped(each, offset, chance) for each, offset in zip((canary, baseline), offsets, strict=True))
    sick = False
    for now in sorted(when for series, _ in (own, other) for when, _ in series.samples if when >= 0):
        mine, theirs = (([until(pair[0], now)], [until(pair[1], now)]) for pair in (own, other))
        ((seen,), (others,)) = (count_both(*pair, (0.0, now)) for pair in (mine, theirs))
        if not seen.requests:
            continue
        parts = intervals(mine, theirs, 0.0, SCRAPE_SECONDS)
        verdict = judge(seen, others, threshold=threshold, at_end=False, intervals=parts)
        if verdict.kind == "fail":
            return now, sick
        sick = sick or verdict.kind == "sick-environment"
    return None, sick


def healthy(options: Options) -> tuple[str, dict[str, float]]:
    """Releases at half of the threshold: every alarm is false."""
    runs = 1000
    rows, figures = [], {}
    for threshold, rate in ((0.01, RATE), (0.001, 10 * RATE)):
        chance = random.Random(SEED)  # noqa: S311 - a simulation
        rules = {"kit": alone(threshold), "naive": naive(threshold), "wilson": wilson(threshold)}
        release = Release(rate, lambda _, p=threshold / 2: p)  # type: ignore[misc]
        if threshold == 0.001 and options.quick:
            continue
        alarms = [first_alarms(rules, release, chance) for _ in range(runs)]
        shares = {name: sum(name in each for each in alarms) / runs for name in rules}
        rows.append([f"{threshold:.1%}", f"{rate:.0f}", str(runs), *(f"{shares[name]:.1%}" for name in rules)])
        if threshold == 0.01:
            figures = {
                "false_rollback_rate": shares["kit"],
                "naive_false_rollback_rate": shares["naive"],
                "wilson_false_rollback_rate": shares["wilson"],
            }
        else:
            figures["false_rollback_rate"] = max(figures["false_rollback_rate"], shares["kit"])
    header = ["threshold", "requests/s", "deployments", "this rule", "errors ÷ requests > θ", "peeking Wilson bound"]
    return f"Good releases (at half of the threshold) that would be rolled back:\n\n{table(header, rows)}", figures


def outage(options: Options) -> tuple[str, dict[str, float]]:
    """What both releases need fails for a while; both fail alike, so no rollback would help."""
    runs = 100 if options.quick else 400
    chance = random.Random(SEED + 1)  # noqa: S311
    taken_back = sick = lone = 0
    for _ in range(runs):
        begins, lasts = chance.uniform(0, 400), chance.uniform(5, 300)
        depth, weight = chance.choice((0.1, 0.3, 1.0)), chance.choice((WEIGHT, 0.5, 0.9))

        def failing(now: float, begins: float = begins, ends: float = begins + lasts, depth: float = depth) -> float:
            return depth if begins <= now < ends else 0.001

        canary, baseline = Release(RATE * weight, failing), Release(RATE * (1 - weight), failing)
        when, spoken = beside_a_baseline(canary, baseline, 0.01, chance)
        taken_back += when is not None
        sick += spoken
        lone += "kit" in first_alarms({"kit": alone(0.01)}, canary, chance)
    rows = [
        ["this rule", f"{taken_back / runs:.1%}", f"{sick / runs:.1%}"],
        ["this rule without the baseline", f"{lone / runs:.1%}", "-"],
    ]
    text = table(["rule", "rolled back", "said that the environment is sick"], rows)
    title = f"{runs} outages of 5 to 300 s: 10, 30 or 100 % fail on both releases, the canary at 10, 50 or 90 %"
    return f"{title}:\n\n{text}", {"dependency_outage_rollback_rate": taken_back / runs}


def delays(options: Options) -> tuple[str, dict[str, float]]:
    """From the first request to a bad canary until the decision, in scrape intervals."""
    runs = 50 if options.quick else 200
    rows, figures = [], {}
    for share in (1.0, 0.5, 0.2, 0.1, 0.05):
        chance = random.Random(SEED + 2)  # noqa: S311
        canary = Release(RATE * WEIGHT, lambda _, p=share: p)  # type: ignore[misc]
        baseline = Release(RATE * (1 - WEIGHT), lambda _: 0.001)
        found = [beside_a_baseline(canary, baseline, 0.01, chance)[0] for _ in range(runs)]
        scrapes = sorted(when / SCRAPE_SECONDS for when in found if when is not None)
        shown = [
            f"{value:.1f}" for value in (statistics.median(scrapes), scrapes[int(0.95 * len(scrapes))], scrapes[-1])
        ]
        rows.append([f"{share:.0%}", f"{len(scrapes)} of {runs}", *shown])
        if share == 1.0:
            figures = {"detection_scrapes_median": statistics.median(scrapes), "detection_scrapes_most": scrapes[-1]}
    text = table(["errors of the canary", "found", "median", "95 % within", "most"], rows)
    title = f"Detection at {WEIGHT:.0%} of {RATE:.0f} requests a second, beside a baseline with 0.1 % errors"
    return f"{title}, in scrape intervals of {SCRAPE_SECONDS:.0f} s:\n\n{text}", figures


def main() -> None:
    """Simulate and report."""
    options = read_options("Simulate deployments, and compare rules for taking them back.")
    parts = [healthy(options), outage(options), delays(options)]
    report(
        "The decision about a watched release",
        tables=[text for text, _ in parts],
        figures={name: value for _, figures in parts for name, value in figures.items()},
        versions=f"seed {SEED}, {SCRAPES} scrapes of {SCRAPE_SECONDS:.0f} s a deployment",
        options=options,
    )


if __name__ == "__main__":
    main()

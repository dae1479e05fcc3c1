"""How many runs of mutation testing the decision saves, against running on every push.

A history is replayed: each commit of the first-parent line is a push to the default branch, and each commit that it merges a push
to a pull request (with the whole change of that pull request up to it). A commit without a merge was a pull request of one
push. By default the history is this repository's own, whose example is security-critical; `--repo DIR` takes a clone of
another one, and `--critical PATTERN` is its `mutation.critical` where the proposed names do not fit. Both may stand several
times. Releases laid as commits are no such history: every one of them changes the version in pyproject.toml.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from affected_history import History, changed, command, text_at
from common import ROOT, read_options, report, table

# After affected_history, which makes the kit importable.
from ci_kit.config import Mutation  # isort: skip
from ci_kit.mutation_decision import PROPOSED, critical_tests, decide, is_test  # isort: skip

MOST = 400


@dataclass(frozen=True)
class Push:
    """A push of `commit`, judged by what differs from `before`."""

    kind: str
    before: str
    commit: str


def pushes(history: History) -> Iterator[Push]:
    """In the order of the history."""
    for (before, _), (commit, _) in zip(history.commits, history.commits[1:], strict=False):
        merged = command("git", "rev-list", "--reverse", commit, f"^{before}", cwd=history.repo).split()
        own = [each for each in merged if each != commit] or [commit]
        base = command("git", "merge-base", before, own[-1], cwd=history.repo).strip()
        yield from (Push("pull-request", base, each) for each in own)
        yield Push("default-branch", before, commit)


def runs(history: History, push: Push, critical: Sequence[str]) -> bool:
    """Whether the kit tries mutants, with `critical` as the only configuration, and without a label."""
    names = changed(history, push.before, push.commit)
    files = command("git", "ls-tree", "-r", "-z", "--name-only", push.commit, cwd=history.repo).split("\0")
    texts = {
        name: text_at(history, push.commit, name) or "" for name in names if name.endswith(".py") and is_test(name)
    }
    settings = Mutation(critical=tuple(critical))
    used = critical_tests(texts, settings.critical or PROPOSED)
    return decide(push.kind, (), names, settings, tests=used, files=[*files, *names]).run


def of_clone(clone: Path) -> History:
    """The newest commits of the first-parent line; the clone is only read."""
    lines = command("git", "log", "--first-parent", f"-n{MOST}", "--format=%H", "HEAD", cwd=clone).split()
    return History(clone.resolve().name, clone, tuple((line, line[:10]) for line in reversed(lines)))


def main() -> None:
    """Replay and report."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--repo", type=Path, metavar="DIR", action="append", help="replay the commits of this clone")
    own.add_argument("--critical", metavar="PATTERN", action="append", default=[], help="a pattern of critical files")
    options = read_options("Replay a history's pushes through the decision.", own)
    given = own.parse_known_args()[0]
    rows = []
    total = ran = 0
    for clone in given.repo or [ROOT]:
        history = of_clone(clone)
        every = list(pushes(history))[-100 if options.quick else 0 :]
        tried = [push for push in every if runs(history, push, given.critical)]
        total, ran = total + len(every), ran + len(tried)
        on_default = sum(push.kind == "default-branch" for push in tried)
        saved = f"{1 - len(tried) / len(every):.3f}" if every else ""
        rows.append([history.name, str(len(every)), str(len(tried) - on_default), str(on_default), saved])
    if not total:
        raise SystemExit("The history has fewer than two commits; a shallow clone has none to replay.")
    header = ["history", "pushes", "runs on pull requests", "runs on the default branch", "saved"]
    report(
        "Pushes that try mutants",
        tables=[table(header, rows)],
        figures={"mutation_runs_saved": 1 - ran / total, "pushes": total, "runs": ran},
        versions=f"critical: {', '.join(given.critical) or 'the proposed names'}; no labels",
        options=options,
    )


if __name__ == "__main__":
    main()

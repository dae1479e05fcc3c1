"""How many runs of mutation testing the decision saves, against running on every push.

A history is replayed: each commit of the first-parent line is a push to the default branch, and each commit that it merges a push
to a pull request (with the whole change of that pull request up to it). A commit without a merge was a pull request of one
push. By default the history is the releases of three projects from the package index, laid as commits; `--repo DIR` takes
a clone.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affected_history import PROJECTS, History, changed, command, from_releases, text_at
from common import read_options, report, table

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


def runs(history: History, push: Push) -> bool:
    """Whether the kit tries mutants, without any configuration and label."""
    names = changed(history, push.before, push.commit)
    texts = {
        name: text_at(history, push.commit, name) or "" for name in names if name.endswith(".py") and is_test(name)
    }
    return decide(push.kind, (), names, Mutation(), tests=critical_tests(texts, PROPOSED)).run


def of_clone(clone: Path) -> History:
    """The newest commits of the first-parent line; the clone is only read."""
    lines = command("git", "log", "--first-parent", f"-n{MOST}", "--format=%H", "HEAD", cwd=clone).split()
    return History(clone.resolve().name, clone, tuple((line, line[:10]) for line in reversed(lines)))


def main() -> None:
    """Replay and report."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--repo", type=Path, metavar="DIR", help="replay the commits of this clone")
    options = read_options("Replay a history's pushes through the decision.", own)
    repo: Path | None = own.parse_known_args()[0].repo
    rows = []
    total = ran = 0
    with tempfile.TemporaryDirectory() as folder:
        most = 4 if options.quick else 10
        histories = [of_clone(repo)] if repo else [from_releases(one, Path(folder), most=most) for one in PROJECTS]
        for history in histories:
            every = list(pushes(history))
            tried = [push for push in every if runs(history, push)]
            total, ran = total + len(every), ran + len(tried)
            on_default = sum(push.kind == "default-branch" for push in tried)
            rows.append([history.name, str(len(every)), str(len(tried) - on_default), str(on_default)])
    if not total:
        raise SystemExit("The history has fewer than two commits.")
    report(
        "Pushes that try mutants",
        tables=[table(["history", "pushes", "runs on pull requests", "runs on the default branch"], rows)],
        figures={"mutation_runs_saved": 1 - ran / total, "pushes": total, "runs": ran},
        versions="no configuration, no labels",
        options=options,
    )


if __name__ == "__main__":
    main()

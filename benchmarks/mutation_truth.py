"""Are the kit's verdicts true? Each sampled mutant is patched into a clean copy, and the whole suite runs in a fresh process.

Three projects' security code: PyJWT and itsdangerous at pinned versions, and examples/auth-service. The truth knows
nothing of coverage, forks or likely killers: the mutant is killed when pytest does not end with 0.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

from common import read_options, report, table
from mutation_projects import AUTH_SERVICE, ITSDANGEROUS, PYJWT, SUBJECTS, Laid, kit_python, kit_run, lay_out

FULL = {PYJWT.name: 240, ITSDANGEROUS.name: 240, AUTH_SERVICE.name: 240}
QUICK = {PYJWT.name: 90, ITSDANGEROUS.name: 150, AUTH_SERVICE.name: 60}
WORKERS = 2
NOTICED = {"killed", "timeout"}


def main() -> None:
    """Compare every sampled mutant's verdict with the truth."""
    options = read_options(__doc__.splitlines()[0])
    sizes = QUICK if options.quick else FULL
    rows, wrong, sampled, asked_again = [], [], 0, 0
    with tempfile.TemporaryDirectory(prefix="mutation-truth-") as name:
        folder = Path(name)
        kit = kit_python(folder)
        for subject in SUBJECTS:
            laid = lay_out(subject, folder)
            _, answer = kit_run(
                laid, kit, folder / f"{subject.name}-run", targets=subject.targets, sample=sizes[subject.name]
            )
            mutants = answer["mutants"]
            truths = judge(laid, mutants, folder / f"{subject.name}-copies")
            compared = [(mutant, truth) for mutant, truth in zip(mutants, truths, strict=True)]
            differ = [(m, truth) for m, truth in compared if (m["status"] in NOTICED) is not truth]
            # A suite that is red once may only have been disturbed; what is wrong is wrong every time.
            again = judge(laid, [mutant for mutant, _ in differ], folder / f"{subject.name}-again", workers=1)
            asked_again += len(differ)
            differ = [
                (m, truth) for (m, _), truth in zip(differ, again, strict=True) if (m["status"] in NOTICED) is not truth
            ]
            wrong += [
                f"{subject.name} {told(mutant)}: in truth {'killed' if truth else 'survived'}"
                for mutant, truth in differ
            ]
            sampled += len(compared)
            rows.append(row(f"{subject.name} {subject.version}".strip(), mutants, len(differ), answer))
    figures = {
        "mutants_sampled": float(sampled),
        "wrong_verdicts": float(len(wrong)),
        "asked_again": float(asked_again),
    }
    header = [
        "project",
        "mutants",
        "killed",
        "time limit",
        "survived",
        "not covered",
        "not judged",
        "judged in a fork",
        "wrong",
    ]
    tables = [table(header, rows), *(f"- {line}" for line in wrong)]
    versions = ", ".join(f"{subject.name} {subject.version}".strip() for subject in SUBJECTS)
    report(
        "Mutants: the kit's verdicts against the truth",
        tables=tables,
        figures=figures,
        versions=versions,
        options=options,
    )


def row(name: str, mutants: Sequence[Mapping[str, Any]], wrong: int, answer: Mapping[str, Any]) -> list[str]:
    """One project's line."""
    if answer["why_fresh"]:
        print(f"{name} was not forked: {answer['why_fresh']}", flush=True)
    counts = Counter(mutant["status"] for mutant in mutants)
    cells = [counts[status] for status in ("killed", "timeout", "survived", "no-coverage")]
    cells += [counts["error"] + counts["pending"], sum(mutant["how"] == "fork" for mutant in mutants), wrong]
    return [name, *map(str, [len(mutants), *cells])]


def told(mutant: Mapping[str, Any]) -> str:
    """Which one it is, and what the kit says."""
    change = f"{mutant['before'][:60]!r} → {mutant['after'][:60]!r}"
    return f"{mutant['path']}:{mutant['line']} {change}: {mutant['status']} ({mutant['how']}) {mutant['killer'] or mutant['detail']}"


def judge(laid: Laid, mutants: Sequence[Mapping[str, Any]], folder: Path, *, workers: int = WORKERS) -> list[bool]:
    """Whether the whole suite notices each mutant."""
    if not mutants:
        return []
    free: Queue[Path] = Queue()
    for number in range(workers):
        copy = folder / str(number)
        shutil.copytree(laid.folder, copy, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache", ".git"))
        free.put(copy)
        if not is_green(laid, copy, 600.0):
            raise RuntimeError(f"the suite of {laid.subject.name} is not green")

    def noticed(mutant: Mapping[str, Any]) -> bool:
        copy = free.get()
        try:
            path = copy / mutant["path"]
            text = laid.source(mutant["path"])
            end = mutant["start"] + len(mutant["before"])
            path.write_text(text[: mutant["start"]] + mutant["after"] + text[end:], encoding="utf-8", newline="")
            try:
                return not is_green(laid, copy, 180.0)
            finally:
                path.write_text(text, encoding="utf-8", newline="")
        finally:
            free.put(copy)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(noticed, mutants))


def is_green(laid: Laid, copy: Path, limit: float) -> bool:
    """Plain pytest, without compiled files: they would be known by a time in whole seconds only."""
    environ = {**laid.environ(), "PYTHONDONTWRITEBYTECODE": "1"}
    environ["PYTHONPATH"] = environ["PYTHONPATH"].replace(str(laid.folder), str(copy))
    argv = [laid.python, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider", *laid.subject.arguments]
    # In a session of its own: a mutant may signal its whole group, and one that hangs leaves servers behind.
    with subprocess.Popen(
        [str(word) for word in argv], cwd=copy, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as run:  # fmt: skip
        try:
            return run.wait(limit) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()

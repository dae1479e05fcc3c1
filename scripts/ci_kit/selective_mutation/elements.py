"""The result in the form of mutation-testing-elements, schema 2.

https://github.com/stryker-mutator/mutation-testing-elements/tree/master/packages/report-schema
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.mutants import Mutant

STATUS = {
    "killed": "Killed",
    "timeout": "Timeout",
    "survived": "Survived",
    "no-coverage": "NoCoverage",
    "pending": "Pending",
    "error": "RuntimeError",
}


def elements(judged: Sequence[Judged]) -> dict[str, Any]:
    """The whole report. A test's id is its node id of pytest."""
    files: dict[str, Any] = {}
    for each in judged:
        file = files.setdefault(each.mutant.path, {"language": "python", "source": each.mutant.original, "mutants": []})
        file["mutants"].append(_mutant(each))
    tests: dict[str, dict[str, Any]] = defaultdict(dict)
    for each in judged:
        for test in dict.fromkeys([*each.verdict.tests, *filter(None, [each.verdict.killer])]):
            path, _, name = test.partition("::")
            tests[path][test] = {"id": test, "name": name or path}
    return {
        "schemaVersion": "2",
        "thresholds": {"high": 90, "low": 60},
        "framework": {"name": "ci-kit selective-mutation"},
        "files": files,
        "testFiles": {path: {"tests": list(found.values())} for path, found in sorted(tests.items())},
    }


def _mutant(judged: Judged) -> dict[str, Any]:
    mutant, verdict = judged.mutant, judged.verdict
    reason = verdict.detail or ("no test noticed it" if verdict.status == "survived" else "")
    return {
        "id": mutant.id,
        "mutatorName": mutant.operator,
        "replacement": mutant.after,
        "location": {"start": _place(mutant, mutant.start), "end": _place(mutant, mutant.start + len(mutant.before))},
        "status": STATUS[verdict.status],
        **({"statusReason": reason} if reason else {}),
        **({"coveredBy": list(verdict.tests)} if verdict.tests else {}),
        **({"killedBy": [verdict.killer]} if verdict.killer else {}),
        "testsCompleted": len(verdict.tests),
        "duration": round(verdict.seconds * 1000),
    }


def _place(mutant: Mutant, offset: int) -> dict[str, int]:
    """Line and column, both from 1."""
    text = mutant.original
    return {"line": text.count("\n", 0, offset) + 1, "column": offset - text.rfind("\n", 0, offset)}

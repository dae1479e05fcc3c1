"""The result in the form of mutation-testing-elements, schema 2.

https://github.com/stryker-mutator/mutation-testing-elements/tree/master/packages/report-schema
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ci_kit.selective_mutation.advice import advice
from ci_kit.selective_mutation.judging import Judged

STATUS = {
    "killed": "Killed",
    "timeout": "Timeout",
    "survived": "Survived",
    "no-coverage": "NoCoverage",
    "pending": "Pending",
    "error": "RuntimeError",
}
_LONE_RETURN = re.compile(r"\r(?!\n)")
# To the viewer's arithmetic these end a line, to its display and to Python they do not.
_SEPARATORS = {0x2028: "\u2424", 0x2029: "\u2424"}


def elements(judged: Sequence[Judged]) -> dict[str, Any]:
    """The whole report. A test's id is its node id of pytest."""
    files: dict[str, Any] = {}
    shown: dict[str, _Source] = {}
    for each in judged:
        path = each.mutant.path
        if path not in files:
            shown[path] = _Source(each.mutant.original)
            files[path] = {"language": "python", "source": shown[path].text, "mutants": []}
        files[path]["mutants"].append(_mutant(each, shown[path]))
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


def _mutant(judged: Judged, source: _Source) -> dict[str, Any]:
    mutant, verdict = judged.mutant, judged.verdict
    reason = verdict.detail or (advice(mutant) if judged.undetected else "")
    return {
        "id": mutant.id,
        "mutatorName": mutant.operator,
        "replacement": mutant.after,
        "location": {"start": source.place(mutant.start), "end": source.place(mutant.start + len(mutant.before))},
        "status": STATUS[verdict.status],
        **({"statusReason": reason} if reason else {}),
        **({"coveredBy": list(verdict.tests)} if verdict.tests else {}),
        **({"killedBy": [verdict.killer]} if verdict.killer else {}),
        "testsCompleted": len(verdict.tests),
        "duration": round(verdict.seconds * 1000),
    }


class _Source:
    """A file as the viewer counts it: lines end at a line feed only, columns are units of UTF-16."""

    def __init__(self, original: str) -> None:
        # One character for one, so that offsets stay.
        self.text = _LONE_RETURN.sub("\n", original).translate(_SEPARATORS)

    def place(self, offset: int) -> dict[str, int]:
        """Line and column, both from 1."""
        start = self.text.rfind("\n", 0, offset) + 1
        column = len(self.text[start:offset].encode("utf-16-le", "surrogatepass")) // 2
        return {"line": self.text.count("\n", 0, offset) + 1, "column": column + 1}

"""Survivors as SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.wording import message

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(judged: Sequence[Judged], *, folder: str) -> dict[str, Any]:
    """What no test noticed. `folder` is the project's folder in the repository, empty for its root."""
    found = [each for each in judged if each.undetected]
    rules = sorted({each.mutant.operator for each in found})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "ci-kit selective-mutation",
                        "rules": [_rule(name) for name in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, folder, rules) for each in found],
            }
        ],
    }


def _rule(operator: str) -> dict[str, Any]:
    text = f"No test notices a mutant of the operator {operator}."
    return {"id": operator, "shortDescription": {"text": text}, "properties": {"tags": ["mutation-testing", "test"]}}


def _result(judged: Judged, folder: str, rules: Sequence[str]) -> dict[str, Any]:
    mutant = judged.mutant
    path = f"{folder}/{mutant.path}" if folder else mutant.path
    return {
        "ruleId": mutant.operator,
        "ruleIndex": rules.index(mutant.operator),
        "level": "error" if judged.weakened else "warning",
        "message": {"text": message(judged)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(path), "uriBaseId": "%SRCROOT%"},
                    "region": _region(mutant),
                }
            }
        ],
        "partialFingerprints": {"ciKitMutant/v1": mutant.id},
    }


def _region(mutant: Mutant) -> dict[str, int]:
    """The changed text. The end is the column behind its last character; lines end at a line feed, SARIF's default."""
    text, start, end = mutant.original, mutant.start, mutant.start + len(mutant.before)
    return {
        "startLine": text.count("\n", 0, start) + 1,
        "startColumn": start - text.rfind("\n", 0, start),
        "endLine": text.count("\n", 0, end) + 1,
        "endColumn": end - text.rfind("\n", 0, end),
    }

"""Survivors as SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ci_kit.selective_mutation.judging import Judged
from ci_kit.selective_mutation.wording import advice, message

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(judged: Sequence[Judged], *, folder: str) -> dict[str, Any]:
    """What no test noticed. `folder` is the project's folder in the repository, empty for its root."""
    found = [each for each in judged if each.undetected]
    rules = {each.mutant.operator: advice(each.mutant) for each in found}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "ci-kit selective-mutation",
                        "rules": [
                            {"id": name, "shortDescription": {"text": text}} for name, text in sorted(rules.items())
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, folder) for each in found],
            }
        ],
    }


def _result(judged: Judged, folder: str) -> dict[str, Any]:
    mutant = judged.mutant
    path = f"{folder}/{mutant.path}" if folder else mutant.path
    return {
        "ruleId": mutant.operator,
        "level": "error" if judged.weakened else "warning",
        "message": {"text": message(judged)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(path)},
                    "region": {"startLine": mutant.first_line, "endLine": mutant.last_line},
                }
            }
        ],
        "partialFingerprints": {"ciKitMutant/v1": mutant.id},
    }

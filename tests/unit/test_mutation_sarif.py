"""Survivors as SARIF: what code scanning shows."""

from __future__ import annotations

from typing import Any

from ci_kit.selective_mutation.sarif import sarif
from unit.mutation_reports import judged, mutant


def results(*found: Any, folder: str = "") -> list[dict[str, Any]]:  # noqa: ANN401 - what `judged` answers
    (run,) = sarif(found, folder=folder)["runs"]
    answer: list[dict[str, Any]] = run["results"]
    return answer


def test_only_what_no_test_noticed_and_what_the_change_let_go_is_an_error() -> None:
    change = mutant("user.admin", "True")
    found = results(
        *(judged(change, status) for status in ("killed", "timeout", "pending", "error")),
        judged(change),
        judged(change, "no-coverage"),
        judged(change, weakened=True),
    )
    assert [each["level"] for each in found] == ["warning", "warning", "error"]


def test_the_changed_text_is_the_region() -> None:
    (found,) = results(
        judged(mutant("True\n    return False", "x", source="def f():\n    return True\n    return False\n"))
    )
    region = found["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 2, "startColumn": 12, "endLine": 3, "endColumn": 17}
    (found,) = results(judged(mutant("d", "x", source="ü = '\U0001f600'; d\n")))
    region = found["locations"][0]["physicalLocation"]["region"]
    assert (region["startColumn"], region["endColumn"]) == (10, 11), "columns are characters, as columnKind says"


def test_the_path_is_an_address_in_the_repository() -> None:
    (found,) = results(judged(mutant("d", "x", source="d\n", path="a b/ü#.py")), folder="services/api")
    place = found["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "services/api/a%20b/%C3%BC%23.py", "uriBaseId": "%SRCROOT%"}


def test_every_rule_is_described_once_and_pointed_to() -> None:
    survivors = [judged(mutant("user.admin", "True")), judged(mutant("True\n", "None\n", operator="name"))]
    (run,) = sarif([*survivors, *survivors], folder="")["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["ci-kit:condition-true", "name"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
    assert len({each["partialFingerprints"]["ciKitMutant/v1"] for each in run["results"]}) == 2

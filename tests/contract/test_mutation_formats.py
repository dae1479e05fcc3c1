"""The open formats of mutation testing against their own schemas, with contents that nobody wishes for.

The schemas come from npm: mutation-testing-report-schema, and SARIF 2.1.0 from Microsoft's jest-sarif.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ci_kit.report import write_json
from ci_kit.selective_mutation.elements import elements
from ci_kit.selective_mutation.generate import generate
from ci_kit.selective_mutation.judging import STATUSES, Judged
from ci_kit.selective_mutation.sarif import sarif
from ci_kit.selective_mutation.verdicts import Verdict
from tooling.node_tools import packaged

ELEMENTS = "mutation-testing-report-schema/dist/src/mutation-testing-report-schema.json"
SARIF = "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
CONTENTS = {
    "plain": "def f(x):\n    if x:\n        raise ValueError('no')\n    return x + 1\n",
    "other letters": "def größe(x):\n    return '日本語 \U0001f600 \u202e' + x  # \u2028 é\n",
    "control characters": "def f(x):\n    return '\x01\x1b[31m\x7f\x0c' + x\n",
    "line ends of Windows": "def f(x):\r\n    if x:\r\n        return 1\r\n    return 2\r\n",
    "a very long line": "def f(x):\n    return [" + "x, " * 3000 + "1]\n",
    "markup": "def f(x):\n    return '</script><!--<script>]]>&amp;' + x\n",
    "no line end": "def f(x): return x + 1",
}


@cache
def validator(schema: str) -> Any:  # noqa: ANN401 - the package has no types
    """By the draft that the schema names."""
    loaded = packaged(schema)
    return jsonschema.validators.validator_for(loaded)(loaded)


def of(name: str, path: str = "src/größe a/jwt.py") -> list[Judged]:
    """Every mutant of a content, with each status in turn, and names of tests and details as hostile as the content."""
    text = CONTENTS[name]
    tests = (f"tests/test_ä b.py::test[{text[:40]}]", "tests/test_c.py::test_\ud800")
    found = []
    for number, mutant in enumerate(generate({path: text}, None, per_line=None).mutants):
        status = STATUSES[number % len(STATUSES)]
        killer = tests[0] if status == "killed" else None
        verdict = Verdict(mutant.id, status, () if status == "no-coverage" else tests, killer, 0.5, detail=text[:200])
        found.append(Judged(mutant, verdict, weakened=number % 2 == 0))
    assert found
    return found


def written(data: object, folder: Path) -> Any:  # noqa: ANN401 - JSON
    """What a reader of the file gets."""
    write_json(folder / "report.json", data)
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", CONTENTS)
def test_mutation_testing_elements(name: str, tmp_path: Path) -> None:
    report = written(elements(of(name)), tmp_path)
    assert [error.message for error in validator(ELEMENTS).iter_errors(report)] == []
    for file in report["files"].values():
        lines = file["source"].split("\n")
        for mutant in file["mutants"]:
            start, end = mutant["location"]["start"], mutant["location"]["end"]
            assert (start["line"], start["column"]) < (end["line"], end["column"])
            assert end["column"] <= len(lines[end["line"] - 1].encode("utf-16-le")) // 2 + 1


@pytest.mark.parametrize("name", CONTENTS)
def test_sarif(name: str, tmp_path: Path) -> None:
    judged = of(name)
    report = written(sarif(judged, folder="services/a b"), tmp_path)
    assert [error.message for error in validator(SARIF).iter_errors(report)] == []
    (run,) = report["runs"]
    assert len(run["results"]) == sum(each.undetected for each in judged)


def test_a_run_without_mutants_is_valid_too(tmp_path: Path) -> None:
    validator(ELEMENTS).validate(written(elements([]), tmp_path))
    validator(SARIF).validate(written(sarif([], folder=""), tmp_path))


def test_a_wrong_report_is_noticed() -> None:
    assert not validator(ELEMENTS).is_valid({**elements(of("plain")), "thresholds": {"high": "90"}})
    assert not validator(SARIF).is_valid({**sarif(of("plain"), folder=""), "version": "2.0"})

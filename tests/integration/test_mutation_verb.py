"""`selective-mutation run` as a step: a pull request that weakens the tests of security-critical code fails on its line."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from integration.git_kit import Repository
from integration.mutation_kit import JWT, TESTS, environment, pull_request

WEAK = TESTS.replace(
    '    with pytest.raises(ValueError, match="^too long$"):\n        accepts(5, False)\n', "    pass\n"
)
CONFIG = 'mutation: {critical: ["app/jwt.py"], policies: {"app/**": {min-score: 50}}}\n'


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment("newest", tmp_path_factory)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "checkout")
    found.commit(
        {
            "app/__init__.py": "",
            "app/jwt.py": JWT,
            "app/other.py": "def f():\n    return 1\n",
            "tests/test_jwt.py": TESTS,
            "conftest.py": "",
            ".github/ci-kit.yml": CONFIG,
        }
    )
    return found


def test_a_pull_request_that_takes_an_assertion_away_fails_on_the_right_line(
    repository: Repository, python: Path
) -> None:
    repository.commit({"tests/test_jwt.py": WEAK})
    step = pull_request(repository, python)
    assert step.code == 1, step.log
    report = step.report("selective-mutation")
    assert (report["verdict"], report["scope"]) == ("failed", "diff")
    lines = {(each["path"], each["first-line"]) for each in report["mutants"] if each["weakened"]}
    assert ("app/jwt.py", 7) in lines
    assert all(line in {2, 6, 7} for _, line in lines)
    assert "::error file=app/jwt.py,line=7," in step.log
    assert "The tests before this change noticed it." in step.log
    assert step.outputs["verdict"] == "failed"
    assert "❌ Mutants" in step.summary


def test_the_same_tests_in_other_words_pass(repository: Repository, python: Path) -> None:
    repository.commit({"tests/test_jwt.py": TESTS + "\n\ndef test_more():\n    assert accepts(0, False)\n"})
    step = pull_request(repository, python)
    assert step.code == 0, step.log
    report = step.report("selective-mutation")
    assert report["verdict"] == "passed"
    assert report["counts"]["killed"] > 10
    assert not any(each["weakened"] for each in report["mutants"])
    assert float(step.outputs["score"]) == report["score"] >= 50
    found = json.loads(Path(step.outputs["elements"]).read_text(encoding="utf-8"))
    assert found["schemaVersion"] == "2"
    assert found["files"]["app/jwt.py"]["source"] == JWT
    assert {each["status"] for each in found["files"]["app/jwt.py"]["mutants"]} <= {"Killed", "Survived"}
    found = json.loads(Path(step.outputs["sarif"]).read_text(encoding="utf-8"))
    assert found["version"] == "2.1.0"


def test_changed_lines_of_critical_code_are_judged_and_those_without_a_mutant_are_told(
    repository: Repository, python: Path
) -> None:
    changed = JWT.replace('return "user"', 'return "guest"') + textwrap.dedent("""

    @property
    def unused():
        pass
    """)
    repository.commit({"app/jwt.py": changed, "tests/test_jwt.py": TESTS.replace('"user"', '"guest"')})
    step = pull_request(repository, python)
    assert step.code == 0, step.log
    assert {each["path"] for each in step.report("selective-mutation")["mutants"]} == {"app/jwt.py"}


def test_a_pull_request_that_touches_nothing_critical_tries_nothing(repository: Repository, python: Path) -> None:
    repository.commit({"app/other.py": "def f():\n    return 2\n"})
    step = pull_request(repository, python)
    assert (step.code, step.outputs["verdict"]) == (0, "not-run"), step.log
    assert "touches no security-critical file" in step.summary


def test_the_label_asks_for_all_critical_code_and_a_missed_policy_fails(repository: Repository, python: Path) -> None:
    repository.commit({".github/ci-kit.yml": CONFIG.replace("50", "100"), "app/jwt.py": JWT + "\n\ndef unused():\n    return 1\n"})  # fmt: skip
    step = pull_request(repository, python, "mutation-test")
    assert step.code == 1, step.log
    report = step.report("selective-mutation")
    assert (report["scope"], report["policies"][0]["passed"]) == ("critical", False)
    assert report["counts"]["no-coverage"] > 0
    assert "less than 100 %" in step.log


def test_mutants_of_which_none_is_judged_are_no_success(repository: Repository, python: Path) -> None:
    repository.commit({"app/jwt.py": JWT.replace("4", "3"), "tests/test_jwt.py": "def test_a():\n    assert False\n"})
    step = pull_request(repository, python)
    assert step.code == 3, step.log
    assert "not green without any mutant" in step.log

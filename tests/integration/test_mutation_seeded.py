"""The seeded weakness: a pull request takes assertions out of auth-service's JWT tests, and the next one puts them back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from integration.git_kit import Repository
from integration.mutation_kit import AUTH_SERVICE, environment, pull_request

TESTS = "tests/unit/test_jwt.py"
CODE = "app/core/jwt.py"
STRONG = """\
    if good:
        assert tokens.verify(token, Use.ACCESS) == claims
    else:
        assert refusal(tokens, token) is Refusal.EXPIRED
"""
WEAK = """\
    if good:
        assert tokens.verify(token, Use.ACCESS) == claims
"""
# The example's own settings but for less work: one of its critical files, judged by the tests of that file.
CONFIG = """\
tiers: [{name: unit, paths: [tests/unit/test_jwt.py]}]
mutation: {critical: ["app/core/jwt.py"], policies: {"app/core/**": {min-score: 90}}}
secrets: {required: [JWT_SECRET_KEY]}
"""
GUARD = "if now >= claims.expires_at + leeway:"


def test_an_assertion_taken_out_of_the_jwt_tests_fails_on_its_line_and_passes_when_it_is_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = environment("auth-service", tmp_path_factory)
    folder = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", "uv.lock", ".ci-kit")
    shutil.copytree(AUTH_SERVICE, folder, ignore=ignored)
    repository = Repository(folder)
    repository.git("init", "-q", "-b", "main")
    repository.commit({".github/ci-kit.yml": CONFIG})
    tests, code = ((folder / name).read_text(encoding="utf-8") for name in (TESTS, CODE))
    assert tests.count(STRONG) == code.count(GUARD) == 1
    line = code[: code.index(GUARD)].count("\n") + 1
    secrets = {"CI_KIT_ENV": "JWT_SECRET_KEY=a-key-of-production-that-no-test-uses-0123456789"}

    repository.commit({TESTS: tests.replace(STRONG, WEAK)})
    step = pull_request(repository, python, **secrets)

    assert step.code == 1, step.log
    report = step.report("selective-mutation")
    weakened = [each for each in report["mutants"] if each["weakened"]]
    assert {each["path"] for each in weakened} == {CODE}
    assert {each["first-line"] for each in weakened} == {line, line + 1}
    assert f"::error file={CODE},line={line}," in step.log
    assert f"::error file={CODE},line={line + 1}," in step.log
    assert "The tests before this change noticed it." in step.summary

    repository.commit({TESTS: tests + "\n\ndef test_expiry_is_checked_again() -> None:\n    assert Refusal.EXPIRED\n"})
    step = pull_request(repository, python, **secrets)

    assert step.code == 0, step.log
    report = step.report("selective-mutation")
    assert (report["verdict"], report["scope"]) == ("passed", "diff")
    assert report["counts"]["killed"] > 50
    assert not any(each["weakened"] for each in report["mutants"])
    assert "::error" not in step.log

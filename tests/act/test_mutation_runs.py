"""The job of mutation testing on a real consumer: a pull request that weakens auth-service's JWT tests is red on the line."""

from __future__ import annotations

import json
from pathlib import Path

from act.consumer import PYTHON, commit, copy_example, git, run

TESTS, CODE = "tests/unit/test_jwt.py", "app/core/jwt.py"
# The example's own settings but for less work: its JWT code, judged by the tests of that file.
CONFIG = f"""\
python: ["{PYTHON}"]
tiers: [{{name: unit, paths: [{TESTS}]}}]
lint: []
coverage: {{total: 1}}
mutation: {{critical: ["{CODE}"], policies: {{"app/core/**": {{min-score: 80}}}}}}
secrets: {{required: [JWT_SECRET_KEY]}}
"""
ASSERTION = "    else:\n        assert refusal(tokens, token) is Refusal.EXPIRED\n"
GUARD = "if now >= claims.expires_at + leeway:"


def test_a_pull_request_that_takes_an_assertion_out_of_the_jwt_tests_is_red_on_the_line(tmp_path: Path) -> None:
    repo = copy_example("auth-service", tmp_path / "repo")
    (repo / ".github" / "ci-kit.yml").write_text(CONFIG, encoding="utf-8")
    commit(repo)
    git(repo, "branch", "-M", "main")
    git(repo, "checkout", "-q", "-b", "change")
    text = (repo / TESTS).read_text(encoding="utf-8")
    assert text.count(ASSERTION) == 1
    (repo / TESTS).write_text(text.replace(ASSERTION, ""), encoding="utf-8")
    commit(repo)
    secrets = {"CI_KIT_ENV": "JWT_SECRET_KEY=a-key-of-production-that-no-test-uses-0123456789"}

    result = run(repo, tmp_path / "out", event="pull_request", branch="change", base="main", secrets=secrets)

    job = result.one("mutation")
    assert job.result == "failure", [(each.title, each.result) for each in result.jobs]
    assert {each.result for each in result.find("test")} == {"success"}
    assert result.one("gate").result == "success", "the check of mutants is one of its own"
    source = (repo / CODE).read_text(encoding="utf-8")
    line = source[: source.index(GUARD)].count("\n") + 1
    errors = {(note.file, note.line) for note in job.annotations if note.level == "error" and note.file}
    assert errors == {(CODE, line), (CODE, line + 1)}
    assert "The tests before this change noticed it." in "\n".join(job.summary)
    (report,) = result.folder.glob("artifacts/ci-mutation-a1/**/selective-mutation.json")
    assert json.loads(report.read_text(encoding="utf-8"))["verdict"] == "failed"
    (page,) = result.folder.glob("artifacts/ci-mutation-a1/**/mutation.html")
    assert "<mutation-test-report-app" in page.read_text(encoding="utf-8")

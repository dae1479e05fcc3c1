"""Every linter of the house, each over all files that it understands."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tooling.actionlint import actionlint
from tooling.environment import tool
from tooling.findings import nothing
from tooling.node_tools import run_node_tool
from tooling.yaml_files import ROOT, actions, repository_files, workflows

LIMIT_SECONDS = 300
# What actionlint does not know yet. Contract tests of our own check what these leave out: test_references.py.
UNKNOWN_TO_ACTIONLINT = {
    r'specifying action "\$/[^"]+" in invalid format': "GitHub's self-repository syntax",
    r'reusable workflow call "\$/[^"]+" at "uses" is not following the format': "the same, for workflows",
    r'unexpected key "queue" for "concurrency" section': "a deployment waits in a queue",
    r'unexpected key "cache-mode" for "(job|workflow)" section': "limits what a job may do with the cache",
}
# Keys that GitHub's parser package does not know yet; GitHub itself does.
UNKNOWN_TO_GITHUBS_PARSER = re.compile(r"^(\s*)cache-mode:.*$", re.MULTILINE)


def lint(*argv: str) -> None:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(argv[:4])} …\n{done.stdout}{done.stderr}", pytrace=False)


def programs(language: str) -> list[str]:
    """Files of ours in a language: by name, or by their first line. Examples and test data are not ours."""
    found = []
    for path in repository_files():
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("examples/") or "/data/" in name:
            continue
        shebang = b"" if path.suffix else path.read_bytes()[:200].partition(b"\n")[0]
        by_line = shebang.startswith(b"#!") and re.search(rb"\b" + language.encode(), shebang) is not None
        if by_line or path.suffix == {"python": ".py", "sh": ".sh", "bash": ".bash"}[language]:
            found.append(name)
    return found


def test_ruff_finds_nothing() -> None:
    lint(tool("ruff"), "check", "--no-cache", ".", *programs("python"))


def test_ruff_would_format_nothing() -> None:
    lint(tool("ruff"), "format", "--no-cache", "--check", "--diff", ".", *programs("python"))


def test_types_hold_strictly() -> None:
    lint(sys.executable, "-m", "mypy", "--strict", *programs("python"))


def test_shell_scripts_are_clean() -> None:
    scripts = [*programs("sh"), *programs("bash")]
    assert {"scripts/ci-kit", "scripts/lock", "scripts/test", ".ci/run"} <= set(scripts)
    lint(tool("shellcheck"), "--enable=quote-safe-variables,check-extra-masked-returns", *scripts)


def test_zizmor_finds_nothing() -> None:
    assert actions()
    assert workflows()
    inputs = [file.name for file in (*actions(), *workflows())]
    examples = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/*/.github/workflows/*.y*ml"))
    lint(tool("zizmor"), "--persona", "pedantic", "--offline", "--no-progress", "--quiet", *inputs, *examples)


def test_actionlint_finds_nothing(ran_with: Callable[[str], None]) -> None:
    files = [ROOT / file.name for file in workflows()]
    assert files
    version, found = actionlint(files)
    ran_with(version)
    ignored = re.compile("|".join(UNKNOWN_TO_ACTIONLINT))
    nothing(str(finding) for finding in found if not ignored.search(finding.message))


def test_actionlint_really_runs(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "wrong.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - runs: true\n")
    _, found = actionlint([workflow])
    assert any('"runs"' in finding.message and finding.line == 6 for finding in found)


def test_githubs_own_parser_accepts_every_file(tmp_path: Path) -> None:
    copies = []
    for file in (*actions(), *workflows()):
        copy = tmp_path / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(UNKNOWN_TO_GITHUBS_PARSER.sub("", file.text), encoding="utf-8")
        copies.append(str(copy))
    assert copies
    found = run_node_tool("github_parser", [str(tmp_path), *copies])
    nothing(f"{Path(item['file']).relative_to(tmp_path)}:{item['line']}: {item['message']}" for item in found)


def test_githubs_own_parser_really_runs(tmp_path: Path) -> None:
    action = tmp_path / "action.yml"
    action.write_text("name: x\ndescription: x\nruns:\n  using: composite\n  steps:\n    - run: echo\n")
    (found,) = run_node_tool("github_parser", [str(tmp_path), str(action)])
    assert found["line"] == 6
    assert "shell" in found["message"]

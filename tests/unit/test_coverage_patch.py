"""Changed statements and branches, against what coverage itself counts."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest
from ci_kit.changes import FileChange, Hunk
from ci_kit.coverage_combine.numbers import Counts, FileCoverage
from ci_kit.coverage_combine.patch import Patch, changed_statements, first_lines, patch, read_source

CODE = textwrap.dedent('''\
    """A module's
    own words."""
    import functools


    @functools.lru_cache(
        maxsize=1,
    )
    @functools.wraps(print)
    def one(
        first,
        second=2,
    ):
        """What it
        does."""
        if (
            first  # a note
            and second
        ):
            # on its own
            return [
                # inside
                first,

                second,
            ]
        else:
            return """text
            # that looks like a note

            """


    if one(
        1,
    ):  # pragma: no cover
        print(
            "left out",
        )

    total = 1 + \\
        2
    for each in (
        1,
        2,
    ):
        total += each; total -= len([
            each,
        ])
    ''')
STARTS = {
    3: [3], 6: [6, 7, 8], 9: [9], 10: [10, 11, 12, 13], 16: [16, 17, 18, 19], 21: [21, 23, 25, 26],
    28: [28, 29, 30, 31], 41: [41, 42], 43: [43, 44, 45, 46], 47: [47, 48, 49],
}  # fmt: skip


def analysed(folder: Path, code: str) -> dict[str, Any]:
    """Coverage's JSON report of running `code` as m.py."""
    (folder / "m.py").write_bytes(code.encode())
    run = [sys.executable, "-m", "coverage"]
    for words in (["run", "--branch", "--source=.", "m.py"], ["json", "-q"]):
        subprocess.run([*run, *words], cwd=folder, check=True, timeout=60, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads((folder / "coverage.json").read_text(encoding="utf-8"))
    return found


def changed(*lines: int, path: str = "m.py") -> dict[str, FileChange]:
    return {path: FileChange(path, path, tuple(Hunk(line, 1, line, 1) for line in lines))}


def test_every_line_of_a_statement_means_the_statement_that_coverage_counts(tmp_path: Path) -> None:
    data = analysed(tmp_path, CODE)
    part = data["files"]["m.py"]
    statements = {*part["executed_lines"], *part["missing_lines"]}
    assert statements == STARTS.keys()
    means = {line: start for start, lines in STARTS.items() for line in lines}
    for line in range(1, CODE.count("\n") + 1):
        found = patch(changed(line), data, lambda _: CODE)
        start = means.get(line)
        assert found.counts.lines == (start is not None), line
        if start is not None:
            (file,) = found.files
            assert found.counts.covered_lines == (start in part["executed_lines"]), line
            assert file.missing_lines == ((start,) if start in part["missing_lines"] else ()), line
            ways = [*part["executed_branches"], *part["missing_branches"]]
            assert found.counts.branches == sum(way[0] == start for way in ways), line
            assert set(file.missing_branches) == {tuple(way) for way in part["missing_branches"] if way[0] == start}
    assert patch(changed(2, 14, 20, 22, 24, 27), data, lambda _: CODE) == Patch((), Counts())


@pytest.mark.parametrize("before", [None, "m.py"])
def test_everything_changed_is_the_files_own_count(before: str | None, tmp_path: Path) -> None:
    data = analysed(tmp_path, CODE)
    part = data["files"]["m.py"]
    new = {"m.py": FileChange("m.py", before, (Hunk(0, 0, 1, CODE.count("\n")),))}
    found = patch(new, data, lambda _: CODE)
    summary = part["summary"]
    assert found.counts == Counts(
        summary["covered_lines"], summary["num_statements"], summary["covered_branches"], summary["num_branches"]
    )
    assert found.files[0].missing_lines == tuple(part["missing_lines"])
    assert found.files[0].missing_branches == tuple(map(tuple, part["missing_branches"]))


def data_of(**parts: dict[str, Any]) -> dict[str, Any]:
    return {"files": {f"{name}.py": part for name, part in parts.items()}}


def test_files_are_counted_by_themselves_and_together() -> None:
    data = data_of(
        a={
            "executed_lines": [1, 2],
            "missing_lines": [3],
            "executed_branches": [[2, 3]],
            "missing_branches": [[2, -1]],
        },
        b={"executed_lines": [1], "missing_lines": [2, 3], "excluded_lines": [4]},
        untouched={"executed_lines": [], "missing_lines": [1]},
        removed_only={"executed_lines": [], "missing_lines": [1]},
        renamed={"executed_lines": [], "missing_lines": [1]},
    )
    text = "a = 1\nb = 2\nc = 3\nd = 4\n"
    changes = {
        **changed(2, 3, path="a.py"),
        **changed(1, 3, 4, path="b.py"),
        **changed(1, path="not_measured.py"),
        "removed_only.py": FileChange("removed_only.py", "removed_only.py", (Hunk(1, 1, 0, 0),)),
        "renamed.py": FileChange("renamed.py", "before.py", ()),
    }
    found = patch(changes, data, lambda path: {"a.py": text, "b.py": text, "removed_only.py": text}[path])
    assert found.files == (
        FileCoverage("a.py", Counts(1, 2, 1, 2), (3,), ((2, -1),)),
        FileCoverage("b.py", Counts(1, 2, 0, 0), (3,), ()),
    )
    assert found.counts == Counts(2, 4, 1, 2)


def own_and_library() -> Iterator[Path]:
    yield from sorted((Path(__file__).resolve().parents[2] / "scripts" / "ci_kit").rglob("*.py"))[::4]
    for module in ("argparse", "ast", "dataclasses", "typing", "enum", "inspect", "tokenize", "logging/__init__"):
        yield Path(ast.__file__).parent / f"{module}.py"


def test_what_coverage_calls_a_statement_is_the_first_line_of_one() -> None:
    measured = coverage.Coverage(data_file=None, branch=True, config_file=False)
    count = 0
    for path in own_and_library():
        text = read_source(path)
        firsts = first_lines(text)
        assert firsts is not None
        _, statements, *_ = measured.analysis2(str(path))
        assert [line for line in statements if firsts.get(line) != line] == [], path
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.stmt)
                and not hasattr(node, "body")
                and not isinstance(node, ast.Match)
                and node.end_lineno is not None
            ):
                assert firsts[node.end_lineno] == firsts[node.lineno], (path, node.lineno)
                count += 1
    assert count > 5_000


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_do_not_matter(end: str) -> None:
    text = CODE.replace("\n", end)
    means = {line: start for start, lines in STARTS.items() for line in lines}
    assert {line: changed_statements(text, [line]) for line in means} == {
        line: frozenset({start}) for line, start in means.items()
    }


def test_what_hides_behind_a_lone_carriage_return_is_seen(tmp_path: Path) -> None:
    code = "a = 1\n# a note\rif a > 1:\r    a = 2\nb = (\n3)\r\nc = 1\r"
    data = analysed(tmp_path, code)
    assert data["files"]["m.py"]["missing_lines"] == [4]
    found = patch(changed(2), data, lambda _: code)
    assert found.files == (FileCoverage("m.py", Counts(1, 2, 1, 2), (4,), ((3, 4),)),)
    assert [sorted(changed_statements(code, [line])) for line in range(1, 8)] == [[1], [3, 4], [5], [5], [7], [], []]


@pytest.mark.parametrize("text", ["def f(:\n  x = (\n", "x = '''\n", "if x:\n        a\n    b\n"])
def test_what_is_no_python_is_taken_line_by_line(text: str) -> None:
    assert first_lines(text) is None
    assert changed_statements(text, [1, 2]) == {1, 2}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("x = 'ä'\r\n".encode(), "x = 'ä'\r\n"),
        ("\ufeffx = 'ä'\n".encode(), "x = 'ä'\n"),
        ("# -*- coding: latin-1 -*-\nx = 'ä'\n".encode("latin-1"), "# -*- coding: latin-1 -*-\nx = 'ä'\n"),
        (b"# coding: no-such\nx = 1\n", "# coding: no-such\nx = 1\n"),
        (b"x = '\xff'\n", "x = '\ufffd'\n"),
    ],
)
def test_a_source_is_read_in_its_own_encoding(raw: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "m.py").write_bytes(raw)
    assert read_source(tmp_path / "m.py") == text

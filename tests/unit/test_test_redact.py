from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ci_kit.test.redact import FORMAT_WORDS, SHORTEST, hider, redact_files
from hypothesis import assume, given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"))
from pytest_ci_kit.record import Part, Recorder, Selector, Task

SECRET = 'pa"ss\\wörd\t4'


def test_every_form_of_a_secret_is_hidden(tmp_path: Path) -> None:
    lines = [{"out": f"said {SECRET}!"}, {"longrepr": f"assert {SECRET!r} == 1"}, {"plain": "left alone"}]
    for ascii_only in (True, False):
        path = tmp_path / f"{ascii_only}.jsonl"
        path.write_text("".join(json.dumps(line, ensure_ascii=ascii_only) + "\n" for line in lines), encoding="utf-8")

        redact_files([path], [SECRET])

        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert found == [{"out": "said ***!"}, {"longrepr": "assert '***' == 1"}, {"plain": "left alone"}]


def test_a_value_that_is_too_short_to_be_secret_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "test_1"}\n')
    redact_files([path], ["1", ""])
    assert path.read_text() == '{"id": "test_1"}\n'


def test_a_line_that_was_cut_off_is_hidden_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"out": "abcdefgh and mo')
    redact_files([path], ["abcdefgh"])
    assert path.read_text() == '{"out": "*** and mo'


def test_a_plain_file_is_hidden_and_otherwise_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "running-main.txt"
    for before, after in ((r"test_a.py::test_b[p\xe4sswort]", "test_a.py::test_b[***]"), ("", ""), ("1\n\n", "1\n\n")):
        path.write_text(before)
        redact_files([path], ["pässwort"])
        assert path.read_text() == after


def test_one_text() -> None:
    assert hider(["abcd", "cdef"])("abcdef and cdef") == "***ef and ***"
    assert hider(["abc"])("abc") == "abc"


@pytest.mark.parametrize("secret", ["passed", "TestReport", "call", "nodeid", "test"])
def test_a_secret_that_is_a_word_of_the_stream_leaves_it_readable(secret: str, tmp_path: Path) -> None:
    report = {"$report_type": "TestReport", "nodeid": "x.py::t", "when": "call", "outcome": "passed", "duration": 1.0}
    path = tmp_path / "stream.jsonl"
    path.write_text(json.dumps({**report, "longrepr": f"it was {secret}."}) + "\n", encoding="utf-8")

    redact_files([path], [secret])

    assert json.loads(path.read_text(encoding="utf-8")) == {**report, "longrepr": "it was ***."}


def test_a_secret_that_is_a_word_of_the_plug_ins_records_leaves_them_readable(tmp_path: Path) -> None:
    parts = {"a.py": Part(None, frozenset()), "b.py": Part(frozenset({"b.py::b"}), frozenset())}
    task = Task(tmp_path, tmp_path, frozenset(), frozenset(), owns_unplanned=True, parts=parts)
    config: Any = SimpleNamespace(rootpath=tmp_path)
    recorder = Recorder(task, config)
    selector = Selector(task)
    assert selector.keeps(tmp_path / "b.py", "b.py::b")
    recorder.session_starts()
    recorder.collected([])
    recorder.cut(selector)
    recorder.chosen(["a.py::a"], "1")
    recorder.ordered_by("1")
    recorder.hung("a.py::a", 1.0)
    files = sorted(tmp_path.glob("*.json"))
    before = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    keys = {key for data in before for key in _keys(data)} - {"a.py", "b.py"}
    assert {"left", "kept", "tests", "sum", "not-selected", "note", "seconds", "rootdir"} <= keys

    for secret in [*sorted(key for key in keys if len(key) >= SHORTEST), "test", "select"]:
        redact_files(files, [secret])
        after = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        assert [list(_keys(data)) for data in after] == [list(_keys(data)) for data in before]


def _keys(data: object) -> Iterator[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _keys(value)


@given(secret=st.text(min_size=4), before=st.text(), after=st.text(), ascii_only=st.booleans())
def test_no_secret_is_left_in_the_text(
    secret: str, before: str, after: str, ascii_only: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assume("*" not in secret and f"{before}{secret}{after}" not in FORMAT_WORDS)
    assume(ascii_only or not any("\ud800" <= letter <= "\udfff" for letter in secret + before + after))
    path = tmp_path_factory.mktemp("redact") / "stream.jsonl"
    path.write_text(json.dumps({"text": f"{before}{secret}{after}"}, ensure_ascii=ascii_only) + "\n", encoding="utf-8")

    redact_files([path], [secret])

    assert secret not in json.loads(path.read_text(encoding="utf-8"))["text"]

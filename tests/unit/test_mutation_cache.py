"""What may be reused of an earlier run."""

from __future__ import annotations

from pathlib import Path

from ci_kit.selective_mutation.cache import Cache, State, key_of
from ci_kit.selective_mutation.covering import Covering, Test
from ci_kit.selective_mutation.mutants import Mutant
from ci_kit.selective_mutation.verdicts import Verdict, read_stream, start_stream

TESTS = (Test("test_a.py::test", "test_a.py", 1.0), Test("test_b.py::test", "test_b.py", 1.0))
COVERING = Covering(TESTS, (), {}, "", (), 0.1)
FILES = {"m.py": "1", "test_a.py": "2", "test_b.py": "3", "conftest.py": "4", "uv.lock": "5"}
STATE = State(FILES, "environment")


def mutant(original: str = "def f():\n    return 1\n", after: str = "2") -> Mutant:
    return Mutant(f"id{after}", "m.py", "f", 1, 2, 2, "number", "1", after, security=False, start=20, original=original)


def kept(verdict: Verdict) -> Cache:
    cache = Cache()
    cache.keep("key", verdict, STATE.around(COVERING), STATE.tests(COVERING, [0]))
    return cache


def reused(cache: Cache, files: dict[str, str], environment: str = "environment") -> bool:
    state = State(files, environment)
    return cache.survivor("key", state.around(COVERING), state.tests(COVERING, [0])) is not None


def test_a_survivor_is_reused_only_when_nothing_that_matters_has_changed() -> None:
    cache = kept(Verdict("id2", "survived", ("test_a.py::test",)))
    assert reused(cache, FILES)
    assert reused(cache, {**FILES, "test_b.py": "changed"}), "a test that does not run it"
    for name in ("m.py", "test_a.py", "conftest.py", "uv.lock"):
        assert not reused(cache, {**FILES, name: "changed"}), name
    assert not reused(cache, {**FILES, "new.py": "6"})
    assert not reused(cache, FILES, "another environment")
    assert cache.survivor("key", STATE.around(COVERING), STATE.tests(COVERING, [0, 1])) is None, "another covering test"


def test_killed_is_a_hint_and_never_a_verdict() -> None:
    cache = kept(Verdict("id2", "killed", killer="test_a.py::test"))
    assert cache.killer("key") == "test_a.py::test"
    assert not reused(cache, FILES)
    assert kept(Verdict("id2", "survived")).killer("key") is None


def test_what_was_not_judged_is_not_kept_and_pending_forgets_nothing() -> None:
    cache = kept(Verdict("id2", "killed", killer="test_a.py::test"))
    cache.keep("key", Verdict("id2", "pending"), "", "")
    assert cache.killer("key") is not None
    cache.keep("key", Verdict("id2", "error"), "", "")
    assert cache.killer("key") is None


def test_the_key_holds_the_function_and_both_texts_but_no_line_numbers() -> None:
    assert key_of(mutant(), "e") == key_of(mutant(), "e")
    others = [
        key_of(mutant(after="3"), "e"),
        key_of(mutant(), "other"),
        key_of(mutant("def f(a):\n    return 1\n"), "e"),
    ]
    assert key_of(mutant(), "e") not in others
    assert len(set(others)) == 3


def test_files_that_are_broken_or_absent_are_empty_caches(tmp_path: Path) -> None:
    file = tmp_path / "cache.json"
    assert Cache.read(file).entries == {}
    assert Cache.read(None).entries == {}
    for text in (
        "",
        "[]",
        '{"schema": "other", "entries": {"key": {}}}',
        '{"schema": "ci-kit/mutation-cache/1"}',
        "\ud800",
    ):
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        assert Cache.read(file).entries == {}, text
    one = kept(Verdict("id2", "survived", ("test_a.py::test",)))
    one.write(file)
    assert Cache.read(file) == one


def test_a_stream_that_was_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "state" / "verdicts.jsonl"
    verdicts = [Verdict("one", "killed", ("a", "b"), "b", 1.5, "fork", "E"), Verdict("two", "survived")]
    start_stream(file, "run", verdicts)
    assert read_stream(file, "run") == {verdict.mutant: verdict for verdict in verdicts}
    assert read_stream(file, None).keys() == {"one", "two"}
    assert read_stream(file, "another") == {}
    file.write_bytes(file.read_bytes()[:-20])
    assert read_stream(file, "run").keys() == {"one"}
    assert read_stream(tmp_path / "absent", "run") == {}

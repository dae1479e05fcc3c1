from __future__ import annotations

from pathlib import Path

import pytest
from ci_kit.errors import CallerMistake
from ci_kit.yaml_file import LIMIT_BYTES, Document, read_yaml


def read(folder: Path, text: str | bytes) -> Document:
    path = folder / "a.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_yaml(path, "a.yml")


def test_every_key_and_entry_has_its_line(tmp_path: Path) -> None:
    found = read(tmp_path, "a: 1\nb:\n  - x\n  - c: 2\n    d: [3, 4]\n")
    assert found.data == {"a": 1, "b": ["x", {"c": 2, "d": [3, 4]}]}
    assert [
        found.line(place) for place in (("a",), ("b",), ("b", 0), ("b", 1, "c"), ("b", 1, "d"), ("b", 1, "d", 1))
    ] == [1, 2, 3, 4, 5, 5]


def test_an_unknown_place_has_the_line_of_what_encloses_it(tmp_path: Path) -> None:
    found = read(tmp_path, "a:\n  b: 1\n")
    assert found.line(("a", "b", "missing", 3)) == 2
    assert found.line(("other",)) == 1


@pytest.mark.parametrize("text", ["", "\n# only a comment\n", "---\n"])
def test_an_empty_file_is_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).data is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("n", "n"), ("true", True), ("False", False), ("~", None), ("", None),
        ("22:22", "22:22"), ("0755", 755), ("0o17", 15), ("0xff", 255), ("-3", -3), ("+3", 3), ("1_000", "1_000"),
        ("3.10", 3.1), ("1e3", 1000.0), (".5", 0.5), ("3.", 3.0), ("3.12.1", "3.12.1"), (".nan", ".nan"), (".inf", ".inf"),
        ("2024-01-02", "2024-01-02"), ("'1'", "1"), ("!!str 1", "1"), ("!!binary aGk=", "aGk="), ("=", "="),
    ],
)  # fmt: skip
def test_plain_values_mean_what_yaml_1_2_says(tmp_path: Path, text: str, value: object) -> None:
    found = read(tmp_path, f"a: {text}\n").data["a"]
    assert (found, type(found)) == (value, type(value))


def test_keys_mean_the_same(tmp_path: Path) -> None:
    assert read(tmp_path, "on: push\n8080: x\n1.5: y\n").data == {"on": "push", 8080: "x", "1.5": "y"}


def test_aliases_are_followed_and_a_byte_order_mark_is_not_data(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfa: &x [1]\nb: *x\n").data == {"a": [1], "b": [1]}


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: [", "is not YAML", 2),
        ("a: 1\na: 2\n", "the key 'a' stands twice", 2),
        ("? [a]\n: 1\n", "a key is not text", 1),
        ("a: 1\n---\nb: 2\n", "is not YAML", 2),
        ("a: 1\nb: x: y\n", "is not YAML", 2),
        ("a: !!python/object:os.system x\n", "is not YAML", 1),
        ("a: *nothing\n", "is not YAML", 1),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, message: str, line: int) -> None:
    with pytest.raises(CallerMistake) as raised:
        read(tmp_path, text)
    assert raised.value.message.startswith(message)
    assert (raised.value.file, raised.value.line) == ("a.yml", line)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 8)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: \xff\n", "is not UTF-8 text \\(byte 3\\)"),
        (b"a: " + b"x" * LIMIT_BYTES, "at most 1000000 are read"),
        (BOMB, "holds more than 100000 values"),
        ("a: &a [*a]\n", "cannot be read as YAML"),
        ("[" * 1200, "cannot be read as YAML|is not YAML"),
        (f"a: {'9' * 5000}\n", "cannot be read as YAML"),
    ],
    ids=["bytes", "large", "bomb", "loop", "deep", "digits"],
)
def test_hostile_files_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(CallerMistake, match=message):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match="cannot be read"):
        read_yaml(tmp_path, "a.yml")

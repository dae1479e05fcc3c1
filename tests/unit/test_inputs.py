from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ci_kit import inputs
from ci_kit.errors import CallerMistake
from ci_kit.inputs import Shard, read_inputs, setting
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True)
class Inputs:
    shard: Shard = setting(Shard(1, 1), inputs.shard, "part")
    dry_run: bool = setting(False, inputs.boolean, "only say")
    limit_seconds: float = setting(60.0, inputs.duration, "limit")
    name: str = setting("ci", inputs.short_name, "name")
    token: str = setting("", inputs.text, "token", secret=True)


def test_nothing_given_is_the_defaults() -> None:
    assert read_inputs(Inputs, {}, []) == Inputs()


def test_an_empty_variable_is_the_default_as_github_passes_it() -> None:
    assert read_inputs(Inputs, {"CI_KIT_SHARD": "", "CI_KIT_NAME": "  "}, []) == Inputs()


def test_variables_and_options_are_read_and_options_win() -> None:
    found = read_inputs(
        Inputs, {"CI_KIT_SHARD": "1/2", "CI_KIT_DRY_RUN": "true"}, ["--shard", "2/2", "--limit-seconds=5m"]
    )
    assert found == Inputs(Shard(2, 2), dry_run=True, limit_seconds=300.0)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"CI_KIT_SHARD": "3/2"}, "input shard: expected a shard such as 2/4, from 1/1 to 256/256, found '3/2'"),
        ({"CI_KIT_DRY_RUN": "True"}, "input dry-run: expected true or false, found 'True'"),
        ({"CI_KIT_LIMIT_SECONDS": "10"}, "input limit-seconds: expected a duration"),
    ],
)
def test_a_bad_value_names_the_input_and_what_was_expected(environ: dict[str, str], message: str) -> None:
    with pytest.raises(CallerMistake) as raised:
        read_inputs(Inputs, environ, [])
    assert raised.value.message.startswith(message)


def test_an_unknown_option_is_refused_with_a_suggestion() -> None:
    with pytest.raises(CallerMistake, match="unknown option '--shrad' \\(did you mean 'shard'\\?\\)"):
        read_inputs(Inputs, {}, ["--shrad", "1/2"])


@pytest.mark.parametrize("argv", [["--shard"], ["stray"], ["-x"], ["--"], ["--token", "x"]])
def test_what_is_no_complete_option_is_refused(argv: list[str]) -> None:
    with pytest.raises(CallerMistake):
        read_inputs(Inputs, {}, argv)


def test_a_secret_comes_only_from_the_environment_and_is_never_shown() -> None:
    @dataclass(frozen=True)
    class Secret:
        pin: int = setting(0, inputs.integer(0, 9999), "pin", secret=True)

    found = read_inputs(Secret, {"CI_KIT_PIN": "1234"}, [])
    assert found.pin == 1234
    assert "1234" not in repr(found)
    with pytest.raises(CallerMistake) as raised:
        read_inputs(Secret, {"CI_KIT_PIN": "hunter2"}, [])
    assert "hunter2" not in str(raised.value)


def test_an_option_that_is_given_twice_is_refused_instead_of_forgotten() -> None:
    with pytest.raises(CallerMistake, match="given twice"):
        read_inputs(Inputs, {}, ["--shard", "1/2", "--shard", "2/2"])


def test_a_positional_input_takes_the_words_without_an_option() -> None:
    @dataclass(frozen=True)
    class Positional:
        paths: tuple[str, ...] = setting((), inputs.lines, "paths", positional=True)
        name: str = setting("ci", inputs.text, "name")

    found = read_inputs(Positional, {"CI_KIT_PATHS": "old"}, ["a b", "--name", "x", "c"])
    assert found == Positional(("a b", "c"), "x")


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (inputs.boolean, "true", True),
        (inputs.boolean, "false", False),
        (inputs.integer(-2, 5), "-2", -2),
        (inputs.integer(0, 5), "5", 5),
        (inputs.count_or_auto, "auto", None),
        (inputs.count_or_auto, "256", 256),
        (inputs.choice("a", "b"), "b", "b"),
        (inputs.duration, "1h30m", 5400.0),
        (inputs.duration, "90s", 90.0),
        (inputs.duration, "0s", 0.0),
        (inputs.ratio, "99.5%", 0.995),
        (inputs.ratio, "100%", 1.0),
        (inputs.percentage, "85", 85.0),
        (inputs.percentage, "100.0", 100.0),
        (inputs.path, "a b/ü.json", Path("a b/ü.json")),
        (inputs.words, "a b  c", ("a", "b", "c")),
        (inputs.words, "a b\n\n c \n", ("a b", "c")),
        (inputs.lines, "a b", ("a b",)),
        (inputs.short_name, "ci-2_x", "ci-2_x"),
        (inputs.version_label, "pypy3.11-v7.3.19", "pypy3.11-v7.3.19"),
        (inputs.shard, "256/256", Shard(256, 256)),
    ],
)
def test_parsers_accept(parse: Callable[[str], Any], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (inputs.boolean, "yes"), (inputs.boolean, "1"), (inputs.boolean, "TRUE"),
        (inputs.integer(0, 5), "6"), (inputs.integer(0, 5), "-1"), (inputs.integer(0, 5), "1.0"), (inputs.integer(0, 5), "٣"),
        (inputs.integer(0, 5), "9" * 5000),
        (inputs.count_or_auto, "0"), (inputs.count_or_auto, "257"), (inputs.count_or_auto, "Auto"),
        (inputs.choice("a", "b"), "c"),
        (inputs.duration, ""), (inputs.duration, "10"), (inputs.duration, "1m1h"), (inputs.duration, "1.5h"), (inputs.duration, "-1s"),
        (inputs.ratio, "98"), (inputs.ratio, "101%"), (inputs.ratio, "0.98"),
        (inputs.percentage, "101"), (inputs.percentage, "-1"), (inputs.percentage, "85%"), (inputs.percentage, "nan"),
        (inputs.path, "a\0b"),
        (inputs.short_name, "CI"), (inputs.short_name, "1a"), (inputs.short_name, "a" * 41), (inputs.short_name, "a b"), (inputs.short_name, "a\n"),
        (inputs.version_label, "../3.12"), (inputs.version_label, "3 12"), (inputs.version_label, "3.12\n"), (inputs.version_label, "3" * 41),
        (inputs.shard, "0/1"), (inputs.shard, "2/1"), (inputs.shard, "1/257"), (inputs.shard, "1"), (inputs.shard, "1/2/3"),
    ],
)  # fmt: skip
def test_parsers_refuse(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


@given(index=st.integers(1, 256), extra=st.integers(0, 255))
def test_a_shard_reads_as_it_is_written(index: int, extra: int) -> None:
    shard = Shard(index, min(index + extra, 256))
    assert inputs.shard(str(shard)) == shard


@given(hours=st.integers(0, 99), minutes=st.integers(0, 99), seconds=st.integers(0, 99))
def test_a_duration_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int) -> None:
    assert inputs.duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


def test_names_are_kebab_case_outside_and_upper_case_in_the_environment() -> None:
    assert inputs.input_name("dry_run") == "dry-run"
    assert inputs.variable_name("dry-run") == "CI_KIT_DRY_RUN"

"""Read a verb's inputs: from `CI_KIT_<INPUT>` on a runner, from `--<input> value` on a laptop, both strictly.

An input is a field of the verb's frozen dataclass, made by `setting`; its name is the field's in kebab-case. An empty
value means the default, because that is what GitHub passes for an input that the caller did not set.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ci_kit.errors import CallerMistake
from ci_kit.schema import suggestion

T = TypeVar("T")


def setting(
    default: T,
    parse: Callable[[str], T],
    help: str,  # noqa: A002
    *,
    secret: bool = False,
    positional: bool = False,
) -> T:
    """A dataclass field that is an input. `parse` raises `ValueError` saying what it expected.

    A secret is kept out of `repr` and can only come from the environment, never from an option. A positional input also
    takes the words that stand without an option, one a line.
    """
    metadata = {"parse": parse, "help": help, "secret": secret, "positional": positional}
    field: T = dataclasses.field(default=default, repr=not secret, metadata=metadata)
    return field


def input_name(field: str) -> str:
    """`field_name` as `field-name`."""
    return field.replace("_", "-")


def variable_name(name: str) -> str:
    """The environment variable that carries the input `name`."""
    return "CI_KIT_" + name.upper().replace("-", "_")


def read_inputs(cls: type[T], environ: Mapping[str, str], argv: Sequence[str]) -> T:
    """Build `cls` from the environment, then from the options in `argv`, which win.

    Raises `CallerMistake` for a value that does not parse, an unknown option, and an option without its value.
    """
    fields = {input_name(f.name): f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    given = {name: environ.get(variable_name(name), "") for name in fields}
    positional = next((name for name, field in fields.items() if field.metadata["positional"]), None)
    given |= _options(argv, {name for name, field in fields.items() if not field.metadata["secret"]}, positional)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        text = given[name].strip()
        if not text:
            continue
        try:
            values[field.name] = field.metadata["parse"](text)
        except ValueError as error:
            found = "a value that is not shown" if field.metadata["secret"] else repr(text)
            raise CallerMistake(
                f"input {name}: expected {error}, found {found}.", next_step=f"Correct the input {name!r}."
            ) from error
    return cls(**values)


def _options(argv: Sequence[str], known: set[str], positional: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        if positional and not word.startswith("-"):
            found[positional] = f"{found[positional]}\n{word}" if positional in found else word
            continue
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in known:
            options = " ".join(f"--{name}" for name in sorted(known)) or "none"
            raise CallerMistake(
                f"unknown option {word!r}{suggestion(name, sorted(known))}.", next_step=f"The options are: {options}."
            )
        if not equals:
            if not words:
                raise CallerMistake(f"option --{name} has no value.", next_step=f"Write --{name} VALUE.")
            value = words.pop(0)
        if name in found:
            raise CallerMistake(
                f"option --{name} is given twice.", next_step=f"Give all values in one text: --{name} 'A B'."
            )
        found[name] = value
    return found


def text(value: str) -> str:
    """Any text."""
    return value


def boolean(value: str) -> bool:
    """Exactly `true` or `false`."""
    if value not in {"true", "false"}:
        raise ValueError("true or false")
    return value == "true"


def integer(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", value) or not least <= int(value) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(value)

    return parse


def count_or_auto(value: str) -> int | None:
    """A count from 1 to 256, or None for `auto`."""
    return None if value == "auto" else _count(value)


def _count(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", value) or not 1 <= int(value) <= 256:
        raise ValueError("auto or a whole number from 1 to 256")
    return int(value)


def choice(*values: str) -> Callable[[str], str]:
    """One of some words."""

    def parse(value: str) -> str:
        if value not in values:
            raise ValueError(f"one of {', '.join(values)}{suggestion(value, values)}")
        return value

    return parse


def duration(value: str) -> float:
    """`90s`, `8m` or `1h30m` in seconds."""
    match = re.fullmatch(r"(?=[0-9])(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?", value)
    if match is None:
        raise ValueError("a duration such as 90s, 8m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)


def ratio(value: str) -> float:
    """`98%` as 0.98."""
    if not re.fullmatch(r"(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%", value):
        raise ValueError("a percentage such as 98% or 99.5%")
    return float(value.removesuffix("%")) / 100


def percentage(value: str) -> float:
    """A number from 0 to 100."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", value) or float(value) > 100:
        raise ValueError("a number from 0 to 100")
    return float(value)


def path(value: str) -> Path:
    """A path, relative ones to the workspace."""
    if "\0" in value:
        raise ValueError("a path")
    return Path(value)


def words(value: str) -> tuple[str, ...]:
    """Words or lines: separated by newlines when there is one, else by blanks."""
    parts = value.splitlines() if "\n" in value else value.split()
    return tuple(part.strip() for part in parts if part.strip())


def lines(value: str) -> tuple[str, ...]:
    """One entry a line."""
    return tuple(part.strip() for part in value.splitlines() if part.strip())


def short_name(value: str) -> str:
    """A name that is safe in artifact names, cache keys and concurrency groups."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", value):
        raise ValueError("lower-case letters, digits, '_' and '-' (at most 40, a letter first)")
    return value


def version_label(value: str) -> str:
    """A Python's version as the matrix names it, safe in artifact names: `3.12`, `3.14t`, `pypy3.11`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,39}", value):
        raise ValueError("a version such as 3.12 (at most 40 letters, digits, '.' and '-')")
    return value


@dataclass(frozen=True)
class Shard:
    """The part `index` (from 1) of `count` parts."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def shard(value: str) -> Shard:
    """`2/4` as the second of four."""
    match = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", value)
    if match is None or not 1 <= int(match[1]) <= int(match[2]) <= 256:
        raise ValueError("a shard such as 2/4, from 1/1 to 256/256")
    return Shard(int(match[1]), int(match[2]))

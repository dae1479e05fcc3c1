"""Synthetic coverage of many machines: real-looking modules, what running them really records, and shards made of that.

Each of a few dozen different modules is run once under coverage with a context for each call; a shard's data is put
together from those records with coverage's own API, so a shard of 2,000 files takes a second to make and not a minute to
run. `coverage_legs.py` makes results of it.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

SHAPES = 40
PACKAGE = 25
FUNCTIONS = 8
CALLS = ((0, False), (3, True), (7, False))
IMPORTED, DEEP = 0.9, 0.2
"""The share of the files that a shard imports, and the share that its tests call; of those, about half the functions."""


def source(shape: int, word: str) -> str:
    """A module with 100 to 150 statements; the same `shape` has the same lines whatever its `word`."""
    draw = random.Random(shape)  # noqa: S311 - the same modules every time
    lines = [f'"""Rules for a {word}."""', "", "from __future__ import annotations", "", "import contextlib", ""]
    lines += [f"LIMIT_{word.upper()} = {draw.randrange(2, 9)}", ""]
    for number in range(FUNCTIONS - 3):
        lines += ["", *_function(draw, f"{word}_{number}", 0), ""]
    lines += ["", f"class {word.title()}:", f'    """Keeps the state of a {word}."""', ""]
    lines += [
        "    def __init__(self, limit: int = 3) -> None:",
        "        self.limit = limit",
        "        self.seen = []",
        "",
    ]
    for number in range(FUNCTIONS - 3, FUNCTIONS):
        lines += [*_function(draw, f"{word}_{number}", 4), ""]
    return "\n".join(lines).rstrip() + "\n"


def _function(draw: random.Random, name: str, indent: int) -> list[str]:
    own = "self, " if indent else ""
    head = f"def {name}({own}count: int, flag: bool = False) -> int:"
    body = [f'"""Work out the {name.replace("_", " ")}."""', "result = count"]
    for _ in range(draw.randrange(2, 4)):
        body += draw.choice(_BLOCKS).lines(draw)
    body.append("return result")
    return [" " * indent + head, *(" " * (indent + 4) + line if line else "" for line in body)]


@dataclass(frozen=True)
class _Block:
    """Statements with `$name` for a number that is drawn from `numbers`, the same wherever the name stands."""

    text: str
    numbers: Mapping[str, range]

    def lines(self, draw: random.Random) -> list[str]:
        drawn = {name: draw.choice(choice) for name, choice in self.numbers.items()}
        return Template(self.text).substitute(drawn).splitlines()


_CHOICE = """\
if result > $least and not flag:
    result -= 1
elif result == $least:
    # The customer is told by mail.
    result += 2
else:
    result = max(
        result,
        $least,
    )
"""
_LOOP = """\
for each in range(result + $more):
    if each % 2:
        continue
    result += each
    if result > $most:
        break
"""
_ATTEMPT = """\
try:
    result = $share // count
except ZeroDivisionError:
    if flag:
        raise ValueError("nothing to divide by") from None
    result = 0
finally:
    count += 1
"""
_WHILE = """\
while result > $least:
    result -= 2
    if flag:
        result -= 1
"""
_COLLECT = """\
pairs = {key: key * $times for key in range(count) if key != result}
with contextlib.suppress(KeyError):
    result += pairs[0]
if flag:
    return sum(pairs.values())
"""
_CHOOSING = _Block(_CHOICE, {"least": range(1, 6)})
_BLOCKS = (
    _CHOOSING,
    _CHOOSING,
    _Block(_LOOP, {"more": range(3), "most": range(5, 20)}),
    _Block(_ATTEMPT, {"share": range(10, 99)}),
    _Block(_WHILE, {"least": range(2, 6)}),
    _Block(_COLLECT, {"times": range(2, 5)}),
)


def word_of(number: int) -> str:
    """The name of a file's module, made of letters only."""
    return "item" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:05}")


def path_of(number: int) -> str:
    """Where a file is, relative to the repository."""
    return f"src/shop/part{number // PACKAGE:03}/{word_of(number)}.py"


def write_sources(here: Path, files: int, *, branch: bool) -> None:
    """A repository with that many modules, in packages."""
    (here / "src" / "shop").mkdir(parents=True)
    (here / "src" / "shop" / "__init__.py").write_text("", encoding="utf-8")
    for number in range(files):
        path = here / path_of(number)
        if number % PACKAGE == 0:
            path.parent.mkdir()
            (path.parent / "__init__.py").write_text('"""A part of the shop."""\n', encoding="utf-8")
        path.write_text(source(number % SHAPES, word_of(number)), encoding="utf-8")
    (here / "pyproject.toml").write_text(
        f'[tool.coverage.run]\nbranch = {json.dumps(branch)}\nsource = ["src"]\nrelative_files = true\n',
        encoding="utf-8",
    )


@dataclass
class Recorded:
    """What running one shape records: on import, and by function on each of its calls. Arcs, or lines without branches."""

    imported: list[Any] = field(default_factory=list)
    calls: list[list[list[Any]]] = field(default_factory=list)


def record(folder: Path, *, branch: bool) -> list[Recorded]:
    """Run every shape once, under coverage."""
    os.environ["COVERAGE_CORE"] = "ctrace"  # the other cores know no contexts
    import coverage  # noqa: PLC0415 - the benchmark itself, which only makes sources, runs without it

    folder.mkdir()
    sys.path.insert(0, str(folder))
    measuring = coverage.Coverage(data_file=None, branch=branch, include=[f"{folder}/*"], config_file=False)
    for shape in range(SHAPES):
        (folder / f"shape{shape}.py").write_text(source(shape, "item"), encoding="utf-8")
    measuring.start()
    for shape in range(SHAPES):
        measuring.switch_context(f"{shape}:import")
        module = importlib.import_module(f"shape{shape}")
        for number, call in _calls(module):
            measuring.switch_context(f"{shape}:{number}")
            call()
    measuring.stop()
    data = measuring.get_data()
    found = []
    for shape in range(SHAPES):
        path = str(folder / f"shape{shape}.py")

        def of(context: str, path: str = path) -> list[Any]:
            data.set_query_context(context)
            return sorted((data.arcs(path) if branch else data.lines(path)) or ())

        calls = [[of(f"{shape}:{f * len(CALLS) + c}") for c in range(len(CALLS))] for f in range(FUNCTIONS)]
        found.append(Recorded(of(f"{shape}:import"), calls))
    return found


def _calls(module: Any) -> Iterator[tuple[int, Callable[[], None]]]:  # noqa: ANN401 - made here
    owner = module.Item()
    for function in range(FUNCTIONS):
        target = getattr(module, f"item_{function}", None) or getattr(owner, f"item_{function}")
        for index, (count, flag) in enumerate(CALLS):

            def call(target: Callable[[int, bool], int] = target, count: int = count, flag: bool = flag) -> None:
                try:
                    target(count, flag)
                except ValueError:
                    return

            yield function * len(CALLS) + index, call


def ran_by(index: int, files: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """What shard `index` does: each file that it imports, with the calls (function, call) that its tests make."""
    draw = random.Random(index)  # noqa: S311 - the same shards every time
    for number in range(files):
        deep = draw.random() < DEEP
        if deep or draw.random() < IMPORTED:
            functions = [f for f in range(FUNCTIONS) if draw.random() < 0.5] if deep else []
            yield number, [(function, draw.randrange(len(CALLS))) for function in functions]


def write_shard(path: Path, index: int, files: int, recorded: Sequence[Recorded], *, branch: bool) -> None:
    """What the process of shard `index` would have written."""
    from coverage import CoverageData  # noqa: PLC0415 - as above

    found: dict[str, set[Any]] = {}
    for number, calls in ran_by(index, files):
        shape = recorded[number % SHAPES]
        found[path_of(number)] = mine = set(shape.imported)
        for function, call in calls:
            mine.update(shape.calls[function][call])
    for folder in {Path(name).parent for name in found}:
        found[str(folder / "__init__.py")] = {(-1, 1), (1, -1)} if branch else {1}
    data = CoverageData(str(path))
    (data.add_arcs if branch else data.add_lines)(found)
    data.write()
    data.close()

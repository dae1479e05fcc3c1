"""What it takes to plan mutants: make them, estimate the jobs, deal the shares. At 1x, 10x and 100x, up to 10,000 mutants.

Two shapes grow: the number of files, and the length of one file. Every function is of one kind,
so that ten times the code is ten times the mutants. Each plan is made in a process of its own, whose largest memory is told.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from affected_history import command
from common import ROOT, read_options, report, table
from mutation_projects import kit_python

SIZES = (1, 10, 100)
SHARDS = 8
FUNCTION = """
def judge_{number}(data, rule, place, limits=(0, 10)):
    least, most = limits
    found = []
    for key, value in sorted(data.items()):
        if not isinstance(key, str) or len(key) > most:
            raise ValueError(f"expected a text key, found {{key!r}}")
        if key in rule and least <= len(value) < most - 1:
            found.append((place + "." + key, len(value) * 2 + least))
        elif rule.get("others", True) is False:
            found.append((place, -1))
    return {{"places": found, "count": len(found) + 1, "all": len(found) == len(data)}}
"""


def main() -> None:
    """Plan every size in both shapes."""
    options = read_options(__doc__.splitlines()[0])
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="mutation-plan-") as name:
        kit = kit_python(Path(name))
        for shape in ("files", "lines"):
            found = {size: best(kit, shape, size, rounds=1 if options.quick else 3) for size in SIZES}
            for size, one in found.items():
                each = 1000 * one["seconds"] / one["mutants"]
                rows.append(
                    [
                        f"more {shape}",
                        f"{size}x",
                        str(one["mutants"]),
                        f"{one['seconds']:.2f}",
                        f"{each:.2f}",
                        f"{one['megabytes']:.0f}",
                    ]
                )
            first, last = found[SIZES[0]], found[SIZES[-1]]
            figures |= {
                f"plan_seconds_{shape}": last["seconds"],
                f"plan_growth_{shape}": (last["seconds"] / last["mutants"]) / (first["seconds"] / first["mutants"]),
                f"plan_megabytes_{shape}": last["megabytes"],
            }
    heads = ["what grows", "size", "mutants", "seconds", "ms a mutant", "MB at most"]
    pins = (ROOT / "requirements" / "runtime-selective-mutation.txt").read_text(encoding="utf-8")
    (mutmut,) = re.findall(r"^mutmut==(\S+)", pins, re.MULTILINE)
    report(
        "Planning mutants", tables=[table(heads, rows)], figures=figures, versions=f"mutmut {mutmut}", options=options
    )


def best(kit: Path, shape: str, size: int, *, rounds: int) -> dict[str, Any]:
    """The fastest of some runs."""
    answers = [
        json.loads(command(kit, __file__, "child", shape, str(size), cwd=ROOT).splitlines()[-1]) for _ in range(rounds)
    ]
    return min(answers, key=lambda answer: float(answer["seconds"]))


def child(shape: str, size: int) -> None:
    """In the kit's environment: plan once."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from ci_kit.selective_mutation.deal import deal  # noqa: PLC0415 - only the child has what the room needs
    from ci_kit.selective_mutation.estimate import estimate  # noqa: PLC0415
    from ci_kit.selective_mutation.generate import generate  # noqa: PLC0415
    from ci_kit.selective_mutation.records import Records  # noqa: PLC0415
    from ci_kit.selective_mutation.targets import Targets  # noqa: PLC0415

    generate({"warm.py": FUNCTION.format(number=0)}, None, per_line=None)  # the imports are no part of the plan
    part = "".join(FUNCTION.format(number=number) for number in range(2))
    texts = {f"part_{number}.py": part for number in range(size)}
    if shape == "lines":
        texts = {"all.py": "".join(FUNCTION.format(number=number) for number in range(2 * size))}
    started = time.perf_counter()
    mutants = generate(texts, None, per_line=None).mutants
    shards = estimate(Targets(texts, None), Records()).shards(420.0, 2, SHARDS)
    dealt = deal(mutants, Records(), shards)
    seconds = time.perf_counter() - started
    if sum(map(len, dealt)) != len(mutants):
        raise RuntimeError("a mutant is lost")
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"mutants": len(mutants), "seconds": seconds, "megabytes": megabytes}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], int(sys.argv[3]))
    else:
        main()

"""The kit's processor time against mutmut's own run, on the same mutants of PyJWT's signature code.

Whole file: all of mutmut's mutants of `jwt/api_jws.py`. Two lines: after a change of two lines in one function, the kit
judges the mutants on these lines, mutmut those of the function (it cannot be told lines), each with what it kept of
the run before. Unchanged: the same run again; the kit with its cache, mutmut without the verdicts that it kept, because
these are not checked against changed tests (a changed test leaves them as they are). The peer has its best settings: no
coverage filter to compute, as many children as the kit has workers.
"""

from __future__ import annotations

import ast
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import read_options, report, table
from mutation_projects import PYJWT, Laid, cpu_seconds, kit_python, kit_run, lay_out

TARGET = "jwt/api_jws.py"
MUTMUT = "mutmut==3.8.1"
# Two lines of `_load`, rewritten to do the same.
OLD = """\
        if isinstance(jwt, str):
            jwt = jwt.encode("utf-8")
"""
NEW = """\
        if not isinstance(jwt, bytes) and isinstance(jwt, str):
            jwt = jwt.encode(encoding="utf-8")
"""
FUNCTION = "jwt.api_jws.xǁPyJWSǁ_load__mutmut_*"
LISTED = re.compile(r"^\s+(\S+__mutmut_\d+): (.+)$", re.MULTILINE)
MANGLED = re.compile(r"^(?:x_(?P<plain>.+)|xǁ(?P<owner>.+)ǁ(?P<method>.+))__mutmut_\d+$")
KILLED = {"killed", "timeout", "suspicious", "segfault"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
LIMIT_SECONDS = 1800.0


def main() -> None:
    """Measure both, and compare their verdicts."""
    options = read_options(__doc__.splitlines()[0])
    with tempfile.TemporaryDirectory(prefix="mutation-engine-") as name:
        folder = Path(name)
        kit = kit_python(folder)
        laid = lay_out(PYJWT, folder, MUTMUT)
        peer = Laid(laid.subject, folder / "peer", laid.python)
        shutil.copytree(laid.folder, peer.folder)
        configure(peer)
        cache = folder / "cache.json"
        theirs, _ = mutmut(peer, "run", "--max-children", "2")
        listed = verdicts(peer)
        ours, answer = judged(laid, kit, folder, cache)
        compared, different = compare(laid, peer, answer["mutants"], listed)
        again, repeated = judged(laid, kit, folder, cache)
        theirs_again = renewed(peer)
        change(laid)
        change(peer)
        lines = changed_lines(laid)
        two, of_two = judged(laid, kit, folder, cache, lines={TARGET: lines})
        theirs_two, _ = mutmut(peer, "run", "--max-children", "2", FUNCTION)
    rows = [
        ["whole file", f"{theirs:.1f} s", f"{ours:.1f} s", f"{theirs / ours:.1f}", str(len(listed)), count(answer)],
        [
            "two lines",
            f"{theirs_two:.1f} s",
            f"{two:.1f} s",
            f"{theirs_two / two:.1f}",
            "the function's",
            count(of_two),
        ],
        [
            "unchanged",
            f"{theirs_again:.1f} s",
            f"{again:.1f} s",
            f"{theirs_again / again:.1f}",
            str(len(listed)),
            count(repeated),
        ],
    ]
    figures = {
        "whole_file_speedup": theirs / ours,
        "two_line_speedup": theirs_two / two,
        "unchanged_speedup": theirs_again / again,
        "verdicts_compared": float(compared),
        "verdicts_different": float(len(different)),
    }
    header = ["run", "mutmut, CPU", "kit, CPU", "ratio", "mutmut's mutants", "the kit's"]
    tables = [table(header, rows), *(f"- {line}" for line in different)]
    versions = f"PyJWT {PYJWT.version}, {MUTMUT}"
    report(
        "Mutants: the kit against mutmut's own run", tables=tables, figures=figures, versions=versions, options=options
    )


def judged(
    laid: Laid, kit: Path, folder: Path, cache: Path, lines: Mapping[str, list[int]] | None = None
) -> tuple[float, dict[str, Any]]:
    """The kit, with mutmut's operators only."""
    return kit_run(laid, kit, folder / "run", targets=[TARGET], own=False, cache=str(cache), lines=lines)


def configure(peer: Laid) -> None:
    """Mutmut's settings: the one file, the same tests, everything that these import."""
    ignored = ", ".join(f'"{word}"' for word in peer.subject.arguments)
    text = (peer.folder / "pyproject.toml").read_text(encoding="utf-8")
    settings = (
        f'\n[tool.mutmut]\nsource_paths = ["jwt"]\nonly_mutate = ["{TARGET}"]\n'
        f'also_copy = ["tests"]\npytest_add_cli_args = [{ignored}]\n'
        'pytest_add_cli_args_test_selection = ["tests"]\nuse_git_change_detection = false\ntrack_dependencies = false\n'
    )
    (peer.folder / "pyproject.toml").write_text(text + settings, encoding="utf-8")


def mutmut(peer: Laid, *words: str) -> tuple[float, str]:
    """A command of mutmut's: processor time and output."""
    argv: list[str | Path] = [peer.python, "-m", "mutmut", *words]
    environ = {name: value for name, value in peer.environ().items() if name != "PYTHONPATH"}
    return cpu_seconds(argv, cwd=peer.folder, env=environ, limit=LIMIT_SECONDS)


def verdicts(peer: Laid) -> dict[str, str]:
    """Mutmut's mutants by name."""
    return dict(LISTED.findall(mutmut(peer, "results", "--all", "true")[1]))


def renewed(peer: Laid) -> float:
    """The whole file again, without the verdicts that mutmut kept."""
    kept = peer.folder.with_name("peer-kept")
    (peer.folder / "mutants").rename(kept)
    took, _ = mutmut(peer, "run", "--max-children", "2")
    shutil.rmtree(kept)
    return took


def change(laid: Laid) -> None:
    """Change two lines."""
    text = laid.source(TARGET)
    if text.count(OLD) != 1:
        raise RuntimeError(f"{TARGET} has not the two lines to change")
    (laid.folder / TARGET).write_text(text.replace(OLD, NEW), encoding="utf-8", newline="")


def changed_lines(laid: Laid) -> list[int]:
    """Where they are."""
    first = laid.source(TARGET).partition(NEW)[0].count("\n") + 1
    return list(range(first, first + NEW.count("\n")))


def count(answer: Mapping[str, Any]) -> str:
    """How many mutants, by status."""
    counts = Counter(mutant["status"] for mutant in answer["mutants"])
    return f"{len(answer['mutants'])} ({', '.join(f'{number} {status}' for status, number in counts.most_common())})"


def compare(
    laid: Laid, peer: Laid, mutants: Sequence[Mapping[str, Any]], listed: Mapping[str, str]
) -> tuple[int, list[str]]:
    """How many verdicts there are of both, and those that differ. The same mutant is one that makes the same function."""
    made = (peer.folder / "mutants" / TARGET).read_text(encoding="utf-8")
    module = TARGET.removesuffix(".py").replace("/", ".")
    theirs = {}
    for node in ast.walk(ast.parse(made)):
        if isinstance(node, FUNCTIONS) and (found := MANGLED.match(node.name)):
            name = found["plain"] or f"{found['owner']}.{found['method']}"
            theirs[name, dump(node)] = listed.get(f"{module}.{node.name}")
    text = laid.source(TARGET)
    plain = functions(text)
    compared, different = 0, []
    for mutant in mutants:
        end = mutant["start"] + len(mutant["before"])
        changed = functions(text[: mutant["start"]] + mutant["after"] + text[end:])
        verdict = next((theirs.get(each) for each in changed.items() if each not in plain.items()), None)
        if verdict is not None:
            compared += 1
            if (verdict in KILLED) is not (mutant["status"] in KILLED):
                where = f"{TARGET}:{mutant['line']} {mutant['before'][:60]!r} → {mutant['after'][:60]!r}"
                different.append(f"{where}: mutmut says {verdict}, the kit {mutant['status']}")
    return compared, different


def functions(text: str) -> dict[str, str]:
    """The functions of a module and the methods of its classes: name → what they are."""
    tree = ast.parse(text)
    owners = [("", tree.body), *((f"{node.name}.", node.body) for node in tree.body if isinstance(node, ast.ClassDef))]
    return {f"{owner}{node.name}": dump(node) for owner, body in owners for node in body if isinstance(node, FUNCTIONS)}


def dump(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Arguments and body."""
    return ast.dump(node.args) + "".join(map(ast.dump, node.body))


if __name__ == "__main__":
    main()

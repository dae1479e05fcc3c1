"""Cobertura XML and LCOV from coverage's JSON report, so that the sources are analysed once, whatever is written.

Formats: https://raw.githubusercontent.com/cobertura/web/master/htdocs/xml/coverage-04.dtd and the section "FILES" of
https://github.com/linux-test-project/lcov/blob/master/man/geninfo.1. Hits are 0 or 1: coverage does not count them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ci_kit.coverage_combine.numbers import Counts, FileCoverage, add

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Branches = Mapping[int, list[tuple[int, bool]]]


def cobertura(data: Mapping[str, Any], files: Iterable[FileCoverage], root: str) -> str:
    """The JSON report `data` as Cobertura XML, with the counts of `files`; a folder is a package. `root` is the checkout."""
    return "".join(f"{line}\n" for line in _document(data, files, root))


def _document(data: Mapping[str, Any], files: Iterable[FileCoverage], root: str) -> Iterator[str]:
    """As text from the start: a tree of so many lines takes more memory than everything else in the step."""
    packages: dict[str, list[FileCoverage]] = defaultdict(list)
    for file in files:
        packages[file.path.rpartition("/")[0].replace("/", ".") or "."].append(file)
    every = add(file.counts for found in packages.values() for file in found)
    branch = bool(data["meta"]["branch_coverage"])
    top = {
        **_rates(every, branch),
        "version": data["meta"]["version"],
        "timestamp": _milliseconds(data["meta"]["timestamp"]),
        "lines-valid": str(every.lines),
        "lines-covered": str(every.covered_lines),
        "branches-valid": str(every.branches),
        "branches-covered": str(every.covered_branches),
    }
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield f"<coverage{_attributes(top)}>"
    yield f"\t<sources>\n\t\t<source>{escape(_xml(root))}</source>\n\t</sources>\n\t<packages>"
    for name, found in sorted(packages.items()):
        yield f"\t\t<package{_attributes({'name': name, **_rates(add(f.counts for f in found), branch)})}>\n\t\t\t<classes>"
        for file in found:
            yield from _class(file, data["files"][file.path], branch)
        yield "\t\t\t</classes>\n\t\t</package>"
    yield "\t</packages>\n</coverage>"


def _class(file: FileCoverage, part: Mapping[str, Any], branch: bool) -> Iterator[str]:
    name = {"name": file.path.rpartition("/")[2], "filename": file.path}
    yield f"\t\t\t\t<class{_attributes({**name, **_rates(file.counts, branch)})}>\n\t\t\t\t\t<methods/>\n\t\t\t\t\t<lines>"
    branches, missing = _branches(part), set(part["missing_lines"])
    for number in sorted((*part["executed_lines"], *missing)):
        ways = branches.get(number)
        hits = int(number not in missing)
        yield f'\t\t\t\t\t\t<line number="{number}" hits="{hits}"{_conditions(ways) if ways else ""}/>'
    yield "\t\t\t\t\t</lines>\n\t\t\t\t</class>"


def _conditions(ways: list[tuple[int, bool]]) -> str:
    taken = sum(was_taken for _, was_taken in ways)
    found = f' branch="true" condition-coverage="{100 * taken // len(ways)}% ({taken}/{len(ways)})"'
    if taken == len(ways):
        return found
    ends = ("exit" if end < 0 else str(end) for end, was_taken in ways if not was_taken)
    return f'{found} missing-branches="{",".join(ends)}"'


def _attributes(found: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(_xml(value))}" for name, value in found.items())


def lcov(data: Mapping[str, Any], files: Iterable[FileCoverage]) -> str:
    """The JSON report `data` as an LCOV trace of the `files`."""
    return "".join(f"{record}\n" for file in files for record in _trace(file, data["files"][file.path]))


def _trace(file: FileCoverage, part: Mapping[str, Any]) -> Iterator[str]:
    missing, counts = set(part["missing_lines"]), file.counts
    yield f"SF:{_one_line(file.path)}"
    for number in sorted((*part["executed_lines"], *missing)):
        yield f"DA:{number},{int(number not in missing)}"
    if counts.lines:
        yield f"LF:{counts.lines}"
        yield f"LH:{counts.covered_lines}"
    yield from _functions(part)
    for number, ways in sorted(_branches(part).items()):
        ran = any(was_taken for _, was_taken in ways)
        for end, was_taken in ways:
            yield f"BRDA:{number},0,{'exit' if end < 0 else f'line {end}'},{int(was_taken) if ran else '-'}"
    if counts.branches:
        yield f"BRF:{counts.branches}"
        yield f"BRH:{counts.covered_branches}"
    yield "end_of_record"


def _functions(part: Mapping[str, Any]) -> Iterator[str]:
    """A function ran when any line of it did. The part without a name is what is outside of all functions."""
    ran = []
    for name, function in part.get("functions", {}).items():
        lines = (*function["executed_lines"], *function["missing_lines"])
        if name and lines:
            ran.append(bool(function["executed_lines"]))
            yield f"FN:{min(function['start_line'], *lines)},{max(lines)},{_one_line(name)}"
            yield f"FNDA:{int(ran[-1])},{_one_line(name)}"
    if ran:
        yield f"FNF:{len(ran)}"
        yield f"FNH:{sum(ran)}"


def _branches(part: Mapping[str, Any]) -> Branches:
    """By line, where it can go and whether it went there; leaving the function comes last."""
    found: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for key, was_taken in (("executed_branches", True), ("missing_branches", False)):
        for start, end in part.get(key, ()):
            found[start].append((end, was_taken))
    return {start: sorted(ways, key=lambda way: (way[0] < 0, way)) for start, ways in found.items()}


def _rates(counts: Counts, branch: bool) -> dict[str, str]:
    """Where branches were not measured, their rate is 0, as coverage has it."""
    branches = _rate(counts.covered_branches, counts.branches) if branch else "0"
    return {"line-rate": _rate(counts.covered_lines, counts.lines), "branch-rate": branches, "complexity": "0"}


def _rate(covered: int, counted: int) -> str:
    """A share that is 0 or 1 only when it is so exactly."""
    if covered in (0, counted):
        return "1" if covered == counted else "0"
    return f"{min(max(covered / counted, 0.0001), 0.9999):.4g}"


def _milliseconds(local: str) -> str:
    return str(int(datetime.fromisoformat(local).timestamp() * 1000))


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", text)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)

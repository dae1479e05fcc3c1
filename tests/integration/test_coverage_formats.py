"""Cobertura XML and LCOV, made from one analysis, say what coverage's own reporters say of the same sources."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import coverage
import pytest
from ci_kit.coverage_combine.formats import cobertura, lcov
from ci_kit.coverage_combine.reports import Analysis, read_analysis

SOURCES = {
    "app/__init__.py": "",
    "app/ways.py": """\
        import asyncio

        def decide(value, *, deep=False):
            if value and deep:
                return 1
            for each in range(value):
                if each > 1:
                    continue
            else:
                value -= 1
            while value > 3:
                value -= 1
                if value == 4:
                    break
            match value:
                case 1:
                    return "one"
                case _:
                    pass
            with open(__file__) as file:
                return file.readline()

        class Thing:
            def method(self):
                try:
                    return {k: v for k, v in [(1, 2)] if k}
                except ValueError:
                    return None
                finally:
                    self.done = True

            def method_again(self):
                return lambda x: x + 1

        async def later():
            async for each in aiter([]):
                print(each)

        def never(flag):
            if flag:
                return 1
            return 2

        if __name__ == "__main__":
            never(1)
        """,
    "app/deep/__init__.py": "",
    "app/deep/er/__init__.py": "",
    "app/deep/er/naïve.py": "def same():\n    pass\n\n\ndef same():\n    return 1\n",
    "top.py": "from app import ways\nfor value in (0, 1, 5):\n    ways.decide(value)\nways.Thing().method()\n",
    "app/untouched.py": "value = [\n    1,\n    2,\n]\nif value:\n    value = 3\n",
}


@pytest.fixture(scope="module", params=[True, False], ids=["branches", "lines"])
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Analysis]:
    here = tmp_path_factory.mktemp("formats").resolve()
    for name, text in SOURCES.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(textwrap.dedent(text), encoding="utf-8")
    (here / ".coveragerc").write_text(f"[run]\nbranch = {request.param}\nsource = .\nrelative_files = true\n")
    subprocess.run([sys.executable, "-m", "coverage", "run", "top.py"], cwd=here, check=True, timeout=60)
    for words in (["json", "-q", "-o", "one.json"], ["xml", "-q", "-o", "own.xml"], ["lcov", "-q", "-o", "own.lcov"]):
        subprocess.run([sys.executable, "-m", "coverage", *words], cwd=here, check=True, timeout=60)
    return here, read_analysis(here / "one.json")


def described(top: ET.Element) -> object:
    """Everything but the order of siblings and of missing branches, comments, white space, the moment and the folder."""
    attributes = {name: value for name, value in top.attrib.items() if name != "timestamp"}
    if "missing-branches" in attributes:
        attributes["missing-branches"] = ",".join(sorted(attributes["missing-branches"].split(",")))
    children = [child for child in top if child.tag != "sources"]
    return top.tag, sorted(attributes.items()), sorted((described(child) for child in children), key=repr)


def test_cobertura_is_what_coverage_itself_writes(measured: tuple[Path, Analysis]) -> None:
    here, analysis = measured
    ours = ET.fromstring(cobertura(analysis.data, analysis.files, str(here)))  # noqa: S314 - made here
    theirs = ET.parse(here / "own.xml").getroot()  # noqa: S314 - made here
    assert len(list(ours.iter("line"))) > 30
    assert described(ours) == described(theirs)
    assert [each.text for each in ours.iter("source")] == [str(here)]
    # Both speak of the same minute, in milliseconds.
    assert abs(int(ours.attrib["timestamp"]) - int(theirs.attrib["timestamp"])) < 120_000


def records(text: str) -> dict[str, list[str]]:
    """The records of each file; what a branch is called is free text, so only where it starts and whether it ran stays."""
    found: dict[str, list[str]] = {}
    for block in text.split("end_of_record\n"):
        lines = block.strip().splitlines()
        if lines:
            found[lines[0]] = sorted(
                ",".join([*line.split(",")[:2], line.rsplit(",", 1)[1]]) if line.startswith("BRDA:") else line
                for line in lines[1:]
            )
    return found


def test_lcov_is_what_coverage_itself_writes(measured: tuple[Path, Analysis]) -> None:
    here, analysis = measured
    ours = records(lcov(analysis.data, analysis.files))
    theirs = records((here / "own.lcov").read_text(encoding="utf-8"))
    assert len(ours) == len(SOURCES)
    assert ours == theirs


def test_names_that_the_formats_cannot_hold_break_nothing(measured: tuple[Path, Analysis], tmp_path: Path) -> None:
    here, analysis = measured
    data = json.loads((here / "one.json").read_text(encoding="utf-8"))
    data["files"] = {'a\nend_of_record\x01<&".py': data["files"]["top.py"]}
    (tmp_path / "odd.json").write_text(json.dumps(data), encoding="utf-8")
    odd = read_analysis(tmp_path / "odd.json")
    top = ET.fromstring(cobertura(odd.data, odd.files, "/a\x00b"))  # noqa: S314 - made here
    assert [each.attrib["filename"] for each in top.iter("class")] == ['a\nend_of_record?<&".py']
    trace = lcov(odd.data, odd.files).splitlines()
    assert trace[0] == 'SF:a?end_of_record?<&".py'
    assert trace.count("end_of_record") == 1
    assert coverage.__version__ == data["meta"]["version"] == analysis.data["meta"]["version"]

"""JUnit XML derived from the results, in the form that GitHub actions, GitLab and Jenkins read.

Schema: https://github.com/jenkinsci/xunit-plugin (junit-10.xsd); an attempt that a later one made good is a
`flakyFailure`, as Maven's surefire writes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from ci_kit.test.model import Outcome, Result

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[Result], *, suite: str, timestamp: str, seconds: float) -> str:
    r"""One test suite. Characters that XML cannot hold are written as `\xNN`."""
    count = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    skipped = count[Outcome.SKIPPED] + count[Outcome.XFAILED]
    numbers = {"tests": len(results), "failures": count[Outcome.FAILED], "errors": count[Outcome.ERROR]}
    totals = {**{key: str(value) for key, value in numbers.items()}, "skipped": str(skipped), "time": f"{seconds:.3f}"}
    root = ET.Element("testsuites", {"name": "ci-kit", **totals})
    parent = ET.SubElement(root, "testsuite", {"name": _text(suite), "timestamp": timestamp, **totals})
    for result in results:
        _case(parent, result)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(parent: ET.Element, result: Result) -> None:
    classname, name = _names(result.id)
    attributes = {"classname": _text(classname), "name": _text(name), "time": f"{result.seconds:.3f}"}
    if result.place is not None:
        attributes["file"] = _text(result.place.file)
        attributes |= {"line": str(result.place.line)} if result.place.line else {}
    case = ET.SubElement(parent, "testcase", attributes)
    message = _text(result.message or "")
    if result.outcome in (Outcome.FAILED, Outcome.ERROR):
        tag = "failure" if result.outcome is Outcome.FAILED else "error"
        ET.SubElement(case, tag, {"message": message}).text = _text(result.detail or result.message or "")
    elif result.outcome in (Outcome.SKIPPED, Outcome.XFAILED):
        kind = "pytest.skip" if result.outcome is Outcome.SKIPPED else "pytest.xfail"
        ET.SubElement(case, "skipped", {"type": kind, "message": message})
    if result.flaky:
        ET.SubElement(case, "flakyFailure", {"message": _text(result.first_failure or "")})


def _names(test_id: str) -> tuple[str, str]:
    """As pytest's own JUnit XML: the file and class with dots, and the test's name."""
    file, *parts = test_id.split("[", 1)[0].split("::")
    parameters = test_id[len("::".join([file, *parts])) :]
    names = [re.sub(r"\.py$", "", file).replace("/", "."), *parts]
    return (".".join(names[:-1]), names[-1] + parameters) if parts else ("", test_id)


def _text(text: str) -> str:
    return _FORBIDDEN.sub(lambda match: f"\\x{ord(match[0]):02x}", text)

"""The report as one HTML file: whole without its component's help, and nothing of a pull request can run in it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.github import Event, Workflow
from ci_kit.process import Completed, SubprocessRunner
from ci_kit.selective_mutation.elements import elements
from ci_kit.selective_mutation.viewer import COMPONENT, render, wants_html, write_html
from ci_kit.tools import Tools
from unit.mutation_reports import judged, mutant

HOSTILE = "</script><script>alert(1)</script><!-- <script> ]]> \u2028 \x00 \ud800 '\"`${x}"
TOOLS = Tools(
    {"PATH": "/bin", "CI_KIT_ENV": "KEY=secret"},
    Event.from_environ({}),
    Workflow({}),
    SubprocessRunner(),
    SystemClock(),
)


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.scripts.append(data)


def hostile() -> dict[str, object]:
    change = mutant(
        "d", HOSTILE, source=f"d # {HOSTILE}\n", path="a</script>.py", function="<img src=x onerror=alert(1)>"
    )
    return elements([judged(change, "survived", f"t.py::{HOSTILE}", detail=HOSTILE)])


def test_the_data_arrives_whole_and_nothing_of_it_is_markup() -> None:
    component = f"customElements.define('x', {HOSTILE!r});"
    page = Page(render(component, hostile(), "Mutants of <o>/r"))
    assert [tag for tag, _ in page.found].count("script") == 2
    data = re.search(r"app\.report = (.*);", "".join(page.scripts))
    assert data
    assert json.loads(data[1]) == hostile()
    (viewer,) = [attributes for tag, attributes in page.found if tag == "script" and attributes.get("src")]
    encoded = str(viewer["src"]).removeprefix("data:text/javascript;charset=utf-8;base64,")
    assert base64.b64decode(encoded).decode() == component
    (app,) = [attributes for tag, attributes in page.found if tag == "mutation-test-report-app"]
    assert app["title-postfix"] == "Mutants of <o>/r"


def test_only_the_two_scripts_of_the_page_may_run_and_nothing_is_loaded() -> None:
    page = Page(render("1", hostile(), "Mutants"))
    policy = next(str(a["content"]) for _, a in page.found if a.get("http-equiv") == "Content-Security-Policy")
    nonces = {attributes["nonce"] for tag, attributes in page.found if tag == "script"}
    assert len(nonces) == 1
    assert f"script-src 'nonce-{nonces.pop()}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("asked", "failed", "waits", "expected"),
    [
        ("true", False, True, True),
        ("false", True, False, False),
        ("auto", False, True, False),
        ("auto", True, True, True),
        ("auto", False, False, True),
    ],
)
def test_when_it_is_written(asked: str, failed: bool, waits: bool, expected: bool) -> None:
    assert wants_html(asked, failed=failed, waits=waits) is expected


class Npm:
    """npm with a given end, which leaves a component in its folder."""

    def __init__(self, code: int, output: str = "") -> None:
        self.code, self.output = code, output
        self.seen: Mapping[str, str] = {}

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_seconds: float,  # noqa: ARG002
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stream: bool = True,  # noqa: ARG002
        input_text: str | None = None,  # noqa: ARG002
    ) -> Completed:
        assert env is not None
        assert cwd is not None
        self.seen = env
        assert json.loads((cwd / "package-lock.json").read_text(encoding="utf-8"))["lockfileVersion"] == 3
        (cwd / COMPONENT).parent.mkdir(parents=True)
        (cwd / COMPONENT).write_text("the component", encoding="utf-8")
        return Completed(tuple(argv), self.code, self.output, 0.1)


def test_without_npm_there_is_a_sentence_and_no_failure(tmp_path: Path) -> None:
    page = tmp_path / "mutation.html"
    said = write_html(page, hostile(), "Mutants", replace(TOOLS, runner=Npm(1, "npm error network\n")))
    assert said.startswith("The HTML report was not made, because its viewer could not be fetched from npm: ")
    assert "\n" not in said
    assert not page.exists()


def test_npm_learns_no_secret(tmp_path: Path) -> None:
    npm = Npm(0)
    page = tmp_path / "mutation.html"
    environ = {**TOOLS.environ, "NPM_CONFIG_REGISTRY": "mirror", "GITHUB_TOKEN": "t"}
    assert write_html(page, hostile(), "Mutants", replace(TOOLS, runner=npm, environ=environ)) == ""
    assert npm.seen == {"PATH": "/bin", "NPM_CONFIG_REGISTRY": "mirror"}
    assert base64.b64encode(b"the component").decode() in page.read_text(encoding="utf-8")

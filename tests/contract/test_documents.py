"""The papers of the repository: tables that match, links that lead somewhere, examples that are valid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ci_kit.__main__ import VERSION
from ci_kit.errors import Exit
from tooling.findings import nothing
from tooling.tables import filled, pages
from tooling.yaml_files import ROOT, YamlFile, all_files, repository_files

SECTIONS = ("Smallest use", "Inputs", "Outputs", "Permissions", "What it writes", "How it fails")
DOCUMENTS = [path for path in repository_files() if path.suffix == ".md" and "examples" not in path.parts]
# In pieces, so that this file does not name them itself.
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "deb" + ".debian.org",
    "proxy.golang" + ".org",
]
LOCKS = {"uv.lock", "poetry.lock", "pdm.lock"}  # these formats name the index of every package
PLACES = [r"(?<![\w.])/wo" + r"rk/(main|shared|\.)", r"/tm" + r"p/(t|h|brief)/", r"\.py" + r"env/", "house-" + "check"]
UNFINISHED = [r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b"]

each_page = pytest.mark.parametrize(
    ("page", "described"),
    sorted(pages().items()),
    ids=lambda value: getattr(value, "stem", None) and value.relative_to(ROOT).as_posix(),
)
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


@each_page
def test_tables_are_those_of_the_file_that_they_describe(
    page: Path, described: str, request: pytest.FixtureRequest
) -> None:
    text = page.read_text(encoding="utf-8")
    kinds = {"keys"} if described.endswith(".json") else {"inputs", "outputs"}
    assert kinds <= set(re.findall(r"<!-- (\w+) -->", text)), "a table is missing"
    wanted = filled(text, described)
    if wanted != text and request.config.getoption("--update"):
        page.write_text(wanted, encoding="utf-8")
    elif wanted != text:
        pytest.fail(
            f"{page.relative_to(ROOT)} is not what {described} says; run: scripts/test tests/contract --update",
            pytrace=False,
        )


@each_page
def test_every_action_and_workflow_tells_what_its_users_ask(page: Path, described: str) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = SECTIONS if described.endswith(".yml") else ()
    nothing(f"{described}: no section {section!r}" for section in wanted if section not in headings)


def test_every_workflow_shows_how_its_secrets_are_passed() -> None:
    for page, described in pages().items():
        secrets = {name for file in all_files() if file.name == described for name in file.secrets}
        blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        passed = {name for block in blocks for job in _jobs(yaml.safe_load(block)) for name in job.get("secrets") or {}}
        assert secrets <= passed, described


def _jobs(document: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - YAML holds anything
    return list(document["jobs"].values()) if isinstance(document, dict) and "jobs" in document else []


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    nothing(
        f"{document.relative_to(ROOT)}: {link}"
        for link in re.findall(r"\]\(([^)\s]+)\)", text)
        if not re.match(r"[a-z]+:", link) and not _exists(document, link)
    )


def _exists(document: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = document.parent / name if name else document
    if not anchor or not target.is_file():
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_examples_of_use_name_inputs_that_exist(document: Path) -> None:
    nothing(
        f"{document.relative_to(ROOT)}: {uses} {complaint}"
        for block in re.findall(r"```yaml\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
        for uses, given in _calls(yaml.safe_load(block))
        for complaint in _complaints(uses, given)
    )


def _calls(node: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401 - YAML holds anything
    if isinstance(node, dict):
        if str(node.get("uses", "")).startswith("org/ci-kit"):
            yield node["uses"], node.get("with") or {}
        for part in node.values():
            yield from _calls(part)
    elif isinstance(node, list):
        for part in node:
            yield from _calls(part)


def _complaints(uses: str, given: Mapping[str, Any]) -> Iterator[str]:
    path = uses.partition("@")[0].removeprefix("org/ci-kit").lstrip("/")
    name = path if path.endswith(".yml") else f"{path}/action.yml".lstrip("/")
    found = next((file for file in all_files() if file.name == name), None)
    if found is None:
        yield "does not exist"
    else:
        yield from (f"declares no input {key!r}" for key in given if key not in found.inputs)


def test_the_page_of_exit_codes_lists_each_of_them() -> None:
    rows = re.findall(
        r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [(str(int(code)), code.name) for code in Exit]


def test_every_action_and_workflow_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    wanted = [file for file in all_files() if not file.is_workflow or "workflow_call" in file.trigger]
    nothing(f"README.md does not link {file.name}" for file in wanted if f"({_page_of(file)})" not in readme)


def _page_of(file: YamlFile) -> str:
    return next(page.relative_to(ROOT).as_posix() for page, described in pages().items() if described == file.name)


def test_the_changelog_knows_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0] == VERSION


@pytest.mark.parametrize("pattern", [*map(re.escape, HOSTS), *PLACES, *UNFINISHED])
def test_no_file_names_a_registry_a_machine_or_unfinished_work(pattern: str) -> None:
    found = []
    for path in repository_files():
        if path.name in LOCKS and pattern in map(re.escape, HOSTS):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(text.splitlines(), 1)
            if re.search(pattern, line)
        ]
    nothing(found)

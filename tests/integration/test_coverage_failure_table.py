"""Every way in which coverage from many machines goes wrong, one row each: what a person reads instead of a number.

The second table holds what looks odd and is right: there the number must be the one of a single plain `coverage run`.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from ci_kit.plan import Plan, PlannedTier, write_plan
from ci_kit.share import Share
from integration.coverage_shop import (
    COMMIT,
    Ran,
    Shop,
    copy_of,
    data_file,
    facts,
    no_number,
    place,
    three_shards,
    write,
)

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SECOND = f"unit · Python {PYTHON} · 2/3"
RERUN = f"Re-run the job of {SECOND}."


def missing(shop: Shop) -> None:
    shutil.rmtree(place(shop, 2).parent)


def planned_and_missing(shop: Shop) -> None:
    missing(shop)
    tier = PlannedTier("unit", (Share(("a",)), Share(("b",)), Share(("c",))))
    write_plan(shop.temp, Plan("ci", "other", COMMIT, (tier,), (PYTHON,)))


def duplicate(shop: Shop) -> None:
    shutil.copytree(place(shop, 2).parent, shop.results / "downloaded again")


def rerun_that_broke(shop: Shop) -> None:
    first = place(shop, 2).parent
    again = shop.results / first.name.replace("-a1", "-a2")
    shutil.copytree(first, again)
    next(again.glob("coverage/coverage.*")).unlink()
    shop.announce(again / "coverage", 2, attempt=2)


def overwrite(shop: Shop, index: int, raw: bytes) -> None:
    """Broken where it was measured, so that the manifest agrees: only reading the data can tell."""
    data_file(shop, index).write_bytes(raw)
    shop.announce(place(shop, index), index)


def truncated(shop: Shop) -> None:
    overwrite(shop, 2, data_file(shop, 2).read_bytes()[:10_000])


def empty(shop: Shop) -> None:
    overwrite(shop, 2, b"")


def all_empty(shop: Shop) -> None:
    for index in (1, 2, 3):
        overwrite(shop, index, b"")


def garbage(shop: Shop) -> None:
    overwrite(shop, 2, b"not a database at all" * 500)


def corrupt_page(shop: Shop) -> None:
    raw = bytearray(data_file(shop, 2).read_bytes())
    raw[4096:8192] = b"\xff" * 4096
    overwrite(shop, 2, bytes(raw))


def cut_on_the_way(shop: Shop) -> None:
    path = data_file(shop, 2)
    path.write_bytes(path.read_bytes()[:10_000])


def changed_on_the_way(shop: Shop) -> None:
    path = data_file(shop, 2)
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def execute(shop: Shop, index: int, statement: str) -> None:
    with sqlite3.connect(data_file(shop, index)) as database:
        database.execute(statement)
    database.close()
    shop.announce(place(shop, index), index)


def wrong_schema(shop: Shop) -> None:
    execute(shop, 2, "UPDATE coverage_schema SET version = 99")


def killed_worker(shop: Shop) -> None:
    shop.announce(place(shop, 2), 2, broken=1)


def without_branches(shop: Shop) -> None:
    text = (shop.here / "pyproject.toml").read_text()
    shutil.rmtree(place(shop, 2).parent)
    (shop.here / "pyproject.toml").write_text(text.replace("branch = true", ""))
    shop.measure(2, branch=False)
    (shop.here / "pyproject.toml").write_text(text)


def unmapped(shop: Shop) -> None:
    execute(shop, 2, "UPDATE file SET path = '/opt/app/lib/shop/price.py' WHERE path LIKE '%price.py'")  # fmt: skip


def unmapped_windows(shop: Shop) -> None:
    execute(shop, 2, r"UPDATE file SET path = 'C:\app\lib\shop\price.py' WHERE path LIKE '%price.py'")


SITE = "/opt/venv/lib/python3.13/site-packages"


def measured_as(shop: Shop, index: int, name: str, root: str) -> None:
    """As if the leg had run a copy of `src/shop/price.py` that is called `name`."""
    folder = place(shop, index)
    execute(shop, index, f"UPDATE file SET path = '{name}' WHERE path LIKE '%price.py'")  # noqa: S608
    path = folder / "sources.sha256"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(f"{line[:66]}{name}\n" if "price" in line else line for line in lines), encoding="utf-8")
    shop.announce(folder, index, root=root)


def installed_otherwise(shop: Shop) -> None:
    changed_source(shop)
    measured_as(shop, 2, f"{SITE}/shop/price.py", str(shop.here))


def installed_from_elsewhere(shop: Shop) -> None:
    measured_as(shop, 2, f"{SITE}/other/price.py", str(shop.here))


def deleted_here(shop: Shop) -> None:
    (shop.here / "src/shop/price.py").unlink()


def other_commit(shop: Shop) -> None:
    shop.announce(place(shop, 2), 2, commit="b" * 40)


def changed_source(shop: Shop) -> None:
    """As by a formatter that runs in the test job alone."""
    path = place(shop, 2) / "sources.sha256"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(f"{'0' * 64}{line[64:]}" if "price" in line else line for line in lines), encoding="utf-8")
    shop.announce(place(shop, 2), 2)


def changed_checkout(shop: Shop) -> None:
    path = shop.here / "src/shop/price.py"
    path.write_text("# one line more\n" + path.read_text())


def list_of_sources_cut(shop: Shop) -> None:
    path = place(shop, 2) / "sources.sha256"
    path.write_bytes(path.read_bytes()[:100])


def list_of_sources_garbage(shop: Shop) -> None:
    (place(shop, 2) / "sources.sha256").write_text("not a digest\n")
    shop.announce(place(shop, 2), 2)


def old_coverage(shop: Shop) -> None:
    shop.announce(place(shop, 2), 2, coverage_version="6.5.0")


def zero_statements(shop: Shop) -> None:
    for path in (shop.here / "src").rglob("*.py"):
        path.write_text("# nothing but words\n")
    for index in (1, 2, 3):
        shop.list_anew(index)


def nothing_run(shop: Shop) -> None:
    for index in (1, 2, 3):
        execute(shop, index, "DELETE FROM arc")


def nothing_of_the_repository(shop: Shop) -> None:
    for index in (1, 2, 3):
        with sqlite3.connect(data_file(shop, index)) as database:
            for table in ("arc", "line_bits", "tracer", "file"):
                database.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above
        database.close()
        shop.announce(place(shop, index), index)


def everything_omitted(shop: Shop) -> None:
    write(shop.here, {".coveragerc": "[run]\nbranch = true\nomit = src/*\n"})


def a_plugin(shop: Shop) -> None:
    write(shop.here, {".coveragerc": "[run]\nbranch = true\nplugins = covdefaults\n"})


def a_variable(shop: Shop) -> None:
    write(shop.here, {".coveragerc": "[run]\nbranch = true\nomit = ${SECRET}/*\n"})


def without_digests(shop: Shop) -> None:
    (place(shop, 2) / "sources.sha256").write_text("")
    shop.announce(place(shop, 2), 2)


def jump_that_is_text(shop: Shop) -> None:
    execute(shop, 2, "UPDATE arc SET tono = 'x' || rowid")


def nameless_file(shop: Shop) -> None:
    execute(shop, 2, "UPDATE file SET path = '' WHERE path LIKE '%price.py'")


def endless_name(shop: Shop) -> None:
    execute(shop, 2, "UPDATE file SET path = printf('%05000d', 7) WHERE path LIKE '%price.py'")


def plan_of_another_commit(shop: Shop) -> None:
    tiers = (PlannedTier("unit", (Share(("a",)), Share(("b",)), Share(("c",)))),)
    write_plan(shop.temp, Plan("ci", "other", "b" * 40, tiers, (PYTHON,)))


def plan_of_another_call(shop: Shop) -> None:
    tiers = (PlannedTier("unit", (Share(("a",)), Share(("b",)), Share(("c",)))),)
    write_plan(shop.temp, Plan("other", "other", COMMIT, tiers, (PYTHON,)))


def no_plan(shop: Shop) -> None:
    assert not (shop.temp / "plan.json").exists()


def plan_that_broke(shop: Shop) -> None:
    (shop.temp / "plan.json").write_text('{"schema": "ci-kit/pl')


@dataclass(frozen=True)
class Row:
    """`says`: what went wrong, where, and what to do. `code` 2: the caller's configuration, 3: the data."""

    damage: Callable[[Shop], None]
    says: tuple[str, ...]
    code: int = 3
    plan: bool = False


NO_NUMBER = [
    Row(missing, (f"{SECOND}: delivered nothing.", RERUN)),
    Row(planned_and_missing, (f"{SECOND}: delivered nothing.", RERUN), plan=True),
    Row(duplicate, (f"{SECOND}: delivered attempt 1 twice", "downloaded again", "a name of its own")),
    Row(rerun_that_broke, (f"{SECOND}: measured nothing: its manifest names no data file.", RERUN)),
    Row(truncated, (f"{SECOND}: the data file coverage.", "is not a sound SQLite file", RERUN)),
    Row(empty, (f"{SECOND}: the data file coverage.", "is not coverage data: it lacks the table", RERUN)),
    Row(all_empty, tuple(f"{n}/3: the data file coverage." for n in (1, 2, 3)) + tuple(RERUN.replace("2/3", f"{n}/3") for n in (1, 2, 3))),
    Row(garbage, (f"{SECOND}: the data file coverage.", "is not a sound SQLite file: file is not a database", RERUN)),
    Row(corrupt_page, (f"{SECOND}: the data file coverage.", "is damaged", RERUN)),
    Row(cut_on_the_way, (f"{SECOND}: the data file coverage.", "has 10000 bytes; its manifest says", RERUN)),
    Row(changed_on_the_way, (f"{SECOND}: the data file coverage.", "was changed after it was measured", "SHA-256", RERUN)),
    Row(wrong_schema, (f"{SECOND}: the data file coverage.", "wrong schema: 99 instead of", RERUN)),
    Row(killed_worker, (f"{SECOND}: lost the coverage of a process that was killed.", RERUN)),
    Row(without_branches, ("line and branch data cannot be added", f"without branches {SECOND}", "Set [run] branch once")),
    Row(unmapped, ("1 measured file is not in this checkout: /opt/app/lib/shop/price.py", f"Measured by {SECOND}.",
                   '[tool.coverage.paths]\nsource = ["src", "/opt/app/lib"]', "[run] omit")),
    Row(unmapped_windows, ("1 measured file is not in this checkout: C:/app/lib/shop/price.py", f"Measured by {SECOND}.",
                           '[tool.coverage.paths]\nsource = ["src", "C:/app/lib"]')),
    Row(installed_otherwise, (f"{SECOND}: measured another text of src/shop/price.py (installed as {SITE}/shop/price.py) than this checkout has",
                              "a package built from other files")),
    Row(installed_from_elsewhere, (f"1 measured file is not in this checkout: {SITE}/other/price.py", f"Measured by {SECOND}.")),
    Row(deleted_here, ("1 measured file is not in this checkout: src/shop/price.py", "generate it before this step too")),
    Row(other_commit, (f"{SECOND}: measured commit bbbbbbbbbbbb; the checkout is at aaaaaaaaaaaa.", RERUN)),
    Row(changed_source, (f"{SECOND}: measured another text of src/shop/price.py than this checkout has", f"re-run the job of {SECOND}")),
    Row(changed_checkout, (f"3 legs (unit · Python {PYTHON} · 1/3, {SECOND}, unit · Python {PYTHON} · 3/3) measured another text of src/shop/price.py than this checkout has",
                           "Then re-run their jobs.")),
    Row(list_of_sources_cut, (f"{SECOND}: the list sources.sha256 has 100 bytes; its manifest says", RERUN)),
    Row(list_of_sources_garbage, (f"{SECOND}: the list sources.sha256 holds no digest and name in line 1", RERUN)),
    Row(without_digests, (f"{SECOND}: measured src/shop/", "without saying which text", f"re-run the job of {SECOND}")),
    Row(jump_that_is_text, (f"{SECOND}: the data file coverage.", "is not coverage data: it holds jumps that no source has", RERUN)),
    Row(nameless_file, (f"{SECOND}: the data file coverage.", "it holds a file without a usable name", RERUN)),
    Row(endless_name, (f"{SECOND}: the data file coverage.", "it holds a file without a usable name", RERUN)),
    Row(plan_of_another_commit, ("the plan is of commit bbbbbbbbbbbb, and this run is of aaaaaaaaaaaa", "Re-run all jobs"), plan=True),
    Row(no_plan, ("input plan: there is no file", "plan.json", "Download the artifact of the job that plans"), code=2, plan=True),
    Row(plan_that_broke, ("plan.json in temp is not a readable plan report", "Re-run the job that wrote it."), plan=True),
    Row(plan_of_another_call, ("input plan: it is the plan of the call 'other'; this is the call 'ci'.",), code=2, plan=True),
    Row(old_coverage, (f"{SECOND}: was measured with coverage 6.5.0", "Use coverage 7 or newer")),
    Row(zero_statements, ("6 measured files hold no line to cover: 0 of 0 is no number", "[run] source")),
    Row(nothing_run, ("6 files was run by any test leg", "editable mode")),
    Row(nothing_of_the_repository, ("no leg measured any file of the repository", "[run] source")),
    Row(everything_omitted, ("none of the measured files counts", "[report] include/omit")),
    Row(a_plugin, ("names the plugin 'covdefaults'", ".coveragerc", "remove it"), code=2),
    Row(a_variable, ("takes the variable SECRET, which the gate does not read", "${SECRET-…}"), code=2),
]  # fmt: skip


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_shards(tmp_path_factory.mktemp("measured"))


@pytest.mark.parametrize("row", NO_NUMBER, ids=lambda row: row.damage.__name__)
def test_no_number_but_what_where_and_what_to_do(measured: Path, tmp_path: Path, row: Row) -> None:
    shop = copy_of(measured, tmp_path)
    row.damage(shop)
    ran = shop.combine(*(["--plan", str(shop.temp / "plan.json")] if row.plan else []))
    if row.code == 3:
        no_number(ran, *row.says)
        return
    assert ran.code == row.code, ran.log
    assert ran.report["verdict"] == ran.outputs["verdict"] == "mistaken"
    assert ran.report["problems"][0]["message"] in ran.log
    assert "total" not in ran.outputs
    assert "not judged" in ran.summary
    for text in row.says:
        assert text in ran.log


def test_late_data_counts_when_the_gate_runs_again(measured: Path, tmp_path: Path) -> None:
    shop = copy_of(measured, tmp_path)
    late = place(shop, 2).parent
    late.rename(tmp_path / "on its way")
    no_number(shop.combine("--total", "80"), f"{SECOND}: delivered nothing.", RERUN)
    (tmp_path / "on its way").rename(late)
    assert total(shop.combine("--total", "80", "--html", "false")) == 80.0


def test_a_leg_that_the_plan_leaves_out_is_said_beside_what_is_wrong(measured: Path, tmp_path: Path) -> None:
    shop = copy_of(measured, tmp_path)
    planned_and_missing(shop)
    shop.announce(place(shop, 3), 3, tier="extra")
    note = f"extra · Python {PYTHON} · 3/3: left out, because the plan does not announce it."
    ran = shop.combine("--plan", str(shop.temp / "plan.json"))
    no_number(ran, f"{SECOND}: delivered nothing.", f"note: {note}")
    assert note in ran.report["notes"]
    assert note in ran.summary.replace("\\", "")


@pytest.mark.parametrize("name", [f"{SITE}/shop/price.py", r"C:\venv\Lib\site-packages\shop\price.py", ".venv/lib/python3.13/site-packages/shop/price.py"])  # fmt: skip
def test_an_installed_copy_with_the_same_text_is_the_source(measured: Path, tmp_path: Path, name: str) -> None:
    shop = copy_of(measured, tmp_path)
    measured_as(shop, 2, name, str(shop.here))
    for folder in ("build/lib/shop", "tests/data/shop"):  # what else has the copy's name
        (shop.here / folder).mkdir(parents=True)
    shutil.copy(shop.here / "src/shop/price.py", shop.here / "build/lib/shop/price.py")
    (shop.here / "tests/data/shop/price.py").write_text("X = 1\n")
    ran = shop.combine("--total", "80", "--html", "false")
    assert total(ran) == 80.0
    assert {file["path"] for file in ran.report["files"]} >= {"src/shop/price.py", "src/shop/never.py"}


def test_the_rerun_counts(measured: Path, tmp_path: Path) -> None:
    shop = copy_of(measured, tmp_path)
    garbage(shop)
    again = shop.results / place(shop, 2).parent.name.replace("-a1", "-a2")
    shutil.copytree(place(copy_of(measured, tmp_path / "other"), 2).parent, again)
    shop.announce(again / "coverage", 2, attempt=2)
    assert total(shop.combine("--total", "80", "--html", "false")) == 80.0


def test_an_earlier_attempt_whose_manifest_broke_does_not_matter(measured: Path, tmp_path: Path) -> None:
    shop = copy_of(measured, tmp_path)
    first = place(shop, 2)
    sound = tmp_path / "sound"
    shutil.copytree(first.parent, sound)
    (first / "manifest.json").write_text('{"schema": "ci-kit/cov')
    no_number(shop.combine("--total", "80"), "cannot be read")
    again = sound.rename(shop.results / first.parent.name.replace("-a1", "-a2"))
    shop.announce(again / "coverage", 2, attempt=2)
    assert total(shop.combine("--total", "80", "--html", "false")) == 80.0


def test_line_ends_of_another_system_are_no_change(measured: Path, tmp_path: Path) -> None:
    shop = copy_of(measured, tmp_path)
    path = shop.here / "src/shop/price.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert total(shop.combine("--total", "80", "--html", "false")) == 80.0


@pytest.mark.parametrize("version", ["7.0.5", "7.16.2", "99.1"])
def test_another_coverage_is_right_from_7_on(measured: Path, tmp_path: Path, version: str) -> None:
    """Python 3.10 stays at coverage 7.16.2, so a matrix mixes releases."""
    shop = copy_of(measured, tmp_path)
    shop.announce(place(shop, 2), 2, coverage_version=version)
    assert total(shop.combine("--total", "80", "--html", "false")) == 80.0


@pytest.mark.parametrize("relative", [True, False])
def test_data_from_windows_is_led_home(measured: Path, tmp_path: Path, *, relative: bool) -> None:
    shop = copy_of(measured, tmp_path)
    root = json.loads((place(shop, 2) / "manifest.json").read_text())["root"]
    there = "D:\\a\\shop\\shop"
    prefix = "" if relative else f"{there}\\"
    execute(shop, 2, f"UPDATE file SET path = '{prefix}' || replace(substr(path, {len(root) + 2}), '/', '\\')")  # noqa: S608
    shop.announce(place(shop, 2), 2, root=there)
    assert total(shop.combine("--total", "80", "--html", "false")) == 80.0


def total(ran: Ran) -> float:
    assert ran.code == 0, ran.log
    return float(ran.report["total"]["percent"])


CODE = """\
    def work(number):
        if number > 1:
            return "many"
        return "one"
    """


def scripts(name: str) -> dict[str, str]:
    """Two shards, each a program that runs one way through `name`."""
    return {f"run/{n}.py": f"from {name} import work\nwork({n})\n" for n in (1, 2)}


@dataclass(frozen=True)
class Layout:
    """A repository, the folder in it that is the project, the folders on the import path, and files it must count."""

    files: Mapping[str, str]
    counts: frozenset[str]
    path: str = "src"
    project: str = "."
    linked: bool = False


RC = "[run]\nbranch = true\nsource = {source}\n"
LAYOUTS = {
    "src": Layout({".coveragerc": RC.format(source="src"), "src/a/__init__.py": "", "src/a/b.py": CODE, "src/a/never.py": CODE, **scripts("a.b")},
                  frozenset({"src/a/__init__.py", "src/a/b.py", "src/a/never.py"})),
    "flat": Layout({".coveragerc": RC.format(source="a"), "a/__init__.py": "", "a/b.py": CODE, **scripts("a.b")}, frozenset({"a/__init__.py", "a/b.py"}), path="."),
    "source in pyproject": Layout({"pyproject.toml": "[tool.coverage.run]\nbranch = true\nsource = ['src']\n", "src/b.py": CODE, **scripts("b")}, frozenset({"src/b.py"})),
    "namespace packages": Layout(
        {".coveragerc": RC.format(source="src") + "[report]\ninclude_namespace_packages = true\n",
         "src/acme/one/b.py": CODE, "src/acme/two/never.py": CODE, **scripts("acme.one.b")},
        frozenset({"src/acme/one/b.py", "src/acme/two/never.py"})),
    "namespace packages as coverage takes them": Layout(
        {".coveragerc": RC.format(source="src"), "src/acme/one/b.py": CODE, "src/acme/two/never.py": CODE, **scripts("acme.one.b")},
        frozenset({"src/acme/one/b.py"})),
    "monorepo": Layout(
        {"packages/one/.coveragerc": RC.format(source="src"), "packages/one/src/a/__init__.py": "", "packages/one/src/a/b.py": CODE,
         "packages/two/src/a/__init__.py": "", "packages/two/src/a/b.py": "X = 1\n",
         **{f"packages/one/{name}": text for name, text in scripts("a.b").items()}},
        frozenset({"src/a/__init__.py", "src/a/b.py"}), project="packages/one"),
    "monorepo as a whole": Layout(
        {".coveragerc": RC.format(source="packages/one/src, packages/two/src"), "packages/one/src/a/__init__.py": "", "packages/one/src/a/b.py": CODE,
         "packages/two/src/c/__init__.py": "", "packages/two/src/c/b.py": CODE, "packages/two/src/c/never.py": CODE,
         **{f"run/{n}.py": f"from a.b import work\nfrom c.b import work as other\nwork({n})\nother(1)\n" for n in (1, 2)}},
        frozenset({"packages/one/src/a/__init__.py", "packages/one/src/a/b.py",
                   "packages/two/src/c/__init__.py", "packages/two/src/c/b.py", "packages/two/src/c/never.py"}),
        path=f"packages/one/src{os.pathsep}packages/two/src"),
    "symlinked checkout": Layout({".coveragerc": RC.format(source="src"), "src/a/__init__.py": "", "src/a/b.py": CODE, **scripts("a.b")},
                                 frozenset({"src/a/__init__.py", "src/a/b.py"}), linked=True),
    "spaces and letters": Layout(
        {".coveragerc": RC.format(source="quellen und mehr/größe"), "quellen und mehr/größe/__init__.py": "",
         "quellen und mehr/größe/naïve.py": CODE, "quellen und mehr/größe/日本.py": CODE, **scripts("größe.naïve")},
        frozenset({f"quellen und mehr/größe/{name}.py" for name in ("__init__", "naïve", "日本")}), path="quellen und mehr"),
    "omit": Layout({".coveragerc": RC.format(source="src") + "omit =\n    */left/*\n    src/a/out.py\n", "src/a/__init__.py": "", "src/a/b.py": CODE,
                    "src/a/out.py": CODE, "src/left/__init__.py": CODE, **scripts("a.b")}, frozenset({"src/a/__init__.py", "src/a/b.py"})),
    "dynamic contexts": Layout({".coveragerc": RC.format(source="src") + "dynamic_context = test_function\n", "src/b.py": CODE, **scripts("b")}, frozenset({"src/b.py"})),
    "lines only": Layout({".coveragerc": "[run]\nsource = src\n", "src/b.py": CODE, **scripts("b")}, frozenset({"src/b.py"})),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_number_is_that_of_one_plain_run(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    shop = Shop(tmp_path, layout.files)
    if layout.linked:
        shop.here.rename(tmp_path / "real")
        shop.here.symlink_to(tmp_path / "real", target_is_directory=True)
    project = shop.here / layout.project
    for n in (1, 2):
        folder = shop.results / f"ci-results-unit-py3-{n}of2-a1" / "coverage"
        folder.mkdir(parents=True)
        run_script(project, layout, folder / "coverage", n)
        source = [folder for line in layout.files.get(".coveragerc", "").splitlines() if line.startswith("source") for folder in line.partition(" = ")[2].split(", ")]  # fmt: skip
        shop.announce(folder, n, count=2, root=str(project.resolve()), source=source or ["src"], branch=name != "lines only")  # fmt: skip
    ran = shop.combine("--total", "1", "--html", "false", CI_KIT_WORKING_DIRECTORY=layout.project)
    assert ran.code == 0, ran.log
    found = facts(json.loads((ran.temp / "coverage" / "coverage.json").read_text()))
    assert set(found) == layout.counts
    for n in (1, 2):
        run_script(project, layout, tmp_path / "plain", n, "--append")
    coverage(project, layout, "json", f"--data-file={tmp_path / 'plain'}", "-o", str(tmp_path / "plain.json"))
    assert found == facts(json.loads((tmp_path / "plain.json").read_text()))


def run_script(project: Path, layout: Layout, data: Path, n: int, how: str = "--parallel-mode") -> None:
    coverage(project, layout, "run", f"--data-file={data}", how, f"run/{n}.py")


def coverage(project: Path, layout: Layout, *words: str) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "PYTHONPATH": layout.path}
    done = subprocess.run(
        [sys.executable, "-m", "coverage", *words],
        cwd=project, env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

"""`coverage-combine combine` on data that cannot be trusted: no number, and what to do."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ci_kit.plan import Plan, PlannedTier, write_plan
from ci_kit.share import Share
from integration.coverage_shop import (
    COMMIT,
    SHARDS,
    SOURCES,
    Shop,
    copy_of,
    data_file,
    no_number,
    place,
    run_coverage,
    three_shards,
)

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_shards(tmp_path_factory.mktemp("measured"))


@pytest.fixture
def three(measured: Path, tmp_path: Path) -> Shop:
    return copy_of(measured, tmp_path)


def test_a_missing_shard_is_named_with_its_job(three: Shop) -> None:
    shutil.rmtree(place(three, 2).parent)
    no_number(three.combine(), "unit · Python 3", "2/3: delivered nothing. Re-run the job of unit")


def test_an_announced_leg_must_deliver(three: Shop, tmp_path: Path) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    tiers = (
        PlannedTier("unit", (Share(("a",)), Share(("b",)), Share(("c",)))),
        PlannedTier("integration", (Share(("d",)),)),
    )
    write_plan(tmp_path, Plan("ci", "other", COMMIT, tiers, (python,)))
    no_number(three.combine("--plan", str(tmp_path / "plan.json")), "integration · Python", "delivered nothing")
    write_plan(tmp_path, Plan("ci", "other", COMMIT, tiers[:1], (python,)))
    assert three.combine("--plan", str(tmp_path / "plan.json"), "--total", "80", "--html", "false").code == 0


def test_nothing_delivered_at_all(three: Shop, tmp_path: Path) -> None:
    shutil.rmtree(three.results)
    write_plan(tmp_path, Plan("ci", "other", COMMIT, (PlannedTier("unit", (Share(("a",)), Share(("b",)))),), ("3.12",)))
    ran = three.combine("--plan", str(tmp_path / "plan.json"))
    no_number(ran, "unit · Python 3.12 · 1/2: delivered nothing", "2/2: delivered nothing")
    ran = three.combine()
    assert ran.code == 2
    assert "input data" in ran.log
    three.results.mkdir()
    no_number(three.combine(), "no leg delivered anything")


def test_results_without_a_manifest(three: Shop) -> None:
    folder = place(three, 3).parent
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.rmtree(folder / "coverage")
    test = {"name": "ci", "tier": "unit", "python": python, "shard": {"index": 3, "count": 3}, "attempt": 1, "verdict": "error"}  # fmt: skip
    (folder / "test.json").write_text(json.dumps(test))
    no_number(three.combine(), "3/3: delivered test results but no coverage manifest")
    (folder / "test.json").write_text(json.dumps(test | {"verdict": "empty"}))
    ran = three.combine("--total", "10", "--html", "false")
    assert ran.code == 0, ran.log
    assert "no tests" in ran.summary


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 500)


def break_page(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[4096:8192] = b"\xff" * len(raw[4096:8192])
    path.write_bytes(raw)


def execute(path: Path, script: str) -> None:
    with sqlite3.connect(path) as database:
        database.executescript(script)
    database.close()


def other_schema(path: Path) -> None:
    execute(path, "UPDATE coverage_schema SET version = 99")


def other_database(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE meta (key, value); CREATE TABLE file (id, path)")


def a_view(path: Path) -> None:
    execute(path, "DROP TABLE tracer; CREATE VIEW tracer AS SELECT 1 AS file_id, 'x' AS tracer")


def a_generated_column(path: Path) -> None:
    """A bomb: whoever reads the table makes the text."""
    bomb = "CREATE TABLE tracer (file_id integer primary key, tracer text AS (hex(zeroblob(400000000))))"
    for script in ("DROP TABLE tracer", bomb, "INSERT INTO tracer VALUES (1)"):
        execute(path, script)


def a_hidden_default(path: Path) -> None:
    """For a careless reader everything after the dashes is a comment."""
    hidden = (
        "tracer text default '--' CHECK (length(hex(randomblob(9))) > 0),\n foreign key (file_id) references file (id)"
    )
    execute(path, f"DROP TABLE tracer; CREATE TABLE tracer (file_id integer primary key, {hidden})")


def a_trigger(path: Path) -> None:
    execute(path, "CREATE TRIGGER more AFTER INSERT ON file BEGIN DELETE FROM arc; END")


def an_index(path: Path) -> None:
    execute(path, "CREATE INDEX more ON file (hex(path))")


def a_plugin(path: Path) -> None:
    execute(path, "INSERT INTO tracer SELECT id, 'this' FROM file")


def remove(path: Path) -> None:
    path.unlink()


def link(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


DAMAGE = [
    (truncate, "bytes; its manifest says"), (empty, "has 0 bytes"), (garbage, "bytes; its manifest says"),
    (break_page, "SHA-256"), (remove, "is missing"), (link, "not a regular file"),
]  # fmt: skip
DAMAGE_BEFORE_THE_MANIFEST = [
    (truncate, "sound SQLite file"), (empty, "not coverage data: it lacks the table 'arc'"), (garbage, "not a sound SQLite file"),
    (break_page, "is damaged"), (other_schema, "wrong schema"), (other_database, "the table 'meta' is not as coverage makes it"),
    (a_generated_column, "the table 'tracer' is not as coverage makes it"), (a_hidden_default, "the table 'tracer' is not"),
    (a_trigger, "holds the trigger 'more'"), (an_index, "holds the index 'more'"), (a_plugin, "measured with the plugin 'this'"),
    (a_view, "not coverage data: it holds the view 'tracer'"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=lambda v: getattr(v, "__name__", ""))
def test_damage_after_measuring(three: Shop, damage: Damage, message: str) -> None:
    damage(data_file(three, 2))
    ran = three.combine()
    no_number(ran, message, "2/3: the data file coverage.")
    assert "1/3" not in ran.summary


@pytest.mark.parametrize(("damage", "message"), DAMAGE_BEFORE_THE_MANIFEST, ids=lambda v: getattr(v, "__name__", ""))
def test_damage_that_the_manifest_vouches_for(three: Shop, damage: Damage, message: str) -> None:
    damage(data_file(three, 2))
    three.announce(place(three, 2), 2)
    no_number(three.combine(), message, "2/3: the data file coverage.")


def test_data_of_older_releases_of_coverage_counts(three: Shop) -> None:
    """Their tables differ from today's in comments and layout alone."""
    for index in (1, 2, 3):
        with sqlite3.connect(data_file(three, index)) as database:
            (sql,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'tracer'").fetchone()
            assert "-- A row per file" in sql
        database.close()
        older = " ".join(line.partition("--")[0].strip() for line in sql.splitlines()).replace("tracer (", "tracer(\n")
        execute(data_file(three, index), f"DROP TABLE tracer; {older} -- of long ago\n")
        three.announce(place(three, index), index)
    assert three.combine("--total", "80", "--html", "false").code == 0


def test_a_data_file_that_the_manifest_does_not_name(three: Shop) -> None:
    shutil.copy(data_file(three, 1), place(three, 1) / "coverage.extra")
    no_number(three.combine(), "'coverage.extra' is not in its manifest")


def test_a_manifest_that_lies(three: Shop) -> None:
    three.announce(place(three, 1), 1, branch=False)
    three.announce(place(three, 2), 2, commit="b" * 40)
    three.announce(place(three, 3), 3, coverage_version="6.5.0")
    ran = three.combine()
    no_number(ran, "holds branches; its manifest says lines", "measured commit bbbbbbbbbbbb; the checkout is at aaaaaaaaaaaa", "coverage 6.5.0")  # fmt: skip
    assert len(ran.report["problems"]) == 4


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": "ci-kit/coverage-manifest/1"}', "[" * 100_000], ids=["empty", "cut", "list", "keys", "deep"]
)  # fmt: skip
def test_a_manifest_that_cannot_be_read(three: Shop, text: str) -> None:
    (place(three, 1) / "manifest.json").write_text(text)
    no_number(three.combine(), "result ci-results-unit-py3-1of3-a1: cannot be read", "1/3: delivered nothing")


def test_a_manifest_cannot_lead_out_of_its_folder(three: Shop) -> None:
    path = place(three, 1) / "manifest.json"
    path.write_text(path.read_text().replace('"coverage.', '"../coverage.'))
    no_number(three.combine(), "a file name starting with coverage.")


def test_twice_the_same_leg(three: Shop) -> None:
    shutil.copytree(place(three, 1).parent, three.results / "again")
    no_number(three.combine(), "delivered attempt 1 twice")


def test_only_results_of_another_call(three: Shop) -> None:
    expected = ("no leg delivered under the name 'two'", "holds only results of 'ci'", "the input name")
    no_number(three.combine("--name", "two"), *expected)


def test_a_test_report_and_a_manifest_of_different_calls(three: Shop) -> None:
    test = json.loads((place(three, 1) / "manifest.json").read_text()) | {"verdict": "passed"}
    (place(three, 1).parent / "test.json").write_text(json.dumps(test))
    three.announce(place(three, 1), 1, name="two")
    no_number(three.combine(), "belong to different legs")


def test_line_and_branch_data_do_not_mix(three: Shop) -> None:
    shutil.rmtree(place(three, 1).parent)
    text = (three.here / "pyproject.toml").read_text()
    (three.here / "pyproject.toml").write_text(text.replace("branch = true", ""))
    three.measure(1, branch=False)
    no_number(three.combine(), "line and branch data cannot be added", "without branches unit")


def installed(folder: Path) -> Shop:
    """A shop whose tests ran the copy that is installed in a folder `site-packages`, by the package's name."""
    shop = Shop(folder)
    (shop.here / "pyproject.toml").write_text(
        "[tool.coverage.run]\nbranch = true\nsource_pkgs = ['shop']\nomit = ['*/omitted.py']\n"
    )
    there = folder / "venv" / "site-packages"
    shutil.copytree(shop.here / "src", there)
    for index, tests in enumerate(SHARDS, 1):
        into = shop.results / str(index) / "coverage"
        into.mkdir(parents=True)
        run_coverage(shop.here, into / "coverage", ["--parallel-mode"], tests, PYTHONPATH=str(there))
        shop.announce(into, index, source=["shop"])
    return shop


def test_an_installed_copy_counts_as_the_source_that_it_was_made_from(tmp_path: Path) -> None:
    shop = installed(tmp_path)
    ran = shop.combine("--total", "50", "--html", "false")
    assert ran.code == 0, ran.log
    found = {file["path"]: file for file in ran.report["files"]}
    assert set(found) == {path for path in SOURCES if path.startswith("src/") and "omitted" not in path}
    assert found["src/shop/price.py"]["percent"] > 50
    assert found["src/shop/never.py"]["percent"] == 0
    assert str(tmp_path / "venv") not in (ran.temp / "coverage" / "coverage.xml").read_text()


def test_an_installed_copy_of_other_files_is_named(tmp_path: Path) -> None:
    shop = installed(tmp_path)
    path = shop.here / "src/shop/price.py"
    path.write_text("# one line more\n" + path.read_text())
    copy = tmp_path / "venv" / "site-packages" / "shop" / "price.py"
    no_number(shop.combine(), f"measured another text of src/shop/price.py (installed as {copy})")


def test_a_generated_file_is_named_with_the_way_out(three: Shop) -> None:
    (three.here / "src/shop/price.py").unlink()
    no_number(three.combine(), "1 measured file is not in this checkout: src/shop/price.py", "[run] omit")
    text = (three.here / "pyproject.toml").read_text()
    (three.here / "pyproject.toml").write_text(text.replace('"*/omitted.py"', '"*/omitted.py", "*/price.py"'))
    ran = three.combine("--total", "50", "--html", "false")
    assert ran.code == 0, ran.log
    # coverage deletes the output of a report that fails; given the null device, as root it would delete the device.
    assert Path(os.devnull).is_char_device()


def test_a_measured_file_outside_the_checkout_is_not_shown(three: Shop, tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("password = 1\n")
    for index in (1, 2, 3):
        execute(data_file(three, index), f"UPDATE file SET path = '{secret}' WHERE path LIKE '%price.py'")  # noqa: S608
        three.announce(place(three, index), index)
    no_number(three.combine(), "not in this checkout")


def test_nothing_of_the_repository_was_run(three: Shop) -> None:
    for index in (1, 2, 3):
        execute(data_file(three, index), "DELETE FROM arc")
        three.announce(place(three, index), index)
    no_number(three.combine(), "lines and branches in 6 files was run by any test leg")


def test_an_older_number_does_not_stay(three: Shop) -> None:
    assert three.combine("--total", "80").code == 0
    garbage(data_file(three, 1))
    no_number(three.combine("--total", "80"))

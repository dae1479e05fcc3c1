"""The coverage configuration of a pull request is data: it runs, writes, prints and shows nothing of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.coverage_shop import Ran, Shop, copy_of, three_shards, write

SECRET = "s3cret-of-the-runner"
RUN = "[run]\nomit = */omitted.py\n"
USUAL = f"{RUN}[report]\nexclude_also = print\\(\n"
HARMLESS = {
    "a debug file": f"{USUAL}[html]\ntitle = /evil\n".replace("[run]", "[run]\ndebug = config,sys,sql\ndebug_file = ${GITHUB_PATH}"),
    "debugging": USUAL.replace("[run]", "[run]\ndebug = config\ncontext = x\n    ::set-output name=total::100\n    ::error::x"),
    "a style sheet": f"{USUAL}[html]\nextra_css = {{secret}}\ntitle = ${{RUNNER_SECRET}}\n",
    "other places": f"{USUAL}[xml]\noutput = {{evil}}\n[json]\noutput = {{evil}}\n[lcov]\noutput = {{evil}}\n[html]\ndirectory = {{evil}}\n".replace("[run]", "[run]\ndata_file = {evil}"),
    "an empty list of plugins": USUAL.replace("[run]", "[run]\nplugins ="),
    "patches": USUAL.replace("[run]", "[run]\npatch = subprocess\ncore = none\n_crash = Coverage._init\nconcurrency = nonsense"),
}  # fmt: skip
REFUSED = {
    "a plugin": ("[run]\nplugins = evil\n", "names the plugin 'evil'"),
    "a plugin of the standard library": ("[run]\nplugins = this\n", "names the plugin 'this'"),
    "a prefixed plugin": ("[coverage:run]\nplugins = evil, this\n[run]\nbranch = true\n", "names the plugin 'evil'"),
    "a variable": ("[report]\nomit = ${RUNNER_SECRET}\n", "[report] omit takes the variable RUNNER_SECRET"),
    "a plain variable": (
        "[paths]\nsource =\n    src\n    $RUNNER_SECRET\n",
        "[paths] takes the variable RUNNER_SECRET",
    ),
    "a demanded variable": ("[run]\nomit = ${RUNNER_SECRET?}\n", "[run] omit takes the variable RUNNER_SECRET"),
    "no expression": (
        "[report]\nexclude_also = (\n",
        "[report] exclude_also holds '(', which is no regular expression",
    ),
    "expressions that do not go together": ("[report]\nexclude_also = (?i)todo\n", "cannot be searched for together"),
    "no ini file": ("nonsense\n", ".coveragerc cannot be read"),
    "a flag that is none": ("[report]\ninclude_namespace_packages = perhaps\n", "is neither true nor false"),
    "a number that is none": ("[report]\nprecision = 1e9\n", "is no number"),
    "too much": ("#" * 1_000_001, "is larger than"),
}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_shards(tmp_path_factory.mktemp("measured"))


@pytest.fixture
def three(measured: Path, tmp_path: Path) -> Shop:
    shop = copy_of(measured, tmp_path)
    write(shop.here, {"evil.py": f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"})
    (tmp_path / "secret.css").write_text(SECRET)
    for name in ("path", "env"):
        (tmp_path / name).touch()
    return shop


def combine(shop: Shop) -> Ran:
    """Run with everything that a runner has, and hold that none of it was touched."""
    before = {*shop.folder.iterdir(), *shop.here.rglob("*")}
    ran = shop.combine(
        "--total", "80", GITHUB_PATH=str(shop.folder / "path"), GITHUB_ENV=str(shop.folder / "env"),
        RUNNER_SECRET=SECRET, PYTHONPATH=f"{Path(__file__).parents[2] / 'scripts'}:{shop.here}", HOME=str(shop.folder),
    )  # fmt: skip
    new = {*shop.folder.iterdir(), *shop.here.rglob("*")}
    assert {path.name for path in new - before} <= {"output.txt", "summary.md"}
    assert (shop.folder / "path").read_text() == (shop.folder / "env").read_text() == ""
    assert SECRET not in ran.log + ran.summary
    for path in (ran.temp / "coverage").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()
    assert "Zen of Python" not in ran.log
    commands = [line for line in ran.log.splitlines() if line.startswith("::") and "stop-commands" not in line]
    assert not [line for line in commands if not line.startswith(("::error", "::ci-kit-", "::remove-matcher"))]
    assert "set-output" not in ran.log
    return ran


@pytest.mark.parametrize("case", HARMLESS)
def test_a_setting_that_is_not_for_reporting_does_nothing(three: Shop, case: str, tmp_path: Path) -> None:
    text = HARMLESS[case].replace("{secret}", str(tmp_path / "secret.css")).replace("{evil}", str(tmp_path / "evil"))
    (three.here / ".coveragerc").write_text(text)
    ran = combine(three)
    assert ran.code == 0, ran.log
    assert ran.report["total"]["percent"] == 80.0


@pytest.mark.parametrize("case", REFUSED)
def test_a_setting_that_cannot_hold_is_refused(three: Shop, case: str) -> None:
    text, message = REFUSED[case]
    (three.here / ".coveragerc").write_text(text)
    ran = combine(three)
    assert ran.code == 2, ran.log
    assert message in ran.log
    assert "Traceback" not in ran.log
    assert (ran.report["verdict"], ran.report["total"]) == ("mistaken", None)


def test_toml_is_read_by_the_same_rules(three: Shop) -> None:
    project = three.here / "pyproject.toml"
    usual = project.read_text()
    project.write_text(usual.replace("branch = true", 'branch = true\nplugins = ["evil"]'))
    ran = combine(three)
    assert ran.code == 2
    assert "names the plugin 'evil'" in ran.log
    project.write_text(f'{usual}[tool.coverage.html]\nextra_css = "{three.folder / "secret.css"}"\n')
    ran = combine(three)
    assert ran.code == 0, ran.log
    project.write_text(usual.replace('["print', '["${RUNNER_SECRET}", "print'))
    ran = combine(three)
    assert ran.code == 2
    assert "exclude_also takes the variable RUNNER_SECRET" in ran.log


def test_a_link_out_of_the_checkout_is_not_followed(three: Shop) -> None:
    (three.here / ".coveragerc").symlink_to(three.folder / "secret.css")
    ran = combine(three)
    assert ran.code == 2
    assert ".coveragerc is no regular file of the checkout" in ran.log


def test_dollar_signs_and_defaults_mean_what_coverage_says(three: Shop) -> None:
    (three.here / "pyproject.toml").write_text("")
    text = "[coverage:run]\nomit = ${NOWHERE-*/omitted.py}\n[coverage:report]\nexclude_also =\n    print\\($$|nothing$\n    print\\(\n"  # fmt: skip
    (three.here / "setup.cfg").write_text(text)
    ran = combine(three)
    assert ran.code == 0, ran.log
    assert ran.report["total"]["percent"] == 80.0


def test_the_file_that_the_workflow_names_counts(three: Shop) -> None:
    (three.here / "other.rc").write_text("[run]\nomit = */stock/*, */omitted.py\n")
    ran = three.combine("--total", "1", "--html", "false", COVERAGE_RCFILE="other.rc")
    assert ran.code == 0, ran.log
    assert not [file for file in ran.report["files"] if "stock" in file["path"]]
    ran = three.combine(COVERAGE_RCFILE="nowhere.rc")
    assert ran.code == 2
    assert "COVERAGE_RCFILE names 'nowhere.rc'" in ran.log


def test_a_file_name_is_text_in_the_summary(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    write(shop.here, {"src/shop/a|b`<img>[c].py": "def unused():\n    return 1\n" * 9})
    shop.measure(1, count=1, tests=["tests"])
    ran = shop.combine("--total", "1", "--html", "false")
    assert ran.code == 0, ran.log
    assert r"| <code>src/shop/a\|b\`\<img\>\[c\].py</code> |" in ran.summary

"""What all benchmarks lean on: the order of measuring, the ratio, and the figures' file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def common(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "common", raising=False)
    import common  # noqa: PLC0415

    module: ModuleType = common
    return module


def test_contenders_take_turns_and_each_goes_first_as_often(common: ModuleType) -> None:
    order: list[str] = []

    def contender(name: str) -> float:
        order.append(name)
        return float(len(order))

    measured = common.interleaved({"a": lambda: contender("a"), "b": lambda: contender("b")}, rounds=4, warm_up=1)
    assert "".join(order) == "ba" + "ab" + "ba" + "ab" + "ba"
    assert {name: len(values) for name, values in measured.items()} == {"a": 4, "b": 4}
    assert measured["a"][0] == 3.0, "the warm-up is not counted"


def test_a_ratio_is_of_medians(common: ModuleType) -> None:
    assert common.ratio({"ours": [1.0, 2.0, 90.0], "peer": [4.0, 4.0, 0.1]}, "ours", "peer") == 0.5


def test_a_command_that_fails_is_no_measurement(common: ModuleType) -> None:
    assert common.seconds([sys.executable, "-c", "raise SystemExit(3)"], expect=3) > 0
    with pytest.raises(RuntimeError, match=r"ended with 0, expected 3:\nout"):
        common.seconds([sys.executable, "-c", "print('out')"], expect=3)


def test_the_report_is_markdown_and_the_file_has_the_figures(
    common: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = common.Options(json=tmp_path / "new" / "figures.json", quick=True)
    rows = common.table(["what", "median"], [["x", "1 s"]])
    common.report("Title", tables=[rows], figures={"a_vs_b": 1.23456}, versions="pip 1", options=options)
    printed = capsys.readouterr().out
    assert "## Title" in printed
    assert "| what | median |\n| --- | --- |\n| x | 1 s |" in printed
    assert "| `a_vs_b` | 1.235 |" in printed
    assert "pip 1; quick run" in printed
    assert json.loads(options.json.read_text()) == {"schema": "ci-kit/benchmark/1", "figures": {"a_vs_b": 1.23456}}
    assert [path.name for path in options.json.parent.iterdir()] == ["figures.json"]

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from ci_kit.coverage_combine.delivery import Delivery
from ci_kit.coverage_combine.proof import Proven
from ci_kit.coverage_combine.sources import changed_sources
from ci_kit.inputs import Shard
from ci_kit.plan import Leg
from ci_kit.source_digest import digest, read, written
from hypothesis import given
from hypothesis import strategies as st


def test_the_list_names_what_is_a_file_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "a ü.py").write_text("1\n")
    (tmp_path / "b.py").write_text("2\n")
    text = written([f"{tmp_path}/a ü.py", "a ü.py", "b.py", "<template>", "gone.py", "b.py\n", "nul\0.py"], tmp_path)
    assert list(read(text)) == [(name, digest(tmp_path / name)) for name in ("a ü.py", "b.py")]
    assert list(read(written([str(tmp_path / "b.py")], tmp_path / "elsewhere"))) == [
        (str(tmp_path / "b.py"), hashlib.sha256(b"2\n").hexdigest())
    ]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum (coreutils)")
def test_anybody_can_check_the_list(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1\n")
    (tmp_path / "list").write_text(written(["a.py"], tmp_path))
    subprocess.run(["sha256sum", "--check", "--strict", "list"], cwd=tmp_path, check=True, timeout=30)


def test_line_ends_do_not_count(tmp_path: Path) -> None:
    for name, raw in (("a", b"1\n2\n"), ("b", b"1\r\n2\r\n"), ("c", b"1\n2")):
        (tmp_path / name).write_bytes(raw)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


@given(st.text())
def test_what_is_no_list_is_refused_or_read(text: str) -> None:
    try:
        found = list(read(text))
    except ValueError:
        assert any(line[64:66] != "  " or len(line) < 67 or set(line[:64]) - set("0123456789abcdef") for line in text.split("\n")[:-1])  # fmt: skip
        return
    assert "".join(f"{value}  {name}\n" for name, value in found) == text[: text.rfind("\n") + 1]


def test_each_leg_that_measured_another_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1\n")
    here = digest(tmp_path / "a.py") or ""
    other = "0" * 64

    def leg(index: int, *sources: tuple[str, str]) -> Proven:
        return Proven(Delivery(Leg("unit", "3.12", Shard(index, 3)), 1, tmp_path, None), (), frozenset(), 0, sources)

    places = {"a.py": "a.py", "/venv/a.py": "a.py", "gone.py": "gone.py"}
    legs = [
        leg(1, ("a.py", here), ("gone.py", other), ("/usr/lib/x.py", other)),
        leg(2, ("/venv/a.py", other)),
        leg(3, ("a.py", other)),
    ]
    (together,) = changed_sources(legs, places, tmp_path)
    assert together.message.startswith(
        "2 legs (unit · Python 3.12 · 2/3, unit · Python 3.12 · 3/3) measured another text of a.py"
    )
    assert "re-run their jobs" in together.next_step
    (alone,) = changed_sources(legs[:2], places, tmp_path)
    assert alone.where == "unit · Python 3.12 · 2/3"
    assert "measured another text of a.py than this checkout has" in alone.message
    assert "re-run the job of unit · Python 3.12 · 2/3" in alone.next_step

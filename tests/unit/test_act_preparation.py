"""Where act's and uv's programs come from when this machine has neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ci_kit import wheels
from ci_kit.act import preparation
from ci_kit.process import Completed
from tooling.yaml_files import ROOT


class Unpacks:
    """Stands for uv and pip: a program and the metadata of each pin."""

    def __init__(self) -> None:
        self.environs: list[Mapping[str, str]] = []

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
        assert cwd is not None
        assert env is not None
        self.environs.append(env)
        for pin in wheels.pins((ROOT / preparation.ACT_LOCK).read_text(encoding="utf-8")):
            (cwd / pin.metadata_folder).mkdir()
        (cwd / "bin").mkdir()
        (cwd / "bin" / "act").touch(0o755)
        return Completed(tuple(argv), 0, "", 0.1)


def test_act_is_installed_once_and_without_the_callers_settings(tmp_path: Path) -> None:
    runner = Unpacks()
    environ = {"PATH": "/nowhere", "HOME": str(tmp_path), "UV_TARGET": "/x", "PIP_TARGET": "/x", "CI_KIT_ENV": "A=b"}
    first, second = (preparation.install_tools(runner, environ, ROOT, tmp_path / "cache") for _ in range(2))
    assert first == second
    assert (first / "act").exists()
    assert len(runner.environs) == 1
    assert not {"UV_TARGET", "PIP_TARGET", "CI_KIT_ENV"} & runner.environs[0].keys()

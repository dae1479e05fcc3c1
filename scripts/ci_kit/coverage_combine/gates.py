"""Judge the counts: the total, the components, the floor of every file, the changed lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ci_kit.config import Component, Coverage
from ci_kit.coverage_combine.numbers import Counts, FileCoverage, add
from ci_kit.coverage_combine.patch import Patch
from ci_kit.errors import CallerMistake
from ci_kit.patterns import matches


@dataclass(frozen=True)
class Gate:
    """One threshold held against counts. `name` is the component's or the file's.

    Of the kind `patch` are the changed lines and branches; where none of them counts, the gate is passed.
    """

    kind: Literal["total", "component", "file", "patch"]
    name: str
    threshold: float
    counts: Counts

    @property
    def passed(self) -> bool:
        """The share reaches the threshold."""
        return self.counts.reaches(self.threshold)

    @property
    def short_by(self) -> int:
        """Lines and branches that are missing to the threshold; negative: how many more may be lost."""
        return self.counts.missing_for(self.threshold)


@dataclass(frozen=True)
class Judgement:
    """All gates, the total first, and the configured thresholds that are not judged."""

    gates: tuple[Gate, ...]
    not_judged: tuple[str, ...]

    @property
    def failed(self) -> tuple[Gate, ...]:
        """The gates that say no."""
        return tuple(gate for gate in self.gates if not gate.passed)

    @property
    def total(self) -> Gate:
        """The gate of the total."""
        return self.gates[0]


def judge(
    files: Sequence[FileCoverage],
    settings: Coverage,
    total: float,
    config_file: str | None,
    patch: Patch | None = None,
    no_patch: str = "",
    no_regression: str = "",
) -> Judgement:
    """Hold `files` against the thresholds; `total` is the one in force.

    `no_patch` says why there is no `patch`, and `no_regression` why this run is held against no earlier one.

    Raises `CallerMistake` for a component pattern that means no measured file: it would pass without testing anything.
    """
    gates = [Gate("total", "total", total, add(file.counts for file in files))]
    gates += [_component(component, files, config_file) for component in settings.components]
    if settings.file_floor > 0:
        gates += [Gate("file", file.path, settings.file_floor, file.counts) for file in files if file.counts.counted]
    if settings.patch is not None and patch is not None:
        gates.append(Gate("patch", "changed lines", settings.patch, patch.counts))
    return Judgement(tuple(gates), tuple(_not_judged(settings, patch, no_patch, no_regression)))


def _component(component: Component, files: Sequence[FileCoverage], config_file: str | None) -> Gate:
    for pattern in component.paths:
        if not any(matches(pattern, file.path) for file in files):
            raise CallerMistake(
                f"coverage.components.{component.name}: the pattern {pattern!r} matches no measured file.",
                next_step=f"Measured are, for example, {_examples(files)}. Correct the pattern or remove it.",
                file=config_file,
            )
    mine = [file for file in files if any(matches(pattern, file.path) for pattern in component.paths)]
    counts = add(file.counts for file in mine)
    if not counts.counted:
        raise CallerMistake(
            f"coverage.components.{component.name}: its {len(mine)} files hold nothing to cover.",
            next_step="Widen its patterns or remove the component.",
            file=config_file,
        )
    return Gate("component", component.name, component.min_percent, counts)


def _examples(files: Sequence[FileCoverage]) -> str:
    return ", ".join(file.path for file in files[:: max(1, len(files) // 5)][:5])


def _not_judged(settings: Coverage, patch: Patch | None, no_patch: str, no_regression: str) -> list[str]:
    found = []
    if settings.patch is not None and patch is None:
        found.append(
            f"patch: {settings.patch:g} % of changed lines" + (f" ({no_patch.rstrip('.')})" if no_patch else "")
        )
    if settings.regression == "forbid" and no_regression:
        found.append(f"regression: forbid ({no_regression.rstrip('.')})")
    return found

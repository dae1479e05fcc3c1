"""Where mutmut's changes come from: its operators in this process, or its command line where they are not as pinned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ci_kit.errors import InfrastructureFailure
from ci_kit.selective_mutation.change import Change, InternalsChanged
from ci_kit.selective_mutation.text import Lines

Fallback = Callable[[str, str], list[Change]]  # path and text of one file


@dataclass
class Engine:
    """Asks the adapter first and, once that has failed, only the `fallback`. `fell_back` says why."""

    fallback: Fallback | None = None
    fell_back: str = ""

    def changes(self, path: str, lines: Lines) -> tuple[list[Change], int]:
        """Every change in a file, and how many calls and `match` were too long to change in every part.

        Raises `CannotMutate` for a file that mutmut cannot read, `InfrastructureFailure` without a way to ask mutmut.
        """
        if not self.fell_back or self.fallback is None:
            try:
                from ci_kit.selective_mutation.mutmut_adapter import mutmut_changes  # noqa: PLC0415 (it may be absent)

                found, too_long = mutmut_changes(path, lines)
                return [each.change for each in found], too_long
            except (InternalsChanged, ImportError) as error:
                self.fell_back = f"{type(error).__name__}: {error}"
        if self.fallback is None:
            raise InfrastructureFailure(
                f"mutmut is not the one that this version of the kit knows ({self.fell_back}).",
                next_step="Use the kit's own lock, or put a mutmut command on PATH: its command line will do.",
            )
        return self.fallback(path, lines.text), 0

from __future__ import annotations

import pytest
from ci_kit.errors import CallerMistake, Exit, InfrastructureFailure, KitError


@pytest.mark.parametrize(("cls", "code"), [(CallerMistake, 2), (InfrastructureFailure, 3), (KitError, 3)])
def test_each_kind_has_its_exit_code(cls: type[KitError], code: int) -> None:
    assert int(cls("x", next_step="y").exit) == code


def test_the_exit_codes_are_the_published_ones() -> None:
    assert {code.name: int(code) for code in Exit} == {
        "GOOD": 0, "NO": 1, "CALLER": 2, "INFRASTRUCTURE": 3,
        "ROLLED_BACK": 10, "ROLLBACK_FAILED": 11, "INCONCLUSIVE": 12,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "line", "text"),
    [(None, None, "bad. Mend it."), ("a.yml", None, "a.yml: bad. Mend it."), ("a.yml", 3, "a.yml:3: bad. Mend it.")],
)
def test_the_text_names_the_place_and_the_next_step(file: str | None, line: int | None, text: str) -> None:
    assert str(CallerMistake("bad.", next_step="Mend it.", file=file, line=line)) == text

"""The input `upload` is parsed as strictly as every other: a slip is no silent "no"."""

from __future__ import annotations

import pytest
from ci_kit.coverage_combine.cli import CombineInputs
from ci_kit.errors import CallerMistake
from ci_kit.inputs import read_inputs
from ci_kit.test.run_verb import RunInputs


@pytest.mark.parametrize("inputs", [RunInputs, CombineInputs])
def test_it_is_true_or_false_and_nothing_else(inputs: type[RunInputs | CombineInputs]) -> None:
    assert read_inputs(inputs, {}, []).upload is True
    assert read_inputs(inputs, {"CI_KIT_UPLOAD": "false"}, []).upload is False
    with pytest.raises(CallerMistake, match=r"input upload: expected true or false, found 'yes'"):
        read_inputs(inputs, {"CI_KIT_UPLOAD": "yes"}, [])

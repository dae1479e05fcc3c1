"""The verbs of the room."""

from __future__ import annotations

from ci_kit.selective_mutation import merge_verb, run_verb
from ci_kit.tools import Verb

VERBS: dict[str, Verb] = {
    "run": Verb(run_verb.run, run_verb.RunInputs, "try mutants where it matters, and judge what survives"),
    "merge": Verb(merge_verb.merge, merge_verb.MergeInputs, "judge the mutants that several jobs have tried"),
}

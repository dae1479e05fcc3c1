"""The verbs of the pipeline room."""

from __future__ import annotations

from ci_kit.pipeline import gate_verb, lint_verb, plan_verb
from ci_kit.tools import Verb

VERBS = {
    "plan": Verb(plan_verb.run, plan_verb.PlanInputs, "decide what this run does, from the files alone"),
    "lint": Verb(lint_verb.run, lint_verb.LintInputs, "run the project's own lint and type-check commands"),
    "gate": Verb(gate_verb.run, gate_verb.GateInputs, "judge the run: the one required check"),
}

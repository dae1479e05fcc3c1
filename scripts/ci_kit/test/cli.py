"""The verbs of the room."""

from __future__ import annotations

from ci_kit.test import run_verb, wait_verb
from ci_kit.tools import Verb

VERBS: dict[str, Verb] = {
    "run": Verb(run_verb.run, run_verb.RunInputs, "run one shard's tests and write their report"),
    "wait": Verb(wait_verb.run, wait_verb.WaitInputs, "wait until services answer"),
}

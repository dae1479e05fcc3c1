"""The verbs of the room."""

from __future__ import annotations

from ci_kit.smoke_and_rollback import smoke_verb
from ci_kit.tools import Verb

VERBS: dict[str, Verb] = {
    "smoke": Verb(smoke_verb.run, smoke_verb.SmokeInputs, "ask a running release whether it is good"),
}

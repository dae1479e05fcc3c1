"""The verbs of the room."""

from __future__ import annotations

from ci_kit.smoke_and_rollback import deploy_verb, finish_verb, smoke_verb
from ci_kit.tools import Verb

VERBS: dict[str, Verb] = {
    "smoke": Verb(smoke_verb.run, smoke_verb.SmokeInputs, "ask a running release whether it is good"),
    "deploy": Verb(
        deploy_verb.deploy, deploy_verb.DeployInputs, "deploy a release, prove it good or take it back, and tell"
    ),
    "finish": Verb(
        finish_verb.finish, finish_verb.FinishInputs, "finish what an interrupted deployment left, or decide about one"
    ),
}

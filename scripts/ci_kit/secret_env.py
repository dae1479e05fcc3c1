"""The consumer's own secrets: one GitHub secret, `CI_KIT_ENV`, with a line `NAME=value` for each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ci_kit.errors import CallerMistake
from ci_kit.github import Event, Workflow

VARIABLE = "CI_KIT_ENV"


def read_secrets(environ: Mapping[str, str], workflow: Workflow) -> dict[str, str]:
    """The consumer's secrets by name, each value masked before it is returned. Empty lines and `#` lines are left out.

    Raises `CallerMistake` for a line that is no assignment, naming its number and nothing of its content.
    """
    found: dict[str, str] = {}
    wrong: list[int] = []
    for number, line in enumerate(environ.get(VARIABLE, "").split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        if value:
            workflow.mask(value)
        if "=" in line and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            found[name] = value
        else:
            workflow.mask(line.strip())  # perhaps a line of a longer secret
            wrong.append(number)
    if wrong:
        raise CallerMistake(
            f"secret {VARIABLE}: line {wrong[0]} is not NAME=value.",
            next_step="Write one assignment a line; a value cannot span lines (encode it, for example as base64).",
        )
    return found


def check_required(required: Sequence[str], found: Mapping[str, str], event: Event) -> str | None:
    """Raise `CallerMistake` naming the required secrets that are missing or empty.

    A pull request from a fork never gets secrets: for it nothing is raised, and a sentence for the log is answered.
    """
    missing = [name for name in required if not found.get(name)]
    if not missing:
        return None
    names = ", ".join(missing)
    if event.is_fork:
        return f"This pull request comes from a fork, so GitHub gives it no secrets; it runs without {names}."
    raise CallerMistake(
        f"required secrets are missing: {names}.",
        next_step=f"Add each as a line NAME=value to the repository secret {VARIABLE}, and pass it on: "
        f"`secrets: {{{VARIABLE}: ${{{{ secrets.{VARIABLE} }}}}}}`. "
        "A run by Dependabot reads Dependabot's own secrets.",
    )

"""The consumer's own secrets: one GitHub secret, `CI_KIT_ENV`, with a line `NAME=value` for each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.github import Event, Workflow

VARIABLE = "CI_KIT_ENV"


def mask_secrets(environ: Mapping[str, str], workflow: Workflow) -> None:
    """Mask every value, and whole lines that are no assignments: they may be lines of a longer secret.

    The runner masks the whole text only. `ci_kit.__main__` calls this before anything that could print a value.
    """
    for _, name, value in _rows(environ):
        workflow.mask(value)
        if name is None:
            workflow.mask(value.partition("=")[2].strip())


def read_secrets(environ: Mapping[str, str], workflow: Workflow) -> dict[str, str]:
    """The consumer's secrets by name, all masked. Empty lines and `#` lines are left out.

    Raises `CallerMistake` for a line that is no assignment, naming its number and nothing of its content.
    """
    mask_secrets(environ, workflow)
    found: dict[str, str] = {}
    for number, name, value in _rows(environ):
        if name is None:
            raise CallerMistake(
                f"secret {VARIABLE}: line {number} is not NAME=value.",
                next_step="Write one assignment a line; a value cannot span lines (encode it, for example as base64).",
            )
        found[name] = value
    return found


def _rows(environ: Mapping[str, str]) -> Iterator[tuple[int, str | None, str]]:
    """Line number, name and value; of a line that is no assignment no name and the line."""
    for number, line in enumerate(environ.get(VARIABLE, "").split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if equals and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            yield number, name, value
        else:
            yield number, None, line.strip()


def check_outputs(outputs: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Raise `InfrastructureFailure` naming the secrets that occur in the values of `outputs`, meant for other jobs.

    GitHub drops a job's output that contains a masked value, and the jobs behind it would find nothing to do. Masked are
    the secret's lines and their values, also in the form in which JSON text holds them.
    """
    for number, line in enumerate(environ.get(VARIABLE, "").splitlines(), 1):
        name, _, value = (part.strip() for part in line.partition("="))
        comment = line.lstrip().startswith("#")
        for hidden in filter(None, (line.strip(), "" if comment else value)):
            hit = [output for output, text in outputs.items() if hidden in text or json.dumps(hidden)[1:-1] in text]
            if hit:
                what = f"line {number} of the secret {VARIABLE}" if comment else f"the value of the secret {name}"
                raise InfrastructureFailure(
                    f"{what} occurs in the plan's output{'s' if hit[1:] else ''} {', '.join(hit)}, and GitHub drops an "
                    "output that contains a secret's value, so that nothing would run.",
                    next_step="Use a longer value, or put this value, if it is no secret, into the tier's `env`.",
                )


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

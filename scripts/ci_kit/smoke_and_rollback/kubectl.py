"""kubectl: one object at a time, as JSON; and the state of a deployment in an annotation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ci_kit.clock import Clock
from ci_kit.process import Completed, Runner
from ci_kit.smoke_and_rollback.target_errors import TargetFailure
from ci_kit.smoke_and_rollback.target_state import Stored

REQUEST_SECONDS = 20
ANNOTATION = "ci-kit/deployment-state"
AWAY = re.compile(
    r"connection refused|connection reset|i/o timeout|handshake timeout|unexpected EOF|: EOF|\(ServiceUnavailable\)"
    r"|\(TooManyRequests\)|\(ServerTimeout\)|\(Timeout\)|etcdserver"
)


class Kubectl:
    """The program, for one namespace of one cluster. Objects are `deployment/web`."""

    def __init__(self, runner: Runner, clock: Clock, namespace: str | None = None, context: str | None = None) -> None:
        self._runner = runner
        self._clock = clock
        self._where = [
            *(() if namespace is None else (f"--namespace={namespace}",)),
            *(() if context is None else (f"--context={context}",)),
        ]

    def run(self, *arguments: str, seconds: float = REQUEST_SECONDS, input_text: str | None = None) -> Completed:
        """Run to the end, whatever the exit code."""
        return self._runner.run(
            ["kubectl", *self._where, *arguments], timeout_seconds=seconds + 10, stream=False, input_text=input_text
        )

    def ask(self, *arguments: str) -> str:
        """The output; raises `TargetFailure`. Warnings may stand among the lines."""
        done = self._patiently(*arguments)
        if done.code:
            raise failure(done)
        return done.output

    def _patiently(self, *arguments: str, input_text: str | None = None) -> Completed:
        """Again, a little later, when the API server was away: a rollback has one attempt, and must not lose it to that.

        Harmless for the patches too, because each names the state of the object that it may change.
        """
        for pause in (1.0, 3.0, None):
            done = self.run(*arguments, f"--request-timeout={REQUEST_SECONDS}s", input_text=input_text)
            if done.code == 0 or pause is None or not AWAY.search(done.output):
                break
            self._clock.sleep(pause)
        return done

    def get(self, resource: str) -> dict[str, Any]:
        """One object."""
        return read_object(self.ask("get", resource, "--output=json"))

    def patch(self, resource: str, kind: str, patch: object) -> bool:
        """Apply a `json` or `merge` patch; False when the object changed meanwhile, so that nothing was done.

        The patch goes through standard input: it may hold what no list of processes may show.
        """
        done = self._patiently(
            "patch",
            resource,
            f"--type={kind}",
            "--patch-file=/dev/stdin",
            "--output=name",
            input_text=json.dumps(patch),
        )
        if done.code == 0:
            return True
        # A failed `test` of a JSON patch is answered with 422 and no kind, a wrong resourceVersion with 409.
        if "(Conflict)" in done.output or "The request is invalid" in done.output:
            return False
        raise failure(done)


def read_object(output: str) -> dict[str, Any]:
    """The JSON object in kubectl's output, which warnings may precede; raises `TargetFailure`."""
    start = 0 if output.startswith("{") else output.find("\n{") + 1
    try:
        found: dict[str, Any] = json.JSONDecoder().raw_decode(output, start)[0]
    except (ValueError, RecursionError) as error:
        raise TargetFailure(
            f"kubectl's answer is not JSON: {error}: {output[:200]!r}.", next_step="Run kubectl by hand."
        ) from error
    return found


def failure(done: Completed) -> TargetFailure:
    """The error of a kubectl that did not end with 0."""
    last = " ".join(done.output.strip().splitlines()[-3:])
    why = "took too long" if done.timed_out else f"ended with exit code {done.code}"
    shown = " ".join(word for word in done.argv[:5] if not word.startswith("--"))
    return TargetFailure(
        f"{shown} {why}: {last[:600]}.", next_step="Check KUBECONFIG, the context and the permissions."
    )


def metadata(thing: Mapping[str, Any], *path: str) -> Any:  # noqa: ANN401 - JSON holds anything
    """The value at `metadata.<path>`, or None."""
    value: Any = thing.get("metadata") or {}
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


class AnnotationStore:
    """The state as an annotation of `resource`; with `create`, an empty ConfigMap of that name is made when needed."""

    def __init__(self, kubectl: Kubectl, resource: str, *, create: bool = False) -> None:
        self._kubectl = kubectl
        self._resource = resource
        self._create = create
        self.where = f"annotation {ANNOTATION} of {resource}"

    def load(self) -> Stored:
        """The annotation and the object's resourceVersion."""
        try:
            thing = self._kubectl.get(self._resource)
        except TargetFailure as error:
            if not self._create or "NotFound" not in error.message:
                raise
            return Stored(None, "")
        text = metadata(thing, "annotations", ANNOTATION)
        return Stored(None if text is None else str(text), str(metadata(thing, "resourceVersion")))

    def save(self, text: str, version: str) -> bool:
        """Change it, when the object's resourceVersion is still `version`."""
        if not version:
            name = self._resource.partition("/")[2]
            empty = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
            done = self._kubectl.run("create", "--filename=-", "--validate=false", input_text=json.dumps(empty))
            if done.code and "AlreadyExists" not in done.output:
                raise failure(done)
            return False  # the caller reads again, and finds it
        change = {"metadata": {"resourceVersion": version, "annotations": {ANNOTATION: text}}}
        return self._kubectl.patch(self._resource, "merge", change)

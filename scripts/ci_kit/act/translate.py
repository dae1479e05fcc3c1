"""What act does not know yet, or gets wrong, and how a temporary copy of a workflow says it instead.

This is the only module that knows these differences. Each entry names what ends it; when that has happened, the entry and
its function go away together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import yaml

from ci_kit.act import references, tree
from ci_kit.act.references import Reference

PREPARE_STEP = "ci-kit-act-prepare"
NAME_PATTERN = re.compile(r"@(\d+)»(.*?)«(?:-(\d+))?")

RUNTIME_VARIABLES = (
    "ACTIONS_RESULTS_URL",
    "ACTIONS_RUNTIME_URL",
    "ACTIONS_CACHE_URL",
    "ACTIONS_RUNTIME_TOKEN",
    "ACTIONS_CACHE_SERVICE_V2",
)

ENTRIES: Mapping[str, tuple[str, str]] = {
    "self-reference": ("`$/path` became `owner/name/path@sha`", "nektos/act#6189"),
    "own-path": (
        "`./path` of the repository itself became `owner/name/path@sha`",
        "only while files are translated at all",
    ),
    "cache-mode": ("the key `cache-mode` was left out; act enforces none", "act's schema knows the key"),
    "concurrency-queue": (
        "the key `concurrency.queue` was left out; act has no concurrency groups",
        "act's schema knows the key",
    ),
    "services": ("`services` were left out; local servers stand for them", "act starts services in host mode"),
    "no-terminal": (
        "`run` steps got a shell without a terminal and without `ACTIONS_*`",
        "act runs steps without a terminal",
    ),
    "no-runtime": ("`run` steps in a container got empty `ACTIONS_*` variables", "act gives them to actions only"),
    "own-home": ("each job got a HOME and a tool cache of its own", "act gives each job its own"),
    "job-name": (
        "job names were marked, to tell called jobs and matrix legs apart in act's log",
        "act's log names the job's path",
    ),
    "tool-cache": ("`runner.tool_cache` became `env.RUNNER_TOOL_CACHE`", "act gives each job its own"),
}


@dataclass(frozen=True)
class Job:
    """A job as its file declares it; `number` marks it in act's log, `steps` are (id, name) in order."""

    number: int
    repository: str
    file: str
    id: str
    uses: str | None
    needs: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]


@dataclass
class Translator:
    """Translates the files of one run; collects what was done, every job, and every reference."""

    host_shell: str | None  # the wrapper for `run` steps and the preparing step's program; None in container mode
    prepare: str | None
    applied: Counter[str] = field(default_factory=Counter)
    jobs: list[Job] = field(default_factory=list)
    uses: list[str] = field(default_factory=list)

    def workflow(self, node: yaml.MappingNode, file: str, owner: Reference, *, own_paths: bool) -> None:
        """Translate one workflow file of the repository `owner` in place."""
        self._concurrency(node)
        self._refused(node)
        for name, job in tree.items(tree.get(node, "jobs")):
            if isinstance(job, yaml.MappingNode):
                self._job(node, name, job, file, owner, own_paths)
        self._expressions(node)

    def action(self, node: yaml.MappingNode, owner: Reference, *, own_paths: bool) -> None:
        """Translate one composite action in place; other actions stay as they are."""
        runs = tree.mapping(node, "runs")
        if tree.text(runs, "using") == "composite":
            for step in tree.entries(runs, "steps"):
                self._step(step, owner, own_paths, None)
            self._expressions(node)

    def _job(
        self, workflow: yaml.MappingNode, name: str, job: yaml.MappingNode, file: str, owner: Reference, own_paths: bool
    ) -> None:
        self._concurrency(job)
        self._refused(job)
        self._uses(job, owner, own_paths)
        default = _default_shell(job) or _default_shell(workflow)
        steps = tree.entries(job, "steps")
        for step in steps:
            self._step(step, owner, own_paths, default)
        number = len(self.jobs)
        described = tuple((tree.text(s, "id") or str(i), step_name(s)) for i, s in enumerate(steps))
        uses = tree.text(job, "uses")
        self.jobs.append(Job(number, owner.repository, file, name, uses, _needs(job), described))
        self._count("job-name")
        tree.put(job, "name", f"@{number}»{tree.text(job, 'name') or name}«")
        if self.prepare is not None and steps:
            self._count("services", tree.delete(job, "services"))
            self._prepare(job, self.prepare)

    def _prepare(self, job: yaml.MappingNode, program: str) -> None:
        self._count("own-home")
        node = tree.get(job, "steps")
        if isinstance(node, yaml.SequenceNode):
            node.value.insert(
                0, tree.new_mapping({"id": PREPARE_STEP, "name": PREPARE_STEP, "shell": "bash", "run": program})
            )

    def _step(self, step: yaml.Node, owner: Reference, own_paths: bool, default_shell: str | None) -> None:
        if not isinstance(step, yaml.MappingNode):
            return
        self._refused(step)
        self._uses(step, owner, own_paths)
        if tree.get(step, "run") is None:
            return
        if self.host_shell is None:
            self._hide_runtime(step)
        else:
            shell = shell_command(tree.text(step, "shell") or default_shell)
            if shell is not None:
                self._count("no-terminal")
                tree.put(step, "shell", f"{self.host_shell} {shell}")

    def _hide_runtime(self, step: yaml.MappingNode) -> None:
        env = tree.mapping(step, "env")
        if env is None and tree.get(step, "env") is None:
            env = tree.new_mapping({})
            step.value.append((tree.scalar("env"), env))
        if env is not None:  # an expression for the whole block stays
            self._count("no-runtime")
            for name in RUNTIME_VARIABLES:
                tree.put(env, name, "")

    def _uses(self, node: yaml.MappingNode, owner: Reference, own_paths: bool) -> None:
        uses = tree.text(node, "uses")
        if uses is None:
            return
        expanded = references.expand(uses, owner, own_paths=own_paths)
        if expanded != uses:
            self._count("self-reference" if uses.startswith("$/") else "own-path")
            tree.put(node, "uses", expanded)
        self.uses.append(expanded)

    def _refused(self, node: yaml.Node) -> None:
        self._count("cache-mode", tree.delete(node, "cache-mode"))

    def _concurrency(self, node: yaml.Node) -> None:
        self._count("concurrency-queue", tree.delete(tree.get(node, "concurrency"), "queue"))

    def _expressions(self, node: yaml.Node) -> None:
        if self.prepare is None:
            return
        for scalar in tree.scalars(node):
            if "${{" in scalar.value and "runner.tool_cache" in scalar.value:
                scalar.value = scalar.value.replace("runner.tool_cache", "env.RUNNER_TOOL_CACHE")
                self._count("tool-cache")

    def _count(self, name: str, done: bool = True) -> None:
        if done:
            self.applied[name] += 1


def shell_command(shell: str | None) -> str | None:
    """A step's shell as the command that GitHub runs for it; None for one that must stay as it is."""
    known: dict[str | None, str] = {
        None: "bash -e {0}",
        "": "bash -e {0}",
        "bash": "bash --noprofile --norc -e -o pipefail {0}",
        "sh": "sh -e {0}",
        "python": "python {0}",
    }
    if shell in known:
        return known[shell]
    return shell if shell is not None and "{0}" in shell and "${{" not in shell else None


def step_name(step: yaml.Node) -> str:
    """What GitHub shows for a step."""
    name = tree.text(step, "name")
    if name:
        return name
    uses, run = tree.text(step, "uses"), tree.text(step, "run")
    return f"Run {uses}" if uses else f"Run {(run or '').strip().splitlines()[0]}" if run and run.strip() else "Run"


def _default_shell(node: yaml.MappingNode) -> str | None:
    return tree.text(tree.mapping(tree.mapping(node, "defaults"), "run"), "shell")


def _needs(job: yaml.MappingNode) -> tuple[str, ...]:
    one = tree.text(job, "needs")
    return (one,) if one else tuple(str(n.value) for n in tree.entries(job, "needs"))


def each_translation(applied: Mapping[str, int]) -> list[dict[str, object]]:
    """What was done, for the report: name, how often, in words, and what ends it."""
    order: Callable[[str], int] = list(ENTRIES).index
    return [
        {"name": n, "count": applied[n], "what": ENTRIES[n][0], "until": ENTRIES[n][1]}
        for n in sorted(applied, key=order)
    ]

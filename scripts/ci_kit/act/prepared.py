"""A run's translated copies: the consumer's repository and the kit, with all that is known from their files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from ci_kit.act import calls, copies, preparation, references, services, workflows
from ci_kit.act.copies import Consumer
from ci_kit.act.references import Kind, Reference
from ci_kit.act.request import Request
from ci_kit.act.services import Service
from ci_kit.act.stand_ins import StandIns
from ci_kit.act.translate import Job, Translator, each_translation
from ci_kit.act.workflows import Parsed
from ci_kit.errors import InfrastructureFailure
from ci_kit.process import Runner

KIT_SHA = "0" * 40


@dataclass(frozen=True)
class Prepared:
    """The translated copies and what is known of them."""

    consumer: Consumer
    top: list[Parsed]
    labels: frozenset[str]
    jobs: list[Job]
    repositories: dict[str, Path]
    translations: list[dict[str, object]]
    services: tuple[Service, ...]
    warnings: list[str]


def prepare(request: Request, *, runner: Runner, kit_root: Path, folder: Path, stand_ins: StandIns | None) -> Prepared:
    """Copy the repository and the kit below `folder` and translate both copies' workflows and actions."""
    consumer = copies.copy_consumer(runner, request.repo, request.wanted, folder)
    own_files = workflows.parse_files(consumer.tree, strict=True)
    top = workflows.chosen(own_files, request.wanted.event, request.workflow, request.job)
    labels = workflows.labels_of(own_files)
    needed = services.needed(own_files, top, consumer.clone)
    name = consumer.occasion.repository
    kit = references.kit_reference(workflows.uses_of(own_files), name) or Reference("org/ci-kit", "", KIT_SHA)
    kit_copy = folder / "kit"
    copies.copy_kit(runner, kit_root, kit_copy)
    shell, first = (shlex.quote(str(each)) for each in preparation.write_programs(folder / "bin"))
    translator = Translator(None, None) if request.container else Translator(shell, first)
    workflows.translate(own_files, translator, Reference(name, "", consumer.occasion.sha), own_paths=True)
    kit_files: list[Parsed] = []
    if name != kit.repository:
        kit_files = workflows.parse_files(kit_copy, strict=False)
        labels |= workflows.labels_of(kit_files)
        workflows.translate(kit_files, translator, kit, own_paths=False)
    if stand_ins is not None:
        _refuse_foreign_workflows(translator.uses, name)
    repositories = references.local_repositories(
        translator.uses, name, kit_copy, consumer.tree, stand_ins, host=not request.container
    )
    files = [*own_files, *kit_files]
    calls.check_called_workflows(files, repositories)
    refuse = stand_ins and stand_ins.refuse
    served = {spec: path for spec, path in repositories.items() if path != refuse}
    warnings = [*needed.warnings, *calls.unknown_inputs(files, served)]
    translations = each_translation(translator.applied)
    return Prepared(
        consumer, top, frozenset(labels), translator.jobs, repositories, translations, needed.services, warnings
    )


def _refuse_foreign_workflows(uses: list[str], consumer: str) -> None:
    for each in uses:
        if references.classify(each, consumer) is Kind.WORKFLOW:
            raise InfrastructureFailure(
                f"the workflow {each} lies on github.com, which is not used.", next_step="Run with --actions genuine."
            )

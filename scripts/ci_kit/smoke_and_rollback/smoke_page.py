"""The smoke run for people: the log's lines, the step summary, the annotations."""

from __future__ import annotations

from collections.abc import Iterator

from ci_kit.github import Annotation
from ci_kit.markdown import code, text
from ci_kit.smoke_and_rollback.smoke_result import CheckResult, SmokeResult
from ci_kit.smoke_and_rollback.spec import Spec


def lines(spec: Spec, result: SmokeResult) -> Iterator[str]:
    """For the log: one line for each result, what was left out, and the verdict."""
    for check in result.checks:
        numbers = ", ".join(_numbers(check))
        yield f"{'ok  ' if check.ok else 'FAIL'} {check.name}{f' ({numbers})' if numbers else ''}"
        if not check.ok:
            yield f"     {check.why}"
    for sentence in spec.skipped:
        yield f"note: {sentence}"
    yield headline(spec, result)


def headline(spec: Spec, result: SmokeResult) -> str:
    """The verdict in one line."""
    where = f"{spec.environment} ({spec.target.base_url})"
    asked = f"{result.answered} answers in {result.seconds:.1f} s"
    if result.ok:
        return f"Smoke: {where} is good: version {result.version}, {asked}."
    return f"Smoke: {where} is NOT good: {result.why}; {asked}."


def markdown(spec: Spec, result: SmokeResult) -> str:
    """The step summary."""
    verdict = "✅ Smoke" if result.ok else "❌ Smoke"
    rows = [
        f"## {verdict}: {text(spec.environment)}",
        "",
        _facts(spec, result),
        "",
        "| | question | answer |",
        "|---|---|---|",
    ]
    for check in result.checks:
        told = text(check.why) if not check.ok else text(", ".join(_numbers(check)))
        rows.append(f"| {'✅' if check.ok else '❌'} | {text(check.name)} | {told} |")
    rows += ["", *(f"- {text(sentence)}" for sentence in spec.skipped)] if spec.skipped else []
    return "\n".join(rows)


def _facts(spec: Spec, result: SmokeResult) -> str:
    where, version = code(spec.target.base_url), code(result.version or "unknown")
    return f"{where}, version {version}: {result.answered} answers in {result.seconds:.1f} s, {result.retries} retries."


def told_in_checks(spec: Spec, result: SmokeResult) -> Iterator[Annotation]:
    """What was wrong, and what is left out because of a variable that is not set."""
    for check in result.failed:
        yield Annotation("error", f"{check.name}: {check.why}.", spec.file, title=f"smoke: {spec.environment}")
    for sentence in spec.skipped:
        yield Annotation("warning", sentence, spec.file, title="smoke: left out")


def _numbers(check: CheckResult) -> Iterator[str]:
    yield from (f"p{quantile * 100:g} {seconds * 1000:.0f} ms" for quantile, seconds in check.percentiles)
    if check.kind in {"check", "negative", "login"} and check.samples:
        yield f"{check.seconds * 1000:.0f} ms"
    if check.kind in {"ready", "version"}:
        yield f"{check.seconds:.1f} s"
    if check.samples > 1:
        yield f"{check.samples} {'answers' if check.kind == 'trust' else 'times asked'}"
    if check.retries:
        yield f"{check.retries} {'retry' if check.retries == 1 else 'retries'}"

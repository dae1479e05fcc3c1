"""Decide what a finished, dead or killed pytest means. Exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from ci_kit.errors import Exit
from ci_kit.quarantine import Quarantine
from ci_kit.test.model import BAD, Ending, Record, Stream, Verdict

OK, FAILED, INTERRUPTED, INTERNAL, USAGE, NOTHING = range(6)


@dataclass(frozen=True)
class Judgement:
    """The verdict, this verb's exit code, and why, as a sentence (empty when the results speak for themselves)."""

    verdict: Verdict
    exit: Exit
    why: str = ""


def judge(ending: Ending, stream: Stream, record: Record) -> Judgement:
    """Tell pytest's endings apart by what it recorded, because its exit codes alone are ambiguous."""
    code = ending.code
    if code is None and ending.why:
        return _broken(ending.why)
    if code is None:
        return Judgement(Verdict.EMPTY, Exit.GOOD, "No test files are planned for this shard.")
    if record.unstable and record.disagreement:
        return Judgement(Verdict.FAILED, Exit.NO, record.disagreement)
    if ending.timed_out:
        return _broken(f"pytest was stopped at its time limit of {ending.limit_seconds:.0f} s{_during(record)}.")
    if code < 0 and not stream.finished:
        return _broken(f"pytest was killed by {_signal(-code)}{_during(record)}.")
    return _by_code(code, ending, stream, record)


def _by_code(code: int, ending: Ending, stream: Stream, record: Record) -> Judgement:
    """It ended by itself."""
    if record.conftest is not None:
        return Judgement(Verdict.FAILED, Exit.NO, f"{record.conftest.place} raises: {record.conftest.message}")
    if code == USAGE and not stream.finished:
        return Judgement(
            Verdict.ERROR, Exit.CALLER, f"pytest refused its arguments or its configuration: {_last(ending)}"
        )
    if not stream.finished:
        return _broken(f"pytest ended with exit code {code} in the middle of its work{_during(record)}.")
    if code == INTERNAL:
        return _broken(f"pytest ended with an internal error{_during(record)}; its output above shows it.")
    if stream.collect_errors or any(result.gates for result in stream.results):
        return Judgement(Verdict.FAILED, Exit.NO)
    if any(result.outcome in BAD for result in stream.results) and not without_result(stream, record):
        return Judgement(Verdict.PASSED, Exit.GOOD, "What failed is in quarantine.")
    return _without_failure(code, stream, record)


def _without_failure(code: int, stream: Stream, record: Record) -> Judgement:
    """Its session came to an end and nothing failed in it."""
    if code == NOTHING or (code == OK and not record.collected):
        return Judgement(Verdict.EMPTY, Exit.GOOD, _why_empty(record))
    missing = without_result(stream, record)
    if code == OK and missing:
        return _broken(f"pytest ended well, but {len(missing)} collected tests have no result.")
    if code == OK:
        return Judgement(Verdict.PASSED, Exit.GOOD)
    if code == FAILED:
        return Judgement(
            Verdict.FAILED, Exit.NO, "No test failed, but pytest answers failure: a plug-in of the project decides so."
        )
    if code == INTERRUPTED:
        return _broken(f"pytest was interrupted{_during(record)}.")
    return _broken(f"pytest ended with the unknown exit code {code}{_during(record)}.")


def without_result(stream: Stream, record: Record) -> tuple[str, ...]:
    """The collected tests that have none, in their order."""
    known = {result.id for result in stream.results}
    return tuple(name for name in record.collected if name not in known)


def with_quarantine(judgement: Judgement, quarantine: Quarantine) -> Judgement:
    """An entry whose day is over is no good answer, even where its test passes: somebody has to decide again."""
    if not quarantine.expired or judgement.exit is not Exit.GOOD:
        return judgement
    entry = quarantine.expired[0]
    more = f", and {len(quarantine.expired) - 1} more" if len(quarantine.expired) > 1 else ""
    return Judgement(
        Verdict.FAILED,
        Exit.NO,
        f"{quarantine.file}:{entry.line}: the entry for {entry.id} expired on {entry.expires}{more}. "
        f"Mend the test and remove the entry, or let its owner ({entry.owner}) set a new day.",
    )


def _broken(why: str) -> Judgement:
    return Judgement(Verdict.ERROR, Exit.INFRASTRUCTURE, why)


def _during(record: Record) -> str:
    return f" while it ran {' and '.join(record.running.values())}" if record.running else ""


def _why_empty(record: Record) -> str:
    if record.not_selected:
        return f"The change affects none of the {len(record.not_selected)} tests of this shard."
    if record.deselected:
        return f"All {len(record.deselected)} tests of this shard were deselected."
    return "The files of this shard hold no tests."


def _signal(number: int) -> str:
    hint = " (the machine may have run out of memory)" if number == signal.SIGKILL else ""
    try:
        return signal.Signals(number).name + hint
    except ValueError:
        return f"signal {number}"


def _last(ending: Ending) -> str:
    lines = [line.strip() for line in ending.output.splitlines() if line.strip()]
    # argparse names the option below the usage, pytest everything else behind "ERROR:".
    of_options = [line.partition(": error: ")[2] for line in lines if ": error: " in line]
    of_pytest = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (of_options or of_pytest or lines or ["it said nothing."])[-1]

"""`ci-kit <room> <verb> [options]`: build the real clients, run the verb, turn what it raises into one message."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

from ci_kit import report, secret_env
from ci_kit.clock import SystemClock
from ci_kit.errors import CallerMistake, Exit, InfrastructureFailure, KitError
from ci_kit.github import Event, Workflow
from ci_kit.inputs import input_name, read_inputs
from ci_kit.process import SubprocessRunner
from ci_kit.schema import suggestion
from ci_kit.tools import Tools, Verb

VERSION = "0.1.0"
ROOMS: dict[str, tuple[str, ...]] = {
    "setup-and-cache": ("resolve", "install"),
    "test": ("run", "wait"),
    "coverage-combine": ("combine",),
    "selective-mutation": ("run", "merge"),
    "pipeline": ("plan", "lint", "gate"),
    "smoke-and-rollback": ("smoke", "deploy", "finish"),
    "act": ("run",),
}


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Ended(BaseException):
    """A signal asked this process to end; what runs inside is ended with it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one verb and answer its exit code."""
    if not argv or argv[0] in {"-h", "--help", "help"}:
        print(_usage())
        return Exit.GOOD if argv else Exit.CALLER
    if argv[0] == "--version":
        print(f"ci-kit {VERSION}")
        return Exit.GOOD
    argv, environ = _working_directory(argv, environ)
    workflow = Workflow(environ)
    secret_env.mask_secrets(environ, workflow)
    signal.signal(signal.SIGTERM, _end)
    try:
        verb = _verb(argv)
        if argv[2:3] in (["--help"], ["-h"]):
            print(_verb_usage(argv[0], argv[1], verb))
            return Exit.GOOD
        tools = Tools(environ, Event.from_environ(environ), workflow, SubprocessRunner(), SystemClock())
        return int(verb.run(read_inputs(verb.inputs, environ, argv[2:]), tools))
    except KitError as error:
        return _say(workflow, error)
    except Ended as ended:
        workflow.log(f"ci-kit: {ended}.")
        return 128 + ended.number
    except KeyboardInterrupt:
        workflow.log("ci-kit: interrupted.")
        return 128 + signal.SIGINT
    except MemoryError:
        return _say(
            workflow, InfrastructureFailure("the machine has no memory left.", next_step="Use a larger runner.")
        )
    except OSError as error:
        return _say(workflow, _disk_full(error) if error.errno in FULL else _unexpected(error, environ))
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback ever reaches a user
        return _say(workflow, _unexpected(error, environ))
    finally:
        workflow.close()


def _end(number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; a second one must not break the clean-up
    raise Ended(number)


def _working_directory(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[list[str], Mapping[str, str]]:
    """Move the option `--working-directory`, which every verb has, to where the runner puts the input of that name."""
    kept: list[str] = []
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name == "--working-directory":
            environ = {**environ, "CI_KIT_WORKING_DIRECTORY": value if equals else next(words, "")}
        else:
            kept.append(word)
    return kept, environ


def _verb(argv: Sequence[str]) -> Verb:
    room = argv[0] if argv else ""
    if room not in ROOMS:
        raise CallerMistake(f"unknown room {room!r}{suggestion(room, ROOMS)}.", next_step=f"Rooms: {', '.join(ROOMS)}.")
    name = argv[1] if len(argv) > 1 else ""
    if name not in ROOMS[room]:
        raise CallerMistake(
            f"unknown verb {name!r} of {room}{suggestion(name, ROOMS[room])}.",
            next_step=f"Verbs of {room}: {', '.join(ROOMS[room])}.",
        )
    verbs: dict[str, Verb] = importlib.import_module(f"ci_kit.{room.replace('-', '_')}.cli").VERBS
    return verbs[name]


def _say(workflow: Workflow, error: KitError) -> int:
    workflow.tell(error)
    return int(error.exit)


def _disk_full(error: OSError) -> KitError:
    return InfrastructureFailure(
        f"there is no space left on the disk{f' for {error.filename}' if error.filename else ''}.",
        next_step="Free some space in the workspace and in RUNNER_TEMP, or use a runner with a larger disk.",
    )


def _unexpected(error: Exception, environ: Mapping[str, str]) -> KitError:
    import traceback  # noqa: PLC0415 - only here; every start would pay for it

    try:
        path = report.report_folder(environ) / "unexpected-error.txt"
        report.write_text(path, "".join(traceback.format_exception(error)))
        where = f"The details are in {path}; please report them."
    except (KitError, OSError):
        where = "Please report it with the log of this step."
    return InfrastructureFailure(f"a defect of ci-kit: {type(error).__name__}.", next_step=where)


def _usage() -> str:
    rooms = "\n".join(f"  ci-kit {room} {verb}" for room, verbs in ROOMS.items() for verb in verbs)
    return f"ci-kit {VERSION}\n\nusage: ci-kit <room> <verb> [--input value …]\n\n{rooms}\n\nA verb's inputs: ci-kit <room> <verb> --help"


def _verb_usage(room: str, name: str, verb: Verb) -> str:
    rows = [
        f"  --{input_name(f.name):<18} {f.metadata['help']}"
        for f in dataclasses.fields(verb.inputs)
        if not f.metadata["secret"]
    ]
    return "\n".join([f"ci-kit {room} {name}: {verb.help}", "", *rows])


if __name__ == "__main__":
    import os

    sys.exit(main(sys.argv[1:], os.environ))

"""Where reports live and how they are written: one JSON file an action, whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ci_kit import schema
from ci_kit.errors import InfrastructureFailure

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def report_folder(environ: Mapping[str, str]) -> Path:
    """`$RUNNER_TEMP/ci-kit` on a runner, `.ci-kit` elsewhere; made when it is missing."""
    temp = environ.get("RUNNER_TEMP")
    folder = Path(temp) / "ci-kit" if temp else Path(".ci-kit").absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InfrastructureFailure(
            f"cannot make the folder {folder}: {error.strerror or error}.",
            next_step="Reports go there; make its parent folder writable.",
        ) from error
    return folder


def write_text(path: Path, text: str) -> None:
    """Write through a temporary file beside `path` and rename it, so that no reader sees half a file.

    Raises `InfrastructureFailure` when the disk refuses (full, read-only); an older file then stays as it was.
    """
    try:
        if path.exists() and not path.is_file():  # a device or a pipe is written to, never replaced
            path.write_text(text, encoding="utf-8")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        try:
            with draft.open("x", encoding="utf-8") as file:
                file.write(text)
            draft.chmod(0o644)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InfrastructureFailure(
            f"cannot write {path}: {error.strerror or error}.",
            next_step="Free some disk space or make the folder writable, then run it again.",
        ) from error


def write_json(path: Path, data: object) -> None:
    """Write `data` as JSON, atomically (see `write_text`). Half a pair of UTF-16, as in a broken file name, is escaped."""
    text = json.dumps(data, indent=2, ensure_ascii=False, sort_keys=False)
    write_text(path, _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")


def write_report(folder: Path, name: str, data: Mapping[str, Any]) -> Path:
    """Write `<folder>/<name>.json` after holding it against `schemas/<name>.json`.

    `data["schema"]` must be `ci-kit/<name>/1`. Raises `ValueError` when the report breaks its own schema: that is a
    defect of the kit, not of the caller.
    """
    schema.check(data, schema.load(name), what=f"report {name}")
    path = folder / f"{name}.json"
    write_json(path, data)
    return path


def read_report(path: Path, name: str) -> dict[str, Any]:
    """Read a report written by `write_report`, perhaps on another machine.

    Raises `InfrastructureFailure` when it is missing, not JSON, or not of the schema `ci-kit/<name>/1`.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        schema.check(data, schema.load(name), what=f"report {name}")
    except (OSError, ValueError, RecursionError) as error:
        raise InfrastructureFailure(
            f"{path.name} in {path.parent.name} is not a readable {name} report: {error}.",
            next_step="Re-run the job that wrote it.",
        ) from error
    if not isinstance(data, dict):  # the schema says object; this tells the type checker
        raise TypeError(path)
    return data

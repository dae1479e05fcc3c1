"""What is installed where a consumer's interpreter looks, and which requirements among it do not hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_kit.errors import InfrastructureFailure
from ci_kit.tools import Tools
from ci_kit.uv import last_lines

LIST_SECONDS = 60.0

# Runs in the consumer's interpreter: what is installed, and which requirements from or to the named packages are unmet.
_LISTING = r"""
import sys
if "" in sys.path:
    sys.path.remove("")
import json, os, re
def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()
def folders():
    # Importing importlib.metadata costs more than all the rest, and only the old formats need it.
    for place in sys.path:
        for name in sorted(os.listdir(place)) if os.path.isdir(place) else ():
            if name.endswith((".egg-info", ".egg-link", ".egg")):
                yield from metadata()
                return
            match = re.match(r"([A-Za-z0-9._]+)-([^-]+)\.dist-info$", name)
            if match:
                yield match.group(1), match.group(2), os.path.join(place, name, "METADATA")
def metadata():
    from importlib.metadata import distributions
    for each in distributions():
        if each.metadata["Name"]:
            yield each.metadata["Name"], each.version, each
def requirements(where):
    if not isinstance(where, str):
        return where.requires or []
    with open(where, encoding="utf-8", errors="replace") as file:
        head = file.read().split("\n\n")[0]
    return re.findall(r"^Requires-Dist:[ \t]*(.+?)[ \t\r]*$", head, re.MULTILINE)
answer = {"version": "%d.%d.%d" % sys.version_info[:3], "platform": sys.platform, "installed": {}, "unmet": []}
if sys.version_info >= (3, 9):
    found, installed = {}, answer["installed"]
    for name, version, where in folders():
        if plain(name) not in found:
            found[plain(name)], installed[plain(name)] = where, version
    added = set(json.loads(sys.argv[1]))
    if added:
        from packaging.requirements import Requirement
        for name, where in found.items():
            for text in requirements(where):
                wanted = plain(re.match(r"[A-Za-z0-9._-]*", text).group())
                if name not in added and wanted not in added:
                    continue
                need = Requirement(text)
                if need.marker is not None and not need.marker.evaluate({"extra": ""}):
                    continue
                version = installed.get(wanted)
                if version is None or not need.specifier.contains(version, prereleases=True):
                    answer["unmet"].append([name, installed[name], wanted, str(need.specifier), version])
print("\n" + json.dumps(answer))
"""


@dataclass(frozen=True)
class Unmet:
    """`name version` needs `wanted` in `specifier`, but `found` is installed (None: it is absent)."""

    name: str
    version: str
    wanted: str
    specifier: str
    found: str | None


@dataclass(frozen=True)
class Listing:
    """What an interpreter says about itself: normalised names with versions, and the requirements that do not hold."""

    python_version: str
    platform: str
    installed: Mapping[str, str]
    unmet: tuple[Unmet, ...] = ()


def list_installed(
    python: Path, tools: Tools, environ: Mapping[str, str], check: Mapping[str, str] | None = None
) -> Listing:
    """Ask an interpreter what is installed; with `check`, also which requirements from or to those names fail."""
    done = tools.runner.run(
        [str(python), "-c", _LISTING, json.dumps(sorted(check or {}))],
        env=environ,
        stream=False,
        timeout_seconds=LIST_SECONDS,
    )
    try:
        answer: dict[str, Any] = json.loads(done.output.strip().splitlines()[-1])
        unmet = tuple(Unmet(*row) for row in answer["unmet"])
        return Listing(answer["version"], answer["platform"], answer["installed"], unmet)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise InfrastructureFailure(
            f"{python} could not list its packages (exit code {done.code}):\n{last_lines(done.output)}\n",
            next_step="Check that this interpreter works.",
        ) from error

"""Stand-ins for actions of github.com, for machines that do not reach it: bundled once, and served to act as repositories."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ci_kit.act.preparation import digest, once
from ci_kit.errors import InfrastructureFailure
from ci_kit.process import Runner, run_checked

STAND_INS = Path("tests/act/stand_ins")
LEAST_NODE = 20

ESBUILD_OPTIONS = (
    "--bundle",
    "--platform=node",
    "--target=node20",
    "--format=esm",
    "--out-extension:.js=.mjs",
    "--log-level=warning",
    "--outbase=.",
    "--banner:js=import {createRequire as ciKitRequire} from 'node:module'; const require = ciKitRequire(import.meta.url);",
)


@dataclass(frozen=True)
class StandIns:
    """Folders that act serves as repositories: `actions` by lower-case `owner/name`, and one that refuses."""

    actions: Mapping[str, Path]
    refuse: Path
    root: Path


def prepare_stand_ins(runner: Runner, environ: Mapping[str, str], kit_root: Path, cache: Path) -> StandIns:
    """The stand-ins with their packages installed by `npm ci`, and one folder for each as act's repository."""
    source = kit_root / STAND_INS
    if not (source / "package-lock.json").is_file():
        raise InfrastructureFailure(
            f"the stand-ins are not in {source}.", next_step="Run from a checkout of ci-kit, or with --actions genuine."
        )
    check_node(runner, environ)
    packages = [source / "package.json", source / "package-lock.json"]
    files = sorted(p for p in source.rglob("*") if p.is_file() and "node_modules" not in p.parts)

    def install(draft: Path) -> None:
        for file in packages:
            shutil.copy2(file, draft)
        argv = ["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        run_checked(
            runner, argv, what="installing the stand-ins' packages", timeout_seconds=600, cwd=draft, env=environ
        )

    modules = once(cache / f"npm-{digest(packages)}", install)

    def bundle(draft: Path) -> None:
        place = draft / "source"
        for file in files:
            target = place / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
        (place / "node_modules").symlink_to(modules / "node_modules")
        programs = [
            str(f.relative_to(source)) for f in files if f.suffix == ".mjs" and f.relative_to(source).parts[0] != "lib"
        ]
        # One file each: a stand-in then starts in a quarter of the time that loading the toolkit file by file takes.
        argv = ["node_modules/.bin/esbuild", *programs, *ESBUILD_OPTIONS, f"--outdir={draft / 'repositories'}"]
        run_checked(runner, argv, what="bundling the stand-ins", timeout_seconds=120, cwd=place, env=environ)
        for file in files:
            if file.name == "action.yml":
                shutil.copy2(file, draft / "repositories" / file.relative_to(source))
        shutil.rmtree(place)

    root = once(cache / f"stand-ins-{digest(files)}", bundle)
    repositories = root / "repositories"
    actions = {
        f"{p.parent.name}/{p.name}".lower(): p for p in repositories.glob("*/*/") if (p / "action.yml").is_file()
    }
    return StandIns(actions, repositories / "refuse", root)


def check_node(runner: Runner, environ: Mapping[str, str]) -> None:
    """Raise `InfrastructureFailure` without Node 20 or newer and npm: actions are Node programs."""
    for program in ("node", "npm"):
        if not shutil.which(program, path=environ.get("PATH")):
            raise InfrastructureFailure(
                f"{program} is missing; actions are Node programs.", next_step=f"Install Node {LEAST_NODE} or newer."
            )
    done = runner.run(["node", "--version"], timeout_seconds=30, env=environ, stream=False)
    match = re.match(r"v([0-9]+)\.", done.output)
    if done.code or match is None or int(match[1]) < LEAST_NODE:
        raise InfrastructureFailure(
            f"node --version says {done.output.strip()!r}; the stand-ins need Node {LEAST_NODE} or newer.",
            next_step=f"Install Node {LEAST_NODE} or newer.",
        )

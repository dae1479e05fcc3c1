"""Histories to replay: a project's releases from the package index laid as commits, or a local clone's own commits."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common import ROOT

sys.path.append(str(ROOT / "scripts"))
from ci_kit.act.preparation import cache_folder, provide_uv
from ci_kit.process import SubprocessRunner

LIMIT_SECONDS = 600


@functools.cache
def uv() -> Path:
    """uv, installed from the kit's lock where this machine has none."""
    return provide_uv(SubprocessRunner(), os.environ, ROOT, cache_folder(os.environ))


@dataclass(frozen=True)
class Project:
    """A project with the releases to replay, oldest first, and what its tests need beside pytest."""

    name: str
    releases: tuple[str, ...]
    needs: tuple[str, ...] = ()


PROJECTS = (
    Project("itsdangerous", ("2.0.1", "2.1.0", "2.1.2", "2.2.0"), ("freezegun",)),
    Project("marshmallow", ("3.19.0", "3.20.1", "3.21.0", "3.21.3", "3.22.0"), ("pytz", "simplejson", "packaging")),
    # Newer releases of pytest warn of a parametrization in its tests, and its configuration makes that an error.
    Project("click", ("8.1.3", "8.1.6", "8.1.7", "8.1.8"), ("pytest<9",)),
)


@dataclass(frozen=True)
class History:
    """A repository and its commits, oldest first, each with a name for people."""

    name: str
    repo: Path
    commits: tuple[tuple[str, str], ...]
    needs: tuple[str, ...] = ()


def command(*words: str | Path, cwd: Path) -> str:
    """A command's output; raises `RuntimeError` with it when the command fails."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def from_releases(project: Project, folder: Path, *, most: int) -> History:
    """The last `most` releases as commits of a new repository."""
    repo = folder / f"{project.name}-repo"
    repo.mkdir(parents=True)
    _git(repo, "init", "-q")
    commits = []
    for release in project.releases[-most:]:
        for entry in repo.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        # PKG-INFO and *.egg-info are made by the build; no repository has them.
        made = shutil.ignore_patterns("PKG-INFO", "*.egg-info")
        shutil.copytree(_sources(project.name, release, folder), repo, dirs_exist_ok=True, ignore=made)
        _git(repo, "add", "--all", "--force")
        _git(repo, "commit", "-q", "-m", release)
        commits.append((_git(repo, "rev-parse", "HEAD").strip(), release))
    return History(project.name, repo, tuple(commits), project.needs)


def from_clone(clone: Path, folder: Path, *, most: int) -> History:
    """The newest `most` commits of the first-parent line of a local clone, which itself is left alone."""
    repo = folder / "clone"
    command("git", "clone", "-q", "--local", "--no-checkout", clone.resolve(), repo, cwd=folder)
    lines = _git(repo, "log", "--first-parent", f"-n{most}", "--format=%H %h", "HEAD").splitlines()
    commits = [(whole, short) for whole, _, short in (line.partition(" ") for line in reversed(lines))]
    return History(clone.resolve().name, repo, tuple(commits))


def lay(history: History, commit: str, target: Path) -> Path:
    """The tree of a commit as a repository of its own at `target`."""
    target.mkdir(parents=True)
    archive = target.with_suffix(".tar")
    _git(history.repo, "archive", "--output", str(archive), commit)
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="tar")
    archive.unlink()
    _git(target, "init", "-q")
    _git(target, "add", "--all", "--force")
    _git(target, "commit", "-q", "-m", "as recorded")
    return target


def changed(history: History, before: str, after: str) -> list[str]:
    """Files that differ between two commits."""
    names = _git(history.repo, "diff", "--name-only", "--no-renames", "-z", before, after)
    return [name for name in names.split("\0") if name]


def text_at(history: History, commit: str, file: str) -> str | None:
    """A file's text at a commit; None when it is not there or no text."""
    try:
        return _git(history.repo, "show", f"{commit}:{file}")
    except (RuntimeError, UnicodeDecodeError):
        return None


def environment(folder: Path, needs: Sequence[str], python: str) -> Path:
    """An environment for the tests; the project itself is imported from its tree."""
    command(uv(), "venv", "-q", "--python", python, folder, cwd=folder.parent)
    wanted = ("pytest", "pytest-reportlog", "coverage", *needs)
    command(uv(), "pip", "install", "-q", "--python", folder / "bin" / "python", *wanted, cwd=folder.parent)
    return folder / "bin" / "python"


def _sources(name: str, release: str, folder: Path) -> Path:
    downloads = folder / "sdists" / f"{name}-{release}"
    downloads.mkdir(parents=True)
    words = ("--no-deps", "--no-binary", ":all:", "-d", str(downloads), f"{name}=={release}")
    command(uv(), "tool", "run", "--python", sys.executable, "pip", "download", "-q", *words, cwd=downloads)
    (archive,) = downloads.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(downloads, filter="data")
    return next(path for path in downloads.iterdir() if path.is_dir())


def _git(repo: Path, *words: str) -> str:
    own = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false")
    return command("git", *own, *words, cwd=repo)

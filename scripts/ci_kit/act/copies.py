"""The temporary copies of a run: the consumer's repository as a server and a clone, and both trees for translation."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ci_kit.act.event import PULL_REQUEST_EVENTS, ZERO_SHA, Occasion, Pull
from ci_kit.act.git import Git
from ci_kit.errors import CallerMistake
from ci_kit.process import Runner


@dataclass(frozen=True)
class Wanted:
    """What the caller asks of the copy; empty texts mean: find out."""

    event: str = "push"
    branch: str = ""
    base: str = ""
    default_branch: str = ""
    repository: str = ""
    number: int = 1
    labels: tuple[str, ...] = ()
    fork: bool = False
    inputs: tuple[tuple[str, str], ...] = ()
    tag: str = ""


@dataclass(frozen=True)
class Consumer:
    """The server that holds the repository, the clone that act works in, the tree to translate, and what is said to have happened."""

    server: Path
    clone: Path
    tree: Path
    occasion: Occasion
    notes: tuple[str, ...]


def copy_kit(runner: Runner, kit_root: Path, target: Path) -> None:
    """This working tree as it is now: tracked and new files, ignored ones left out."""
    git = Git(runner, kit_root)
    inside = git.ask("rev-parse", "--is-inside-work-tree") == "true"
    names = git.files() if inside else [str(p.relative_to(kit_root)) for p in kit_root.rglob("*") if p.is_file()]
    copy_files(kit_root, names, target)


def copy_files(source: Path, names: list[str], target: Path) -> None:
    """Copy files by relative name, links as links, modes kept."""
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, place, follow_symlinks=False)


def copy_consumer(runner: Runner, repo: Path, wanted: Wanted, folder: Path) -> Consumer:
    """Clone `repo` below `folder` and build the commit, the refs and the occasion that the event needs.

    Uncommitted changes become one commit on top, so that `GITHUB_SHA` is real and what lies there is what runs.
    Raises `CallerMistake` for a folder outside git, one without files, or a pull request that does not merge.
    """
    repo = repo.resolve()
    git = Git(runner, repo)
    top = git.ask("rev-parse", "--show-toplevel") if repo.is_dir() else None
    if top is None:
        raise CallerMistake(
            f"{repo} is not a git repository.", next_step="Give --repo a repository, or run git init and git add there."
        )
    server = Git(runner, folder / "server.git")
    server.folder.mkdir(parents=True)
    server.do("init", "-q", "--bare", "-b", "main")
    server.do("config", "uploadpack.allowAnySHA1InWant", "true")  # as on GitHub
    notes: list[str] = []
    name = wanted.repository or _github_name(git) or f"local/{_safe(repo.name)}"
    if Path(top) == repo:
        head, branch = _head_of_repository(git, server, notes)
    else:
        head, branch = _snapshot(git, server, notes), "main"
    default = wanted.default_branch or _default_branch(git, server, branch)
    occasion = _occasion(server, wanted, name, head, branch, default, notes)
    clone = folder / "workspace" / name.split("/")[1]
    _clone(runner, server.folder, occasion, clone)
    return Consumer(server.folder, clone, _tree(server, occasion.sha, folder / "translated"), occasion, tuple(notes))


def _head_of_repository(git: Git, server: Git, notes: list[str]) -> tuple[str, str]:
    branch = git.ask("symbolic-ref", "--short", "-q", "HEAD") or ""
    head = git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}")
    server.do(
        "fetch", "-q", "--update-head-ok", str(git.folder), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"
    )
    if head is not None:
        server.do("fetch", "-q", str(git.folder), "HEAD")
    if head is None or git.do("status", "--porcelain", "--untracked-files=normal"):
        notes.append("uncommitted changes were committed on top, in the copy only")
        head = _commit_working_tree(git, server, head)
    return head, branch


def _snapshot(git: Git, server: Git, notes: list[str]) -> str:
    notes.append("the folder is part of a larger repository; it runs as a repository of its own, with one commit")
    return _commit_working_tree(git, server, None)


def _commit_working_tree(git: Git, server: Git, parent: str | None) -> str:
    """Commit the files below the folder into the server's own object store; the user's repository stays as it is."""
    work = server.folder.parent / "snapshot"
    copy_files(git.folder, git.files(), work)
    if not work.is_dir():
        raise CallerMistake(f"{git.folder} has no files.", next_step="Add files; ignored ones do not count.")
    index = server.with_env(GIT_INDEX_FILE=str(server.folder / "snapshot.index"), GIT_WORK_TREE=str(work))
    index.do("add", "--all", "--force", ".")
    written = index.do("write-tree")
    shutil.rmtree(work)
    parents = ["-p", parent] if parent else []
    return server.do("commit-tree", written, *parents, "-m", "The working tree as it is")


def _occasion(
    server: Git, wanted: Wanted, name: str, head: str, branch: str, default: str, notes: list[str]
) -> Occasion:
    if wanted.event in PULL_REQUEST_EVENTS:
        return _pull_occasion(server, wanted, name, head, branch, default, notes)
    ref = f"refs/tags/{wanted.tag}" if wanted.tag else f"refs/heads/{wanted.branch or branch or default}"
    server.do("update-ref", ref, head)
    if server.ask("rev-parse", "-q", "--verify", f"refs/heads/{default}") is None:
        server.do("update-ref", f"refs/heads/{default}", head)
    before = ZERO_SHA if wanted.tag else server.ask("rev-parse", "-q", "--verify", f"{head}^") or ZERO_SHA
    return Occasion(wanted.event, name, default, ref, head, before, inputs=wanted.inputs)


def _pull_occasion(
    server: Git, wanted: Wanted, name: str, head: str, branch: str, default: str, notes: list[str]
) -> Occasion:
    base_branch = wanted.base or default
    base = server.ask("rev-parse", "-q", "--verify", f"refs/heads/{base_branch}")
    if wanted.base and base is None:
        raise CallerMistake(f"there is no branch {wanted.base!r}.", next_step="Give --base a branch of the repository.")
    if base is None or server.ask("merge-base", "--is-ancestor", head, base) is not None:
        base, head = _last_commit_as_pull(server, head)
        notes.append(f"the pull request is the last commit: {base_branch} was set to the commit before it")
    source = wanted.branch or (branch if branch != base_branch else "") or "feature"
    owner, _, project = name.partition("/")
    author = "another" if owner == "contributor" else "contributor"
    repository = f"{author}/{project}" if wanted.fork else name
    merge = _merge(server, base, head, source, base_branch)
    number = wanted.number
    refs = {f"refs/heads/{base_branch}": base, f"refs/pull/{number}/head": head, f"refs/pull/{number}/merge": merge}
    if not wanted.fork:
        refs[f"refs/heads/{source}"] = head
    for ref, sha in refs.items():
        server.do("update-ref", ref, sha)
    pull = Pull(
        number, base_branch, base, source, head, repository, wanted.labels, "labeled" if wanted.labels else "opened"
    )
    if wanted.event == "pull_request_target":
        return Occasion(wanted.event, name, default, f"refs/heads/{base_branch}", base, pull=pull)
    return Occasion(wanted.event, name, default, f"refs/pull/{number}/merge", merge, pull=pull)


def _last_commit_as_pull(server: Git, head: str) -> tuple[str, str]:
    """(base, head) where the head's own changes are the pull request; a first commit is put on top of an empty one."""
    parent = server.ask("rev-parse", "-q", "--verify", f"{head}^")
    if parent is not None:
        return parent, head
    empty = server.do("hash-object", "-w", "-t", "tree", "/dev/null")
    base = server.do("commit-tree", empty, "-m", "Empty")
    return base, server.do("commit-tree", f"{head}^{{tree}}", "-p", base, "-m", "Everything")


def _merge(server: Git, base: str, head: str, source: str, target: str) -> str:
    work = server.folder.parent / "merge"
    server.do("worktree", "add", "-q", "--detach", str(work), base)
    try:
        inside = server.at(work)
        if inside.ask("merge", "-q", "--no-ff", "-m", f"Merge {source} into {target}", head) is None:
            raise CallerMistake(
                f"{source} does not merge into {target} without conflicts; GitHub runs nothing then.",
                next_step="Solve the conflicts first.",
            )
        return inside.do("rev-parse", "HEAD")
    finally:
        server.ask("worktree", "remove", "--force", str(work))


def _clone(runner: Runner, server: Path, occasion: Occasion, clone: Path) -> None:
    clone.mkdir(parents=True)
    git = Git(runner, clone)
    git.do("init", "-q", "-b", "ci-kit-act")
    git.do("remote", "add", "origin", str(server))
    git.do(
        "fetch",
        "-q",
        "origin",
        "+refs/heads/*:refs/remotes/origin/*",
        "+refs/tags/*:refs/tags/*",
        f"+{occasion.ref}:refs/ci-kit/act",
    )
    if occasion.ref.startswith("refs/heads/"):
        branch = occasion.ref.removeprefix("refs/heads/")
        git.do("checkout", "-q", "-B", branch, f"refs/remotes/origin/{branch}")
    else:
        git.do("checkout", "-q", "--detach", occasion.sha)
    git.do("update-ref", "-d", "refs/ci-kit/act")


def _tree(server: Git, sha: str, target: Path) -> Path:
    target.mkdir(parents=True)
    index = server.with_env(GIT_INDEX_FILE=str(server.folder / "tree.index"), GIT_WORK_TREE=str(target))
    index.do("read-tree", sha)
    index.do("checkout-index", "--all", "--force")
    return target


def _default_branch(git: Git, server: Git, branch: str) -> str:
    remote = git.ask("symbolic-ref", "--short", "-q", "refs/remotes/origin/HEAD")
    if remote:
        return remote.removeprefix("origin/")
    known = (server.ask("for-each-ref", "--format=%(refname:short)", "refs/heads") or "").split()
    return next((name for name in ("main", "master") if name in known), branch or "main")


def _github_name(git: Git) -> str | None:
    url = git.ask("remote", "get-url", "origin") or ""
    match = re.search(r"github\.com[:/]+([\w.-]+/[\w.-]+?)(?:\.git)?/?$", url)
    return match[1] if match else None


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "repository"

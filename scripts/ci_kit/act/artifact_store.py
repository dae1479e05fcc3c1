"""The artifacts of one run: immutable by name, kept as folders for the person who looks afterwards."""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ci_kit.act.unpack import unpack

NAME_TAKEN = "an artifact with this name already exists on the workflow run"
# The characters are those that `@actions/artifact` refuses; it checks in the job, where a job may leave the check out.
FORBIDDEN = re.compile(r'[":<>|*?\\/\x00-\x1f]')
LONGEST_NAME_BYTES = 255


def name_problem(name: str) -> str | None:
    """Why an artifact cannot have this name, which becomes a file's name; None when it can."""
    found = FORBIDDEN.search(name)
    if found:
        return f"the artifact name {name!r} contains {found[0]!r}, which GitHub does not allow"
    if name.strip() in {"", ".", ".."}:
        return f"the artifact name {name!r} is no name"
    if len(name.encode(errors="surrogatepass")) > LONGEST_NAME_BYTES:
        return f"the artifact name is longer than {LONGEST_NAME_BYTES} bytes"
    return None


@dataclass(frozen=True)
class Artifact:
    """One artifact; `blob` is what was uploaded, `path` where it lies readable (None until it is finalized)."""

    number: int
    name: str
    job: str
    mime_type: str
    blob: Path
    size: int = 0
    digest: str = ""
    created: str = ""
    path: Path | None = None


class ArtifactStore:
    """Create, finalize, list and delete, as `@actions/artifact` asks for it."""

    def __init__(self, blobs: Path, output: Path) -> None:
        self._blobs = blobs
        self._output = output
        self._found: dict[str, Artifact] = {}
        self._count = 0
        self._lock = threading.Lock()

    def create(self, name: str, job: str, mime_type: str) -> Artifact | None:
        """Claim a name; None when an artifact of this run has it. Raises `ValueError` for one that is no file name."""
        problem = name_problem(name)
        if problem is not None:
            raise ValueError(problem)
        with self._lock:
            if name in self._found:
                return None
            self._count += 1
            artifact = Artifact(self._count, name, job, mime_type, self._blobs / f"artifact-{self._count}")
            self._found[name] = artifact
            return artifact

    def finalize(self, name: str) -> Artifact | None:
        """Close an upload and lay it out readable; None when there is no such upload.

        Raises `UnsafeArchive`; the artifact is then as it was before.
        """
        with self._lock:
            artifact = self._found.get(name)
        if artifact is None or not artifact.blob.is_file():
            return None
        with artifact.blob.open("rb") as content:
            digest = "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        done = replace(
            artifact, size=artifact.blob.stat().st_size, digest=digest, created=created, path=self._lay_out(artifact)
        )
        with self._lock:
            self._found[name] = done
        return done

    def delete(self, name: str) -> Artifact | None:
        """Forget an artifact, as `overwrite: true` does before it uploads again."""
        with self._lock:
            artifact = self._found.pop(name, None)
        if artifact is not None and artifact.path is not None:
            _remove(artifact.path)
        return artifact

    def finished(self) -> list[Artifact]:
        """Every artifact whose upload was finalized, oldest first."""
        with self._lock:
            return sorted((a for a in self._found.values() if a.path is not None), key=lambda a: a.number)

    def find(self, name: str) -> Artifact | None:
        """The finished artifact of that name."""
        return next((a for a in self.finished() if a.name == name), None)

    def _lay_out(self, artifact: Artifact) -> Path:
        path = self._output / artifact.name
        if path.parent != self._output or path.name in {"", ".", ".."}:  # it is about to be removed
            raise ValueError(f"{path} is not in {self._output}")
        _remove(path)
        if zipfile.is_zipfile(artifact.blob) and artifact.mime_type == "application/zip":
            unpack(artifact.blob, path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(artifact.blob, path)
        return path


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

"""Cache entries as GitHub keeps them: immutable, per branch scope, found by exact key or by prefix, newest first."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Scopes:
    """Which branch scope a run writes, and which it reads, in this order (its own first, then base and default)."""

    write: str
    read: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One saved cache. `created` is seconds since the epoch."""

    key: str
    version: str
    scope: str
    created: float
    blob: Path


LONGEST_KEY = 512


def key_problem(key: str) -> str | None:
    """Why nothing can be saved under this key (GitHub's own limits); None when it can."""
    if not key.strip() or len(key) > LONGEST_KEY or "," in key:
        return f"the cache key {key[:80]!r} is empty, has a comma, or is longer than {LONGEST_KEY} characters"
    return None


def best_match(entries: Sequence[Entry], scopes: Sequence[str], keys: Sequence[str], version: str) -> Entry | None:
    """The entry that a restore gets: scope by scope, the exact first key, then each key as a prefix, newest first.

    Source of the order: GitHub's documentation, "Dependency caching reference", cache key matching and restrictions.
    """
    for scope in scopes:
        here = [e for e in entries if e.scope == scope and e.version == version]
        exact = [e for e in here if e.key == keys[0]]
        if exact:
            return exact[0]
        for key in keys:
            partial = [e for e in here if e.key.startswith(key)]
            if partial:
                return max(partial, key=lambda e: e.created)
    return None


class CacheStore:
    """Entries in a folder that outlives the run, shared safely by runs at the same time."""

    def __init__(self, folder: Path, repository: str, scopes: Scopes) -> None:
        self._folder = folder / _file_name(repository)
        self._scopes = scopes
        self._reserved: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def find(self, keys: Sequence[str], version: str) -> Entry | None:
        """What a restore with `keys` (the primary key first) gets."""
        return best_match(self.entries(), self._scopes.read, keys, version)

    def entries(self) -> list[Entry]:
        """Every complete entry, in no particular order."""
        found = []
        for description in self._folder.glob("*/*/entry.json"):
            try:
                data = json.loads(description.read_text(encoding="utf-8"))
                found.append(Entry(**data, blob=description.with_name("blob")))
            except (OSError, ValueError, TypeError):
                continue
        return found

    def reserve(self, key: str, version: str) -> bool:
        """Claim a key for saving; False when it is saved already or another job is saving it."""
        with self._lock:
            if (key, version) in self._reserved or self._place(key, version).exists():
                return False
            self._reserved.add((key, version))
            return True

    def save(self, key: str, version: str, blob: Path) -> bool:
        """Make a reserved entry visible, taking over the file `blob`; False when another run was faster."""
        place = self._place(key, version)
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
        shutil.move(blob, draft / "blob")
        entry = {"key": key, "version": version, "scope": self._scopes.write, "created": time.time()}
        (draft / "entry.json").write_text(json.dumps(entry), encoding="utf-8")
        try:
            draft.rename(place)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            return False
        return True

    def _place(self, key: str, version: str) -> Path:
        name = hashlib.sha256(f"{version}\n{key}".encode()).hexdigest()[:32]
        return self._folder / _file_name(self._scopes.write) / name


def _file_name(text: str) -> str:
    """A text as the name of one folder: `..` is none of it."""
    return re.sub(r"^\.", "%2E", quote(text, safe=""))

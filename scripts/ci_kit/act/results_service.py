"""GitHub's results service on loopback: the Twirp calls and blob transfers of `@actions/artifact` and `@actions/cache`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ci_kit.act.artifact_store import NAME_TAKEN, Artifact, ArtifactStore, name_problem
from ci_kit.act.blobs import Blob, Blobs, runtime_token
from ci_kit.act.cache_store import CacheStore, key_problem
from ci_kit.act.results_http import Refused, handler
from ci_kit.act.unpack import UnsafeArchive


@dataclass(frozen=True)
class Transfer:
    """One thing that a job did with a cache or an artifact, for the run's report."""

    kind: str  # cache or artifact
    what: str  # saved, refused, exact, prefix, miss, uploaded, downloaded, deleted
    name: str
    matched: str = ""


class ResultsService:
    """The service of one run, from `start` to `stop`; `url` and `token` are what jobs need."""

    def __init__(self, artifacts: ArtifactStore, caches: CacheStore, blobs: Blobs, run: str) -> None:
        self.artifacts, self.caches, self.blobs = artifacts, caches, blobs
        self.token = runtime_token(run, "job")
        self.transfers: list[Transfer] = []
        self._saving: dict[tuple[str, str], Path] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """The base address, on loopback and on a port that was free."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def environment(self) -> dict[str, str]:
        """What the toolkit reads to find this service."""
        return {
            "ACTIONS_RESULTS_URL": self.url,
            "ACTIONS_RUNTIME_URL": self.url,
            "ACTIONS_CACHE_URL": self.url,
            "ACTIONS_RUNTIME_TOKEN": self.token,
            "ACTIONS_CACHE_SERVICE_V2": "true",
        }

    def start(self) -> None:
        """Answer requests in threads of their own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def call(self, method: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One Twirp call; raises `Refused`."""
        calls: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "CreateArtifact": self._create_artifact,
            "FinalizeArtifact": self._finalize_artifact,
            "ListArtifacts": self._list_artifacts,
            "GetSignedArtifactURL": self._artifact_url,
            "DeleteArtifact": self._delete_artifact,
            "CreateCacheEntry": self._create_cache,
            "FinalizeCacheEntryUpload": self._finalize_cache,
            "GetCacheEntryDownloadURL": self._cache_url,
        }
        if method not in calls:
            raise Refused(404, "bad_route", f"no such call: {method}")
        return calls[method](request)

    def _sign(self, blob: Blob) -> str:
        return self.url.rstrip("/") + self.blobs.sign(blob)

    def _note(self, kind: str, what: str, name: str, matched: str = "") -> None:
        self.transfers.append(Transfer(kind, what, name, matched))

    def _create_artifact(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = self._name(request)
        # A client that sends no type is an older one, and those upload nothing but zip archives.
        mime_type = str(request.get("mime_type") or "application/zip")
        if not mime_type.isprintable():  # it becomes a header of the answer
            raise Refused(400, "invalid_argument", f"{mime_type!r} is no media type")
        artifact = self.artifacts.create(name, str(request.get("workflow_job_run_backend_id", "")), mime_type)
        if artifact is None:
            self._note("artifact", "refused", name)
            raise Refused(409, "already_exists", NAME_TAKEN)
        return {"ok": True, "signed_upload_url": self._sign(Blob(artifact.blob, writable=True))}

    def _finalize_artifact(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = self._name(request)
        try:
            artifact = self._existing(self.artifacts.finalize(name))
        except UnsafeArchive as error:
            self._note("artifact", "refused", name)
            raise Refused(400, "invalid_argument", str(error)) from error
        self._note("artifact", "uploaded", artifact.name)
        return {"ok": True, "artifact_id": str(artifact.number)}

    def _list_artifacts(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name, number = request.get("name_filter"), request.get("id_filter")
        found = [
            a for a in self.artifacts.finished() if name in (None, a.name) and number in (None, str(a.number), a.number)
        ]
        return {"artifacts": [_described(a, request) for a in found]}

    def _artifact_url(self, request: Mapping[str, Any]) -> dict[str, Any]:
        artifact = self._existing(self.artifacts.find(self._name(request)))
        zipped = artifact.mime_type == "application/zip"
        self._note("artifact", "downloaded", artifact.name)
        name = f"{artifact.name}.zip" if zipped else artifact.name
        return {"signed_url": self._sign(Blob(artifact.blob, False, artifact.mime_type, name))}

    def _delete_artifact(self, request: Mapping[str, Any]) -> dict[str, Any]:
        artifact = self._existing(self.artifacts.delete(self._name(request)))
        self._note("artifact", "deleted", artifact.name)
        return {"ok": True, "artifact_id": str(artifact.number)}

    def _name(self, request: Mapping[str, Any]) -> str:
        name = str(request["name"])
        problem = name_problem(name)
        if problem is not None:
            self._note("artifact", "refused", name)
            raise Refused(400, "invalid_argument", problem)
        return name

    def _existing(self, artifact: Artifact | None) -> Artifact:
        if artifact is None:
            raise Refused(404, "not_found", "artifact not found")
        return artifact

    def _create_cache(self, request: Mapping[str, Any]) -> dict[str, Any]:
        key, version = str(request["key"]), str(request["version"])
        problem = key_problem(key)
        if problem is not None:
            self._note("cache", "refused", key)
            raise Refused(400, "invalid_argument", problem)
        if not self.caches.reserve(key, version):
            self._note("cache", "refused", key)
            raise Refused(409, "already_exists", "cache entry with the same key, version, and scope already exists")
        path = self._saving[key, version] = self.blobs.new_file()
        return {"ok": True, "signed_upload_url": self._sign(Blob(path, writable=True))}

    def _finalize_cache(self, request: Mapping[str, Any]) -> dict[str, Any]:
        key, version = str(request["key"]), str(request["version"])
        path = self._saving.pop((key, version), None)
        if path is None or not path.is_file():
            raise Refused(404, "not_found", "cache entry was not reserved or not uploaded")
        try:
            saved = self.caches.save(key, version, path)
        except OSError as error:  # a full or read-only disk; not retried by the toolkit, which only warns
            self._note("cache", "refused", key)
            raise Refused(403, "permission_denied", f"the cache folder: {error.strerror}") from error
        self._note("cache", "saved" if saved else "refused", key)
        return {"ok": saved, "entry_id": "1"}

    def _cache_url(self, request: Mapping[str, Any]) -> dict[str, Any]:
        key = str(request["key"])
        entry = self.caches.find([key, *map(str, request.get("restore_keys", []))], str(request["version"]))
        if entry is None:
            self._note("cache", "miss", key)
            return {"ok": False, "signed_download_url": "", "matched_key": ""}
        self._note("cache", "exact" if entry.key == key else "prefix", key, entry.key)
        return {"ok": True, "signed_download_url": self._sign(Blob(entry.blob, False)), "matched_key": entry.key}


def _described(artifact: Artifact, request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "workflow_run_backend_id": request.get("workflow_run_backend_id", ""),
        "workflow_job_run_backend_id": artifact.job,
        "database_id": str(artifact.number),
        "name": artifact.name,
        "size": str(artifact.size),
        "created_at": artifact.created,
        "digest": artifact.digest,
    }

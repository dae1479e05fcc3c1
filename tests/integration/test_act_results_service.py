"""The artifact and cache service over HTTP, as a client that trusts nothing sees it."""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ci_kit.act.artifact_store import ArtifactStore
from ci_kit.act.blobs import Blobs
from ci_kit.act.cache_store import CacheStore, Scopes
from ci_kit.act.results_service import ResultsService

MAIN = Scopes("refs/heads/main", ("refs/heads/main",))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ResultsService]:
    blobs = Blobs(tmp_path / "blobs")
    store = ArtifactStore(blobs.folder, tmp_path / "out" / "artifacts")
    running = ResultsService(store, CacheStore(tmp_path / "caches", "me/app", MAIN), blobs, "42")
    running.start()
    yield running
    running.stop()


def http(method: str, url: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body or None, method=method, headers=headers)  # noqa: S310 - our own loopback address
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def call(
    service: ResultsService, method: str, token: str | None = None, **request: object
) -> tuple[int, dict[str, Any]]:
    url = f"{service.url}twirp/github.actions.results.api.v1.Some/{method}"
    status, body = http("POST", url, json.dumps(request).encode(), Authorization=f"Bearer {token or service.token}")
    return status, json.loads(body)


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in files.items():
            target.writestr(f"{name}.txt", content)
    return buffer.getvalue()


def upload(service: ResultsService, name: str, content: bytes, mime_type: str = "application/zip") -> dict[str, Any]:
    status, answer = call(service, "CreateArtifact", name=name, mime_type=mime_type, version=7)
    assert status == 200
    assert http("PUT", answer["signed_upload_url"], content)[0] == 201
    status, done = call(service, "FinalizeArtifact", name=name, size=str(len(content)))
    assert status == 200
    return done


def test_the_token_holds_what_the_toolkit_reads(service: ResultsService) -> None:
    middle = service.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    assert claims["scp"] == "Actions.Results:42:job"


def test_an_artifact_up_and_down(service: ResultsService, tmp_path: Path) -> None:
    content = archive(a="one")
    upload(service, "results", content)
    _, listed = call(service, "ListArtifacts", name_filter="results")
    (artifact,) = listed["artifacts"]
    assert (artifact["name"], artifact["size"], artifact["digest"][:7]) == ("results", str(len(content)), "sha256:")
    _, signed = call(service, "GetSignedArtifactURL", name="results")
    assert http("GET", signed["signed_url"]) == (200, content)
    assert http("GET", signed["signed_url"], Range="bytes=1-3") == (206, content[1:4])
    assert (tmp_path / "out" / "artifacts" / "results" / "a.txt").read_text() == "one"


def test_a_name_is_taken_once_and_free_after_deletion(service: ResultsService) -> None:
    upload(service, "results", archive(a="one"))
    status, answer = call(service, "CreateArtifact", name="results")
    assert (status, answer["code"]) == (409, "already_exists")
    assert call(service, "DeleteArtifact", name="results")[0] == 200
    assert call(service, "ListArtifacts")[1] == {"artifacts": []}
    upload(service, "results", archive(a="two"))
    assert [t.what for t in service.transfers] == ["uploaded", "refused", "deleted", "uploaded"]


def test_an_unfinished_artifact_is_not_listed(service: ResultsService) -> None:
    call(service, "CreateArtifact", name="half")
    assert call(service, "ListArtifacts")[1] == {"artifacts": []}
    assert call(service, "FinalizeArtifact", name="half")[0] == 404
    assert call(service, "GetSignedArtifactURL", name="half")[0] == 404


def test_a_single_file_keeps_its_form(service: ResultsService, tmp_path: Path) -> None:
    upload(service, "report.html", b"<p>", "text/html")
    assert (tmp_path / "out" / "artifacts" / "report.html").read_bytes() == b"<p>"


def test_blocks_are_joined_in_the_order_of_the_list(service: ResultsService) -> None:
    _, answer = call(service, "CreateArtifact", name="big", mime_type="application/octet-stream")
    url = answer["signed_upload_url"]
    for block, part in (("Mg==", b"two"), ("MQ==", b"one")):
        assert http("PUT", f"{url}&comp=block&blockid={block}", part)[0] == 201
    listed = b"<?xml version='1.0'?><BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>"
    assert http("PUT", f"{url}&comp=blocklist", listed)[0] == 201
    call(service, "FinalizeArtifact", name="big")
    _, signed = call(service, "GetSignedArtifactURL", name="big")
    assert http("GET", signed["signed_url"])[1] == b"onetwo"
    missing = b"<BlockList><Latest>Mw==</Latest></BlockList>"
    assert http("PUT", f"{url}&comp=blocklist", missing)[0] == 400


def test_without_token_or_signature_nothing_is_given(service: ResultsService) -> None:
    upload(service, "results", archive(a="one"))
    assert call(service, "ListArtifacts", token="another")[0] == 401
    _, signed = call(service, "GetSignedArtifactURL", name="results")
    address = signed["signed_url"].split("?")[0]
    assert http("GET", f"{address}?sig=guess")[0] == 403
    assert http("PUT", signed["signed_url"], b"changed")[0] == 403


def test_a_cache_entry_is_saved_once_and_found(service: ResultsService) -> None:
    status, answer = call(service, "CreateCacheEntry", key="k-1", version="v")
    assert (status, answer["ok"]) == (200, True)
    assert call(service, "CreateCacheEntry", key="k-1", version="v")[0] == 409
    assert http("PUT", answer["signed_upload_url"], b"content")[0] == 201
    assert call(service, "FinalizeCacheEntryUpload", key="k-1", version="v", size_bytes="7")[1]["ok"] is True
    _, found = call(service, "GetCacheEntryDownloadURL", key="k-2", restore_keys=["k-"], version="v")
    assert found["matched_key"] == "k-1"
    assert http("GET", found["signed_download_url"]) == (200, b"content")
    assert call(service, "GetCacheEntryDownloadURL", key="k-1", restore_keys=[], version="w")[1]["ok"] is False
    assert call(service, "CreateCacheEntry", key="k-1", version="v")[0] == 409
    assert [(t.what, t.matched) for t in service.transfers] == [
        ("refused", ""), ("saved", ""), ("prefix", "k-1"), ("miss", ""), ("refused", ""),
    ]  # fmt: skip


def test_calls_that_make_no_sense(service: ResultsService) -> None:
    assert call(service, "Nonsense")[0] == 404
    assert call(service, "CreateArtifact")[0] == 400

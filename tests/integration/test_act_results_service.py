"""The artifact and cache service over HTTP, as a client that trusts nothing sees it."""

from __future__ import annotations

import base64
import io
import json
import stat
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
from ci_kit.act.unpack import UnsafeArchive, unpack

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


@pytest.mark.parametrize(
    "name",
    ["../home/precious", "..", ".", "", " ", "/etc", "a/b", "a\\b", 'a"', "a:", "a<", "a>", "a|", "a*", "a?", "a\r", "a\nb",
     "a\0", "n" * 256],
)  # fmt: skip
def test_a_name_that_is_no_file_name_is_refused(service: ResultsService, tmp_path: Path, name: str) -> None:
    """The toolkit checks names in the job, where a hostile one leaves that out."""
    precious = tmp_path / "out" / "home" / "precious"
    precious.mkdir(parents=True)
    (precious / "kept").write_text("kept")
    for method in ("CreateArtifact", "FinalizeArtifact", "GetSignedArtifactURL", "DeleteArtifact"):
        status, answer = call(service, method, name=name, mime_type="application/zip")
        assert (status, answer["code"]) == (400, "invalid_argument")
    with pytest.raises(ValueError, match="artifact name"):
        service.artifacts.create(name, "job", "application/zip")
    assert (precious / "kept").read_text() == "kept"
    assert {t.what for t in service.transfers} == {"refused"}


def test_a_name_with_dots_and_blanks_is_a_name(service: ResultsService, tmp_path: Path) -> None:
    upload(service, "..results 3.12…", archive(a="one"))
    assert (tmp_path / "out" / "artifacts" / "..results 3.12…" / "a.txt").read_text() == "one"


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (entry("../outside.txt"), "would lie outside"),
        (entry("a/../../outside.txt"), "would lie outside"),
        (entry("a\\..\\..\\outside.txt"), "would lie outside"),
        (entry("/outside.txt"), "would lie outside"),
        (entry("C:/outside.txt"), "would lie outside"),
        (entry("link", stat.S_IFLNK | 0o777), "neither a file nor a folder"),
        (entry("pipe", stat.S_IFIFO | 0o644), "neither a file nor a folder"),
        (entry("good.txt/below"), "cannot be unpacked"),
    ],
)
def test_an_archive_that_reaches_out_is_refused_wholly(
    service: ResultsService, tmp_path: Path, bad: zipfile.ZipInfo, said: str
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("good.txt", "good")
        target.writestr(bad, "/etc/passwd")
    _, answer = call(service, "CreateArtifact", name="bad", mime_type="application/zip")
    assert http("PUT", answer["signed_upload_url"], buffer.getvalue())[0] == 201
    status, answer = call(service, "FinalizeArtifact", name="bad")
    assert (status, answer["code"]) == (400, "invalid_argument")
    assert said in answer["msg"]
    assert [path.name for path in tmp_path.rglob("*") if path.name not in {"blobs", "artifact-1"}] == [
        "out",
        "artifacts",
    ]
    assert call(service, "ListArtifacts")[1] == {"artifacts": []}


def test_an_archive_of_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("zeros", bytes(100_000))
    with pytest.raises(UnsafeArchive, match="more than 99999 bytes"):
        unpack(tmp_path / "bomb.zip", tmp_path / "out", limit_bytes=99_999)
    assert not (tmp_path / "out").exists()
    unpack(tmp_path / "bomb.zip", tmp_path / "out", limit_bytes=100_000)
    assert (tmp_path / "out" / "zeros").stat().st_size == 100_000


def test_a_link_in_the_output_is_replaced_and_not_followed(service: ResultsService, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (tmp_path / "out" / "artifacts").mkdir(parents=True)
    (tmp_path / "out" / "artifacts" / "results").symlink_to(precious)
    upload(service, "results", archive(a="one"))
    assert precious.is_dir()
    assert list(precious.iterdir()) == []


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
    assert http("PUT", f"{url}&comp=blocklist", b"no list")[0] == 400
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
    assert call(service, "CreateArtifact", name="a", mime_type="text/html\r\nX: y")[0] == 400
    assert call(service, "CreateCacheEntry", key="a,b", version="v")[0] == 400

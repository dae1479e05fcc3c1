"""Signed uploads and downloads as Azure's blob storage does them for GitHub: single PUT, or blocks and a block list."""

from __future__ import annotations

import base64
import re
import secrets
import threading
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Blob:
    """One address that was handed out: where its bytes lie, how they are served, and whether writing is allowed."""

    path: Path
    writable: bool
    mime_type: str = "application/octet-stream"
    file_name: str = "blob"
    blocks: dict[str, Path] = field(default_factory=dict)


class Blobs:
    """The addresses of one run. An address works only with the signature it was handed out with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._signed: dict[str, tuple[str, Blob]] = {}
        self._lock = threading.Lock()

    def sign(self, blob: Blob) -> str:
        """The path and query under which `blob` may be written or read."""
        name, signature = secrets.token_hex(8), secrets.token_hex(16)
        with self._lock:
            self._signed[name] = (signature, blob)
        return f"/blob/run/{name}?sig={signature}"

    def resolve(self, path: str, signature: str) -> Blob | None:
        """The blob of a signed address, or None."""
        with self._lock:
            known, blob = self._signed.get(path.removeprefix("/blob/run/"), ("", None))
        return blob if blob is not None and secrets.compare_digest(known, signature) else None

    def new_file(self) -> Path:
        """A path that nothing has yet."""
        return self.folder / f"part-{secrets.token_hex(8)}"

    def put_block(self, blob: Blob, block: str, part: Path) -> None:
        """Keep one block until the list names it."""
        with self._lock:
            blob.blocks[block] = part

    def put_block_list(self, blob: Blob, body: bytes) -> bool:
        """Join the named blocks in the list's order; False when one is missing, or the list is no list."""
        try:
            names = [node.text or "" for node in ET.fromstring(body)]  # noqa: S314 - expat bounds what entities expand to
        except ET.ParseError:
            return False
        with self._lock:
            parts = [blob.blocks.get(name) for name in names]
        if any(part is None for part in parts):
            return False
        with blob.path.open("wb") as target:
            for part in parts:
                if part is not None:
                    target.write(part.read_bytes())
                    part.unlink(missing_ok=True)
        return True


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """`bytes=0-99` as (0, 100), cut to the size; None for the whole."""
    match = re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", header.strip())
    if match is None:
        return None
    return int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)


def runtime_token(run: str, job: str) -> str:
    """A token in the form that the toolkit reads its backend ids from: a JWT with an `Actions.Results` scope."""

    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    return ".".join(
        [part('{"alg":"none","typ":"JWT"}'), part(f'{{"scp":"Actions.Results:{run}:{job}"}}'), secrets.token_hex(16)]
    )

"""Unpack an archive that a job made: nothing leaves the target folder, and no small file becomes a full disk."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

LIMIT_BYTES = 5 << 30
LIMIT_ENTRIES = 200_000


class UnsafeArchive(Exception):
    """The archive is broken, or wants what no artifact needs; the message names the entry."""


def unpack(source: Path, target: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
    """Unpack the zip archive `source` into the new folder `target`, wholly or not at all; raises `UnsafeArchive`."""
    target.mkdir(parents=True)
    try:
        with zipfile.ZipFile(source) as archive:
            _inspect(archive.infolist(), limit_bytes)
            archive.extractall(target)  # of each entry no more than the size that was inspected
    except UnsafeArchive:
        shutil.rmtree(target)
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        shutil.rmtree(target)
        raise UnsafeArchive(f"the archive cannot be unpacked: {error}") from error


def _inspect(entries: list[zipfile.ZipInfo], limit_bytes: int) -> None:
    if len(entries) > LIMIT_ENTRIES:
        raise UnsafeArchive(f"the archive has more than {LIMIT_ENTRIES} entries")
    if sum(entry.file_size for entry in entries) > limit_bytes:
        raise UnsafeArchive(f"the archive holds more than {limit_bytes} bytes")
    for entry in entries:
        name = entry.orig_filename
        outside = name.startswith("/") or ".." in re.split(r"[/\\]", name) or re.match(r"[A-Za-z]:|\\", name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if outside or "\0" in name:
            raise UnsafeArchive(f"the archive's entry {name!r} would lie outside its folder")
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise UnsafeArchive(f"the archive's entry {name!r} is neither a file nor a folder")
        if entry.flag_bits & 1:
            raise UnsafeArchive(f"the archive's entry {name!r} is encrypted")

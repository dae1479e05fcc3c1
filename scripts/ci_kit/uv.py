"""What every use of uv (or pip) on a consumer's environment has in common: finding it, its settings, its failures."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from ci_kit.github import without_runners_own

# Where packages come from and how they are fetched. Every other setting chooses *what* is installed or where, and that
# is decided by the lock that is being installed.
PIP_WHERE_FROM = frozenset(
    {
        "PIP_CACHE_DIR", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_DEFAULT_TIMEOUT",
        "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_KEYRING_PROVIDER", "PIP_NO_INDEX", "PIP_PROXY",
        "PIP_RETRIES", "PIP_TIMEOUT", "PIP_TRUSTED_HOST",
    }
)  # fmt: skip
_UV_WHERE_FROM = re.compile(
    r"UV_(CACHE_DIR|CONCURRENT_\w+|CONFIG_FILE|CREDENTIALS_DIR|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|HTTP_\w+"
    r"|INDEX|INDEX_URL|INDEX_\w+_(USERNAME|PASSWORD)|INSECURE_HOST|KEYRING_PROVIDER|LINK_MODE|NATIVE_TLS|NO_CONFIG"
    r"|NO_INDEX|OFFLINE|REQUEST_TIMEOUT|SYSTEM_CERTS)"
)

# For the kit's own pins. A wheel is unpacked, while a source distribution would be built, with build dependencies that no
# lock pins. With hashes it does not matter which of several indexes has the file.
HASHED_WHEELS = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
# A consumer's own `exclude-newer` is about the consumer's packages.
OF_ANY_INDEX_AND_DAY = ("--index-strategy", "unsafe-best-match", "--exclude-newer", "9999-01-01")

_NO_WHEEL = re.compile(
    r"no usable wheels|building from source is disabled|No matching distribution found", re.IGNORECASE
)
_NETWORK = re.compile(
    r"error sending request|dns error|failed to lookup address|connection (refused|reset|closed)|connect(ion)? timed out"
    r"|operation timed out|request timed out|network (is )?unreachable|no route to host|failed to (fetch|download)"
    r"|HTTP status (server error|client error) \((5\d\d|429|408)|Max retries exceeded|NewConnectionError|tls handshake"
    r"|network was disabled|Temporary failure in name resolution",
    re.IGNORECASE,
)


def find_uv(environ: Mapping[str, str], *folders: Path) -> Path | None:
    """The uv on the consumer's PATH, else in one of the `folders`."""
    found = shutil.which("uv", path=os.pathsep.join([environ.get("PATH", os.defpath), *map(str, folders)]))
    return Path(found) if found else None


def without_kit(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for installing: none of the kit's inputs (secrets are among them), nothing to act on the job with."""
    return {name: value for name, value in without_runners_own(environ).items() if not name.startswith("CI_KIT_")}


def where_from_only(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment in which uv and pip know the consumer's indexes and network, and no wish about what to install."""
    return {
        name: value
        for name, value in without_kit(environ).items()
        if not name.startswith(("UV_", "PIP_")) or name in PIP_WHERE_FROM or _UV_WHERE_FROM.fullmatch(name)
    }


def is_network_failure(output: str) -> bool:
    """The output of uv or pip says that an index could not be reached or did not answer."""
    return bool(_NETWORK.search(output))


def is_without_wheel(output: str) -> bool:
    """The output of uv or pip says that the index has no wheel that this interpreter can use."""
    return bool(_NO_WHEEL.search(output))


def last_lines(output: str, count: int = 12) -> str:
    """The end of a program's output, where it says what went wrong."""
    return "\n".join(line.rstrip() for line in output.strip().splitlines()[-count:])

"""Keep secrets out of every text: known values, and what looks like a token whoever it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "***"
SHOWN_CHARACTERS = 80
_LEAST = 4  # replacing a shorter value would make any text unreadable, and hides nothing
_NAMED = re.compile(
    r"pass(?!ed|ing)|secret|token|api.?key|credential|authorization|cookie|webhook|private|session|otp|[-_]key$",
    re.IGNORECASE,
)
# RFC 7519: three parts of base64url, the first of which is a JSON object ("eyJ" is `{"`).
_JWT = re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*")


def sounds_secret(name: str) -> bool:
    """Whether a variable, key or header of this name holds what nobody should read."""
    return _NAMED.search(name) is not None


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets (the longest first, so that no part of one is left) and without JWTs."""
    for secret in sorted({each for each in secrets if len(each) >= _LEAST}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _JWT.sub(HIDDEN, text)

"""Passwords and roles."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

MINIMUM_PASSWORD_LENGTH = 12
MAXIMUM_PASSWORD_LENGTH = 128
SALT_BYTES = 16
HASH_BYTES = 32
MAXIMUM_MEMORY_BYTES = 256 * 1024 * 1024

COMMON_PASSWORDS = frozenset(
    {
        "123456789012",
        "passwordpassword",
        "password12345",
        "qwertyuiop12",
        "administrator",
        "letmeinletmein",
        "iloveyouiloveyou",
    }
)

_USER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{2,31}")


class Role(StrEnum):
    USER = "user"
    AUDITOR = "auditor"
    ADMIN = "admin"


_RANK = {Role.USER: 0, Role.AUDITOR: 1, Role.ADMIN: 2}


def permits(actual: Role, needed: Role) -> bool:
    """Whether a caller with the one role may do what needs the other."""
    return _RANK[actual] >= _RANK[needed]


@dataclass(frozen=True)
class Cost:
    """The parameters of scrypt (RFC 7914): n = 2 ** log2_n, and the memory is 128 * n * r bytes.

    The defaults are one of the settings that OWASP's password storage cheat sheet recommends.
    """

    log2_n: int = 14
    block_size: int = 8
    parallelization: int = 5


@dataclass(frozen=True)
class PasswordHash:
    cost: Cost
    salt: bytes
    digest: bytes

    def encode(self) -> str:
        cost = self.cost
        numbers = f"{cost.log2_n}${cost.block_size}${cost.parallelization}"
        return f"scrypt${numbers}${_to_text(self.salt)}${_to_text(self.digest)}"

    @classmethod
    def decode(cls, encoded: str) -> PasswordHash:
        """Raises ValueError for anything that `encode` did not write."""
        parts = encoded.split("$")
        if len(parts) != 6 or parts[0] != "scrypt":
            raise ValueError("This is not a scrypt password hash.")
        log2_n, block_size, parallelization = (int(part) for part in parts[1:4])
        if not 1 <= log2_n <= 20 or block_size < 1 or parallelization < 1:
            raise ValueError("The scrypt parameters are out of range.")
        salt, digest = _from_text(parts[4]), _from_text(parts[5])
        if len(digest) != HASH_BYTES:
            raise ValueError("The digest has a wrong length.")
        return cls(Cost(log2_n, block_size, parallelization), salt, digest)


def hash_password(password: str, cost: Cost) -> str:
    salt = secrets.token_bytes(SALT_BYTES)
    return PasswordHash(cost, salt, _derive(password, cost, salt)).encode()


def verify_password(password: str, encoded: str) -> bool:
    """Compares in constant time. A hash that cannot be read matches nothing."""
    try:
        stored = PasswordHash.decode(encoded)
        derived = _derive(password, stored.cost, stored.salt)
    except ValueError:
        return False
    return hmac.compare_digest(derived, stored.digest)


def spend_verification_time(password: str, cost: Cost) -> None:
    """Takes as long as a verification, so that an unknown user name does not answer sooner."""
    _derive(password, cost, bytes(SALT_BYTES))


def needs_rehash(encoded: str, cost: Cost) -> bool:
    """Whether a stored hash was made with other parameters than those in force."""
    try:
        return PasswordHash.decode(encoded).cost != cost
    except ValueError:
        return True


def password_problems(password: str, user_name: str) -> list[str]:
    """What is wrong with a new password, in words for its owner; empty when it is good.

    Length and a list of known passwords, no character classes: NIST SP 800-63B, section 5.1.1.2.
    """
    problems = []
    folded = _normalized(password).casefold()
    if len(password) < MINIMUM_PASSWORD_LENGTH:
        problems.append(f"It has fewer than {MINIMUM_PASSWORD_LENGTH} characters.")
    if len(password) > MAXIMUM_PASSWORD_LENGTH:
        problems.append(f"It has more than {MAXIMUM_PASSWORD_LENGTH} characters.")
    if user_name.casefold() in folded:
        problems.append("It contains the user name.")
    if folded in COMMON_PASSWORDS or len(set(folded)) < 4:
        problems.append("It is easy to guess.")
    return problems


def normalized_user_name(raw: str) -> str:
    """The one spelling under which a user is known. Raises ValueError for a name of other signs."""
    name = raw.strip().lower()
    if not _USER_NAME.fullmatch(name):
        raise ValueError(
            "A user name has 3 to 32 characters: a-z, 0-9, dot, hyphen, underscore; "
            "the first is a letter or a digit."
        )
    return name


def _normalized(password: str) -> str:
    # The same password may be typed as composed or decomposed characters.
    return unicodedata.normalize("NFKC", password)


def _derive(password: str, cost: Cost, salt: bytes) -> bytes:
    return hashlib.scrypt(
        _normalized(password).encode(),
        salt=salt,
        n=1 << cost.log2_n,
        r=cost.block_size,
        p=cost.parallelization,
        maxmem=MAXIMUM_MEMORY_BYTES,
        dklen=HASH_BYTES,
    )


def _to_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _from_text(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("This is not base64.") from None

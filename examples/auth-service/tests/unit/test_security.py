from __future__ import annotations

import hashlib
import re
import time

import pytest

from app.core import security
from app.core.security import (
    Cost,
    PasswordHash,
    Role,
    hash_password,
    needs_rehash,
    normalized_user_name,
    password_problems,
    permits,
    spend_verification_time,
    verify_password,
)
from tests.helpers import CHEAP, PASSWORD

PRODUCTION = Cost()
DIGEST = "A" * 43 + "="


def test_a_password_verifies_against_its_own_hash_only() -> None:
    encoded = hash_password(PASSWORD, CHEAP)

    assert verify_password(PASSWORD, encoded)
    assert not verify_password(PASSWORD + " ", encoded)
    assert not verify_password(PASSWORD.upper(), encoded)
    assert not verify_password("", encoded)


@pytest.mark.parametrize("log2_n", [14, 15])
def test_a_password_verifies_at_the_cost_of_production(log2_n: int) -> None:
    cost = Cost(log2_n=log2_n)
    encoded = hash_password(PASSWORD, cost)

    assert verify_password(PASSWORD, encoded)
    assert not verify_password("wrong horse battery", encoded)
    assert PasswordHash.decode(encoded).cost == cost


def test_the_default_cost_is_the_recommended_one() -> None:
    assert Cost(log2_n=14, block_size=8, parallelization=5) == PRODUCTION


def test_the_hash_is_scrypt_as_the_standard_library_computes_it() -> None:
    stored = PasswordHash.decode(hash_password(PASSWORD, CHEAP))

    expected = hashlib.scrypt(PASSWORD.encode(), salt=stored.salt, n=16, r=8, p=5, dklen=32)

    assert stored.digest == expected


def test_the_same_password_never_hashes_to_the_same_text() -> None:
    hashes = [PasswordHash.decode(hash_password(PASSWORD, CHEAP)) for _ in range(20)]

    assert len({stored.salt for stored in hashes}) == 20
    assert len({stored.digest for stored in hashes}) == 20
    assert {len(stored.salt) for stored in hashes} == {16}


def test_a_hash_survives_being_written_and_read() -> None:
    stored = PasswordHash(Cost(5, 2, 3), b"salt of 16 bytes", bytes(range(32)))

    assert stored.encode().startswith("scrypt$5$2$3$")
    assert PasswordHash.decode(stored.encode()) == stored


@pytest.mark.parametrize(
    ("encoded", "complaint"),
    [
        ("", "This is not a scrypt password hash."),
        ("plain text password", "This is not a scrypt password hash."),
        (f"bcrypt$4$8$5$AAAA${DIGEST}", "This is not a scrypt password hash."),
        ("scrypt$4$8$5$AAAA", "This is not a scrypt password hash."),
        (f"scrypt$0$8$5$AAAA${DIGEST}", "The scrypt parameters are out of range."),
        (f"scrypt$21$8$5$AAAA${DIGEST}", "The scrypt parameters are out of range."),
        (f"scrypt$4$0$5$AAAA${DIGEST}", "The scrypt parameters are out of range."),
        (f"scrypt$4$8$0$AAAA${DIGEST}", "The scrypt parameters are out of range."),
        ("scrypt$4$8$5$AAAA$AAAA", "The digest has a wrong length."),
        (f"scrypt$4$8$5$*${DIGEST}", "This is not base64."),
    ],
)
def test_a_hash_that_cannot_be_read_matches_nothing(encoded: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        PasswordHash.decode(encoded)
    assert not verify_password(PASSWORD, encoded)
    assert needs_rehash(encoded, CHEAP)


def test_the_widest_parameters_can_be_read() -> None:
    for cost in (Cost(1, 1, 1), Cost(20, 1, 1)):
        stored = PasswordHash(cost, b"salt", bytes(32))
        assert PasswordHash.decode(stored.encode()) == stored


def test_a_hash_that_asks_for_too_much_memory_matches_nothing() -> None:
    greedy = PasswordHash(Cost(20, 64, 1), b"salt", bytes(32)).encode()

    assert not verify_password(PASSWORD, greedy)


def test_a_hash_is_made_again_when_the_cost_changes() -> None:
    encoded = hash_password(PASSWORD, CHEAP)

    assert not needs_rehash(encoded, CHEAP)
    assert needs_rehash(encoded, Cost(log2_n=5))
    assert needs_rehash(encoded, Cost(log2_n=4, block_size=9))
    assert needs_rehash(encoded, Cost(log2_n=4, parallelization=4))


def test_composed_and_decomposed_characters_are_the_same_password() -> None:
    encoded = hash_password("caf\u00e9 au lait, bitte", CHEAP)

    assert verify_password("cafe\u0301 au lait, bitte", encoded)
    assert not verify_password("cafe au lait, bitte", encoded)


def test_digests_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def record(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return True

    monkeypatch.setattr(security.hmac, "compare_digest", record)
    encoded = hash_password(PASSWORD, CHEAP)

    assert verify_password("anything at all", encoded)
    assert [right for _, right in compared] == [PasswordHash.decode(encoded).digest]


def test_an_unknown_user_costs_as_much_as_a_wrong_password() -> None:
    encoded = hash_password(PASSWORD, PRODUCTION)

    def cheapest(work: object) -> float:
        seconds = []
        for _ in range(3):
            started = time.process_time()
            work()  # type: ignore[operator]
            seconds.append(time.process_time() - started)
        return min(seconds)

    known = cheapest(lambda: verify_password("wrong", encoded))
    unknown = cheapest(lambda: spend_verification_time("wrong", PRODUCTION))

    assert 0.5 < unknown / known < 2.0


def test_a_role_permits_what_lower_roles_may_do() -> None:
    permitted = {(actual, needed) for actual in Role for needed in Role if permits(actual, needed)}

    assert permitted == {
        (Role.USER, Role.USER),
        (Role.AUDITOR, Role.USER),
        (Role.AUDITOR, Role.AUDITOR),
        (Role.ADMIN, Role.USER),
        (Role.ADMIN, Role.AUDITOR),
        (Role.ADMIN, Role.ADMIN),
    }


SHORT = "It has fewer than 12 characters."
LONG = "It has more than 128 characters."
NAMED = "It contains the user name."
EASY = "It is easy to guess."


@pytest.mark.parametrize(
    ("password", "problems"),
    [
        ("eleven char", [SHORT]),
        ("good one " * 14 + "ok!", [LONG]),
        ("my name is ADA, hello", [NAMED]),
        ("PasswordPassword", [EASY]),
        ("abcabcabcabcabc", [EASY]),
        ("aaa", [SHORT, EASY]),
    ],
)
def test_a_bad_password_is_told_why(password: str, problems: list[str]) -> None:
    assert password_problems(password, "ada") == problems


def test_a_good_password_has_no_problems() -> None:
    for password in (PASSWORD, "twelve chars", "good one " * 14 + "ok", "abcdabcdabcdabcd"):
        assert password_problems(password, "ada") == []


def test_a_user_name_has_one_spelling() -> None:
    raw = ["ada", " Ada ", "a.b-c_9", "9" * 32]

    assert [normalized_user_name(name) for name in raw] == ["ada", "ada", "a.b-c_9", "9" * 32]


def test_a_user_name_of_other_signs_is_refused() -> None:
    for raw in ("", "ab", "a" * 33, "-ada", "ada lovelace", "ad\u0430", "ada\n;"):
        with pytest.raises(ValueError, match=r"^A user name has 3 to 32 .* a letter or a digit.$"):
            normalized_user_name(raw)

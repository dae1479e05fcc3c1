from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest

from app.core.jwt import (
    ALGORITHM,
    MAXIMUM_TOKEN_LENGTH,
    REQUIRED_CLAIMS,
    Claims,
    Refusal,
    TokenError,
    Tokens,
    Use,
    key_id,
)
from app.core.security import Role
from tests.helpers import OTHER_KEY, START, TEST_KEY, FakeClock, make_settings

NOW = int(START)


def issue(tokens: Tokens, use: Use = Use.ACCESS) -> tuple[str, Claims]:
    return tokens.issue(subject="ada", role=Role.AUDITOR, use=use, generation=3, session_id="s-1")


def payload(**changes: Any) -> dict[str, Any]:
    good = {
        "iss": "auth-service",
        "aud": "auth-service-api",
        "sub": "ada",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 900,
        "jti": "t-1",
        "sid": "s-1",
        "use": "access",
        "role": "user",
        "gen": 0,
    }
    return {**good, **changes}


def forge(
    claims: dict[str, Any], key: str = TEST_KEY, algorithm: str = ALGORITHM, kid: str | None = None
) -> str:
    return pyjwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid or key_id(TEST_KEY)})


def refusal(tokens: Tokens, token: str, use: Use = Use.ACCESS) -> Refusal:
    with pytest.raises(TokenError) as caught:
        tokens.verify(token, use)
    return caught.value.refusal


def segment(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("use", list(Use))
def test_an_issued_token_comes_back_with_its_claims(tokens: Tokens, use: Use) -> None:
    token, issued = issue(tokens, use)

    verified = tokens.verify(token, use)

    assert verified == issued
    assert (verified.subject, verified.role, verified.use) == ("ada", Role.AUDITOR, use)
    assert (verified.generation, verified.session_id) == (3, "s-1")


def test_a_token_names_all_required_claims_and_its_key(tokens: Tokens) -> None:
    token, claims = issue(tokens)

    raw = pyjwt.decode(token, options={"verify_signature": False})

    assert raw.keys() == set(REQUIRED_CLAIMS)
    assert raw["iss"] == "auth-service"
    assert raw["aud"] == "auth-service-api"
    assert (raw["iat"], raw["nbf"], raw["exp"]) == (NOW, NOW, NOW + 900)
    assert raw["jti"] == claims.token_id
    assert pyjwt.get_unverified_header(token) == {
        "alg": "HS256",
        "typ": "JWT",
        "kid": key_id(TEST_KEY),
    }


def test_two_tokens_never_share_an_id(tokens: Tokens) -> None:
    ids = {issue(tokens)[1].token_id for _ in range(50)}

    assert len(ids) == 50
    assert min(map(len, ids)) >= 22, "128 random bits are 22 characters of base64"


@pytest.mark.parametrize(("use", "seconds"), [(Use.ACCESS, 60), (Use.REFRESH, 7200)])
def test_the_lifetime_is_the_one_in_the_settings(
    tmp_path: Path, clock: FakeClock, use: Use, seconds: int
) -> None:
    settings = make_settings(tmp_path, access_token_seconds=60, refresh_token_seconds=7200)
    tokens = Tokens(settings, clock)

    _, claims = issue(tokens, use)

    assert claims.expires_at - claims.issued_at == seconds == tokens.lifetime_seconds(use)


@pytest.mark.parametrize(("after_expiry", "good"), [(0, True), (4, True), (5, False), (6, False)])
def test_a_token_ends_at_its_expiry_plus_the_leeway(
    tokens: Tokens, clock: FakeClock, after_expiry: int, good: bool
) -> None:
    token, claims = issue(tokens)
    clock.now = claims.expires_at + after_expiry

    if good:
        assert tokens.verify(token, Use.ACCESS) == claims
    else:
        assert refusal(tokens, token) is Refusal.EXPIRED


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead", "good"), [(5, True), (6, False)])
def test_a_token_from_the_future_is_good_only_within_the_leeway(
    tokens: Tokens, claim: str, ahead: int, good: bool
) -> None:
    token = forge(payload(**{claim: NOW + ahead}))

    if good:
        assert tokens.verify(token, Use.ACCESS).subject == "ada"
    else:
        assert refusal(tokens, token) is Refusal.NOT_YET_VALID


@pytest.mark.parametrize(("lifetime", "good"), [(900, True), (901, False), (10**9, False)])
def test_a_token_may_not_live_longer_than_the_service_grants(
    tokens: Tokens, lifetime: int, good: bool
) -> None:
    token = forge(payload(exp=NOW + lifetime))

    if good:
        assert tokens.verify(token, Use.ACCESS).expires_at == NOW + 900
    else:
        assert refusal(tokens, token) is Refusal.LIFETIME


@pytest.mark.parametrize(
    ("issued", "asked"), [(Use.ACCESS, Use.REFRESH), (Use.REFRESH, Use.ACCESS)]
)
def test_one_kind_of_token_does_not_serve_as_the_other(
    tokens: Tokens, issued: Use, asked: Use
) -> None:
    token, _ = issue(tokens, issued)

    assert refusal(tokens, token, asked) is Refusal.WRONG_USE


@pytest.mark.parametrize(
    ("claim", "value", "expected"),
    [
        ("iss", "someone-else", Refusal.ISSUER),
        ("iss", "", Refusal.ISSUER),
        ("aud", "another-api", Refusal.AUDIENCE),
        ("aud", ["another-api"], Refusal.AUDIENCE),
        ("role", "root", Refusal.MALFORMED),
        ("use", "admin", Refusal.MALFORMED),
        ("gen", "0", Refusal.MALFORMED),
        ("gen", True, Refusal.MALFORMED),
        ("exp", NOW + 0.5, Refusal.MALFORMED),
        ("iat", str(NOW), Refusal.MALFORMED),
        ("sid", 7, Refusal.MALFORMED),
        ("sub", 7, Refusal.MALFORMED),
    ],
)
def test_a_signed_token_with_a_wrong_claim_is_refused(
    tokens: Tokens, claim: str, value: object, expected: Refusal
) -> None:
    assert refusal(tokens, forge(payload(**{claim: value}))) is expected


def test_a_signed_token_without_a_required_claim_is_refused(tokens: Tokens) -> None:
    refusals = {}
    for claim in REQUIRED_CLAIMS:
        claims = payload()
        del claims[claim]
        refusals[claim] = refusal(tokens, forge(claims))

    assert refusals == dict.fromkeys(
        ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid", "use", "role", "gen"),
        Refusal.MISSING_CLAIM,
    )


def test_a_token_signed_with_another_key_is_refused(tokens: Tokens) -> None:
    assert refusal(tokens, forge(payload(), key=OTHER_KEY)) is Refusal.SIGNATURE


def test_a_token_that_names_an_unknown_key_is_refused(tokens: Tokens) -> None:
    token = forge(payload(), key=OTHER_KEY, kid=key_id(OTHER_KEY))

    assert refusal(tokens, token) is Refusal.UNKNOWN_KEY


def test_a_changed_payload_breaks_the_signature(tokens: Tokens) -> None:
    token, _ = issue(tokens)
    header, _, signature = token.split(".")
    raised = segment(payload(role="admin"))

    assert refusal(tokens, f"{header}.{raised}.{signature}") is Refusal.SIGNATURE


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "RS256"])
def test_no_other_algorithm_is_accepted(tokens: Tokens, algorithm: str) -> None:
    header = segment({"alg": algorithm, "typ": "JWT", "kid": key_id(TEST_KEY)})
    _, body, signature = forge(payload()).split(".")

    assert refusal(tokens, f"{header}.{body}.{signature}") in {
        Refusal.ALGORITHM,
        Refusal.MALFORMED,
    }


def test_a_good_signature_by_a_stronger_algorithm_is_refused_too(tokens: Tokens) -> None:
    long_key = TEST_KEY * 2

    assert refusal(tokens, forge(payload(), key=long_key, algorithm="HS512")) is Refusal.ALGORITHM


def test_what_is_not_a_token_is_malformed(tokens: Tokens) -> None:
    for text in ("", "a", "a.b", "a.b.c", "....", "\x00.\x00.\x00", "é.è.ê"):
        assert refusal(tokens, text) is Refusal.MALFORMED, text


def test_a_token_that_is_too_long_is_not_even_parsed(tokens: Tokens) -> None:
    longest = forge(payload(), kid="k" * 2000)
    padding = (MAXIMUM_TOKEN_LENGTH - len(longest)) * 3 // 4
    longest = forge(payload(), kid="k" * (2000 + padding))
    longest += "A" * (MAXIMUM_TOKEN_LENGTH - len(longest))

    assert len(longest) == MAXIMUM_TOKEN_LENGTH
    assert refusal(tokens, longest) is Refusal.UNKNOWN_KEY
    assert refusal(tokens, longest + "A") is Refusal.MALFORMED


def test_a_token_without_a_key_id_is_refused(tokens: Tokens) -> None:
    token = pyjwt.encode(payload(), TEST_KEY, algorithm=ALGORITHM)

    assert refusal(tokens, token) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize("year", [1, 100])
def test_only_the_given_clock_decides(tokens: Tokens, clock: FakeClock, year: int) -> None:
    clock.now = year * 365.25 * 24 * 3600
    token, claims = issue(tokens)

    assert tokens.verify(token, Use.ACCESS) == claims


def test_while_keys_are_changed_the_previous_one_verifies_but_does_not_sign(
    tmp_path: Path, clock: FakeClock
) -> None:
    before = Tokens(make_settings(tmp_path, jwt_secret_key=OTHER_KEY), clock)
    after = Tokens(make_settings(tmp_path, jwt_previous_secret_key=OTHER_KEY), clock)
    old, old_claims = issue(before)
    new, _ = issue(after)

    assert after.verify(old, Use.ACCESS) == old_claims
    assert pyjwt.get_unverified_header(new)["kid"] == key_id(TEST_KEY)
    assert refusal(before, new) is Refusal.UNKNOWN_KEY


def test_a_refusal_does_not_repeat_the_token(tokens: Tokens) -> None:
    with pytest.raises(TokenError) as caught:
        tokens.verify("very.secret.text", Use.ACCESS)

    assert str(caught.value) == "The token was refused: malformed."
    assert caught.value.__suppress_context__


def test_a_key_id_stays_the_same_from_release_to_release() -> None:
    assert key_id(TEST_KEY) == "add94bb9a2ea", "another id would end every session in the field"
    assert key_id(OTHER_KEY) != key_id(TEST_KEY)

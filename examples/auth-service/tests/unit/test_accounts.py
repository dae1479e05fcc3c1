from __future__ import annotations

from dataclasses import replace

import pytest

from app.accounts import Accounts, Denial, DeniedError
from app.core.config import Settings
from app.core.jwt import Tokens, Use
from app.core.security import Cost, PasswordHash, Role, needs_rehash
from app.store import Store
from tests.helpers import CHEAP, PASSWORD, FakeClock


@pytest.fixture
def ada(accounts: Accounts) -> str:
    return accounts.create("Ada", PASSWORD, Role.USER)


def denial(work: object, *arguments: object) -> Denial:
    with pytest.raises(DeniedError) as caught:
        work(*arguments)  # type: ignore[operator]
    return caught.value.denial


def test_a_login_gives_tokens_for_the_user(accounts: Accounts, ada: str) -> None:
    grant = accounts.log_in(" ADA ", PASSWORD)

    caller = accounts.caller(grant.access_token)
    assert caller.user.name == ada == "ada"
    assert grant.expires_in_seconds == 900


@pytest.mark.parametrize(
    ("name", "password"), [("ada", "wrong horse battery"), ("bob", PASSWORD), ("no/name", PASSWORD)]
)
def test_wrong_names_and_wrong_passwords_look_the_same(
    accounts: Accounts, ada: str, name: str, password: str
) -> None:
    assert denial(accounts.log_in, name, password) is Denial.BAD_CREDENTIALS


def test_an_inactive_user_looks_like_a_wrong_password(
    accounts: Accounts, store: Store, ada: str
) -> None:
    store.set_active(ada, False)

    assert denial(accounts.log_in, ada, PASSWORD) is Denial.BAD_CREDENTIALS


def test_an_account_locks_and_opens_again(
    accounts: Accounts, store: Store, clock: FakeClock, ada: str
) -> None:
    for _ in range(5):
        assert denial(accounts.log_in, ada, "wrong") is Denial.BAD_CREDENTIALS
    with pytest.raises(DeniedError) as caught:
        accounts.log_in(ada, PASSWORD)
    assert (caught.value.denial, caught.value.retry_after_seconds) == (Denial.LOCKED, 30)

    clock.advance(30)
    accounts.log_in(ada, PASSWORD)

    assert [user.attempts.failed for user in store.users()] == [0]


def test_a_locked_account_does_not_count_further_attempts(
    accounts: Accounts, store: Store, ada: str
) -> None:
    for _ in range(5):
        denial(accounts.log_in, ada, "wrong")

    assert denial(accounts.log_in, ada, "wrong") is Denial.LOCKED
    assert [user.attempts.failed for user in store.users()] == [5]


def test_a_login_brings_the_stored_hash_up_to_todays_cost(
    accounts: Accounts, store: Store, settings: Settings, tokens: Tokens, clock: FakeClock, ada: str
) -> None:
    dearer = Accounts(replace(settings, scrypt_log2_n=5), store, tokens, clock)

    dearer.log_in(ada, PASSWORD)

    stored = store.users()[0].password_hash
    assert PasswordHash.decode(stored).cost == Cost(log2_n=5)
    dearer.log_in(ada, PASSWORD)
    assert store.users()[0].password_hash == stored, "the second login has nothing to renew"
    assert needs_rehash(stored, CHEAP)


def test_a_refresh_token_is_spent_by_its_use(accounts: Accounts, ada: str) -> None:
    first = accounts.log_in(ada, PASSWORD)

    second = accounts.refresh(first.refresh_token)
    third = accounts.refresh(second.refresh_token)

    assert accounts.caller(third.access_token).user.name == ada
    assert len({grant.refresh_token for grant in (first, second, third)}) == 3


def test_a_refresh_token_used_twice_ends_the_session(accounts: Accounts, ada: str) -> None:
    elsewhere = accounts.log_in(ada, PASSWORD)
    first = accounts.log_in(ada, PASSWORD)
    second = accounts.refresh(first.refresh_token)

    assert denial(accounts.refresh, first.refresh_token) is Denial.INVALID_TOKEN
    assert denial(accounts.refresh, second.refresh_token) is Denial.INVALID_TOKEN
    assert denial(accounts.caller, second.access_token) is Denial.INVALID_TOKEN
    assert accounts.caller(elsewhere.access_token).user.name == ada


def test_a_logout_ends_one_session(accounts: Accounts, ada: str) -> None:
    here, there = accounts.log_in(ada, PASSWORD), accounts.log_in(ada, PASSWORD)

    accounts.log_out(accounts.caller(here.access_token))

    assert denial(accounts.caller, here.access_token) is Denial.INVALID_TOKEN
    assert denial(accounts.refresh, here.refresh_token) is Denial.INVALID_TOKEN
    assert accounts.caller(there.access_token).user.name == ada


def test_an_access_token_does_not_refresh_and_a_refresh_token_does_not_call(
    accounts: Accounts, ada: str
) -> None:
    grant = accounts.log_in(ada, PASSWORD)

    assert denial(accounts.refresh, grant.access_token) is Denial.INVALID_TOKEN
    assert denial(accounts.caller, grant.refresh_token) is Denial.INVALID_TOKEN


def test_a_token_dies_with_its_user(accounts: Accounts, store: Store, ada: str) -> None:
    grant = accounts.log_in(ada, PASSWORD)
    store.set_active(ada, False)
    assert denial(accounts.caller, grant.access_token) is Denial.INVALID_TOKEN

    store.set_active(ada, True)
    assert denial(accounts.caller, grant.access_token) is Denial.INVALID_TOKEN


def test_a_token_for_a_session_of_someone_else_is_refused(
    accounts: Accounts, store: Store, tokens: Tokens, ada: str
) -> None:
    accounts.create("bob", PASSWORD, Role.USER)
    session_id = accounts.caller(accounts.log_in(ada, PASSWORD).access_token).claims.session_id

    def token(subject: str, generation: int = 0, session: str = session_id) -> str:
        return tokens.issue(
            subject=subject,
            role=Role.USER,
            use=Use.ACCESS,
            generation=generation,
            session_id=session,
        )[0]

    assert accounts.caller(token("ada")).user.name == "ada"
    for bad in (token("bob"), token("eve"), token("ada", 1), token("ada", session="none")):
        assert denial(accounts.caller, bad) is Denial.INVALID_TOKEN


def test_the_stored_role_counts_and_not_the_one_in_the_token(
    accounts: Accounts, store: Store, ada: str
) -> None:
    store.set_role(ada, Role.ADMIN)
    grant = accounts.log_in(ada, PASSWORD)
    accounts.caller(grant.access_token).require(Role.ADMIN)

    store.set_role(ada, Role.USER)

    caller = accounts.caller(grant.access_token)
    assert caller.claims.role is Role.ADMIN
    assert denial(caller.require, Role.AUDITOR) is Denial.FORBIDDEN


def test_a_change_of_password_asks_for_the_current_one(accounts: Accounts, ada: str) -> None:
    caller = accounts.caller(accounts.log_in(ada, PASSWORD).access_token)

    assert denial(accounts.change_password, caller, "wrong", "a new long password") is (
        Denial.BAD_CREDENTIALS
    )
    assert denial(accounts.change_password, caller, PASSWORD, "short") is Denial.WEAK_PASSWORD
    accounts.change_password(caller, PASSWORD, "a new long password")

    assert denial(accounts.log_in, ada, PASSWORD) is Denial.BAD_CREDENTIALS
    accounts.log_in(ada, "a new long password")


def test_a_stolen_token_does_not_help_to_guess_the_password(accounts: Accounts, ada: str) -> None:
    token = accounts.log_in(ada, PASSWORD).access_token
    for _ in range(5):
        denial(accounts.change_password, accounts.caller(token), "wrong", "a new long password")

    refused = denial(
        accounts.change_password, accounts.caller(token), PASSWORD, "a new long password"
    )

    assert refused is Denial.LOCKED


def test_a_weak_password_is_refused_with_every_reason(accounts: Accounts, store: Store) -> None:
    with pytest.raises(DeniedError) as caught:
        accounts.create("ada", "ada", Role.USER)

    assert caught.value.denial is Denial.WEAK_PASSWORD
    assert len(caught.value.problems) == 3
    assert store.users() == []

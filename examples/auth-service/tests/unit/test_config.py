from __future__ import annotations

from pathlib import Path

import pytest

from app.core.config import ConfigError, Environment, Settings
from tests.helpers import OTHER_KEY, TEST_KEY

GOOD = {"JWT_SECRET_KEY": TEST_KEY}


def test_only_the_key_is_required() -> None:
    settings = Settings.from_environ(GOOD)

    assert settings == Settings(jwt_secret_key=TEST_KEY)
    assert settings.environment is Environment.PRODUCTION
    assert settings.redis_url is None


def test_every_variable_reaches_its_setting() -> None:
    settings = Settings.from_environ(
        {
            "JWT_SECRET_KEY": TEST_KEY,
            "JWT_PREVIOUS_SECRET_KEY": OTHER_KEY,
            "JWT_ISSUER": "issuer",
            "JWT_AUDIENCE": "audience",
            "ACCESS_TOKEN_SECONDS": "1",
            "REFRESH_TOKEN_SECONDS": "2",
            "CLOCK_LEEWAY_SECONDS": "3",
            "DATABASE_PATH": "/somewhere/db",
            "REDIS_URL": "rediss://cache:6379/4",
            "REDIS_PREFIX": "prefix",
            "RATE_LIMIT_ATTEMPTS": "5",
            "RATE_LIMIT_WINDOW_SECONDS": "6",
            "LOCKOUT_ATTEMPTS": "7",
            "LOCKOUT_SECONDS": "8",
            "LOCKOUT_MAX_SECONDS": "9",
            "SCRYPT_LOG2_N": "15",
            "ENVIRONMENT": "staging",
            "GIT_SHA": "deadbeef",
        }
    )

    assert settings == Settings(
        jwt_secret_key=TEST_KEY,
        jwt_previous_secret_key=OTHER_KEY,
        jwt_issuer="issuer",
        jwt_audience="audience",
        access_token_seconds=1,
        refresh_token_seconds=2,
        clock_leeway_seconds=3,
        database_path=Path("/somewhere/db"),
        redis_url="rediss://cache:6379/4",
        redis_prefix="prefix",
        rate_limit_attempts=5,
        rate_limit_window_seconds=6,
        lockout_attempts=7,
        lockout_seconds=8,
        lockout_max_seconds=9,
        scrypt_log2_n=15,
        environment=Environment.STAGING,
        git_sha="deadbeef",
    )


def test_an_empty_variable_counts_as_absent() -> None:
    empty = dict.fromkeys(("REDIS_URL", "GIT_SHA", "LOCKOUT_SECONDS", "ENVIRONMENT"), "")

    assert Settings.from_environ({**GOOD, **empty}) == Settings.from_environ(GOOD)


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("", "JWT_SECRET_KEY is not set"),
        ("k" * 31, "JWT_SECRET_KEY has 31 bytes"),
        ("abcdefgh-0123456789-ijklmnopqr", "JWT_SECRET_KEY has 30 bytes"),
        ("changeme-changeme-changeme-changeme", "looks like a placeholder"),
        ("Your-Secret-key-goes-here-0123456789", "looks like a placeholder"),
        ("abcabcabcabcabcabcabcabcabcabcabcabc", "repeats a few characters"),
    ],
)
def test_a_weak_key_is_refused(key: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Settings.from_environ({"JWT_SECRET_KEY": key})


def test_the_length_of_a_key_is_counted_in_bytes() -> None:
    key = "äöüßéèêë" * 2

    assert len(key) == 16
    assert Settings.from_environ({"JWT_SECRET_KEY": key}).jwt_secret_key == key


def test_the_previous_key_must_be_as_good() -> None:
    with pytest.raises(ConfigError, match="JWT_PREVIOUS_SECRET_KEY has 5 bytes"):
        Settings.from_environ({**GOOD, "JWT_PREVIOUS_SECRET_KEY": "short"})


def test_no_secret_is_in_the_text_of_the_settings() -> None:
    settings = Settings.from_environ(
        {
            **GOOD,
            "JWT_PREVIOUS_SECRET_KEY": OTHER_KEY,
            "REDIS_URL": "redis://:hunter2@cache/0",
        }
    )

    text = repr(settings)

    assert TEST_KEY not in text
    assert OTHER_KEY not in text
    assert "hunter2" not in text


def test_a_refused_key_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_environ({"JWT_SECRET_KEY": "short-but-secret"})

    assert "short-but-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("ACCESS_TOKEN_SECONDS", 1, 86_400),
        ("CLOCK_LEEWAY_SECONDS", 0, 60),
        ("RATE_LIMIT_ATTEMPTS", 1, 1_000_000),
        ("LOCKOUT_ATTEMPTS", 1, 100),
        ("SCRYPT_LOG2_N", 14, 17),
    ],
)
def test_numbers_have_limits(name: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        settings = Settings.from_environ({**GOOD, name: str(value)})
        assert getattr(settings, name.lower()) == value
    for value in (lowest - 1, highest + 1):
        with pytest.raises(ConfigError, match=f"{name} is {value}; expected {lowest} to {highest}"):
            Settings.from_environ({**GOOD, name: str(value)})


def test_a_number_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match="LOCKOUT_SECONDS is 'soon'; expected a whole number"):
        Settings.from_environ({**GOOD, "LOCKOUT_SECONDS": "soon"})


def test_a_cheap_hash_is_for_tests_only() -> None:
    cheap = {**GOOD, "SCRYPT_LOG2_N": "4"}

    assert Settings.from_environ({**cheap, "ENVIRONMENT": "test"}).scrypt_log2_n == 4
    with pytest.raises(ConfigError, match="SCRYPT_LOG2_N is 4"):
        Settings.from_environ({**cheap, "ENVIRONMENT": "staging"})


def test_an_access_token_may_not_outlive_its_session() -> None:
    with pytest.raises(ConfigError, match="ACCESS_TOKEN_SECONDS is longer"):
        Settings.from_environ({**GOOD, "ACCESS_TOKEN_SECONDS": "61", "REFRESH_TOKEN_SECONDS": "60"})


def test_an_unknown_environment_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="one of: production, staging, test"):
        Settings.from_environ({**GOOD, "ENVIRONMENT": "prod"})


def test_a_redis_url_of_another_kind_is_refused_unread() -> None:
    with pytest.raises(ConfigError, match="REDIS_URL must start with") as caught:
        Settings.from_environ({**GOOD, "REDIS_URL": "http://:hunter2@cache"})

    assert "hunter2" not in str(caught.value)

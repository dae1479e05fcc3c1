"""What must be in no text: known secrets, whatever they hold, and tokens of anybody."""

from __future__ import annotations

import pytest
from ci_kit.smoke_and_rollback.redact import HIDDEN, redact, sounds_secret
from hypothesis import given
from hypothesis import strategies as st
from unit.smoke_doubles import TOKEN

SECRETS = st.text(alphabet="abc.+\\$ü", min_size=4, max_size=8)


@given(st.lists(SECRETS, min_size=1, max_size=4), st.lists(st.text(alphabet="abcx ", max_size=4), max_size=4))
def test_no_known_secret_is_left(secrets: list[str], words: list[str]) -> None:
    text = "|".join([*secrets, *words])
    found = redact(text, secrets)
    assert not any(secret in found for secret in secrets)


def test_a_secret_within_another_leaves_no_rest() -> None:
    assert redact("the words: correct horse battery", ["correct", "correct horse battery"]) == f"the words: {HIDDEN}"


def test_a_token_of_anybody_is_hidden() -> None:
    assert redact(f"Bearer {TOKEN}, please", ()) == f"Bearer {HIDDEN}, please"


@pytest.mark.parametrize(
    "name",
    ["SMOKE_PASSWORD", "password", "$.access_token", "GRAFANA_TOKEN", "SLACK_WEBHOOK_URL", "api-key", "SIGNING_KEY"],
)
def test_names_of_secrets(name: str) -> None:
    assert sounds_secret(name)


@pytest.mark.parametrize("name", ["SMOKE_USER", "BASE_URL", "GITHUB_SHA", "$.user", "TESTS_PASSED", "KEYS", "MONKEY"])
def test_names_of_other_things(name: str) -> None:
    assert not sounds_secret(name)

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.accounts import Accounts
from app.core.config import Settings
from app.core.jwt import Tokens
from app.store import Store
from tests.helpers import TEST_KEY, FakeClock, make_settings


@pytest.fixture
def signing_key() -> str:
    """The pipeline's key; a fork's pull request and a laptop have none and get one for tests."""
    return os.environ.get("JWT_SECRET_KEY") or TEST_KEY


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    store = Store(settings.database_path)
    store.migrate()
    return store


@pytest.fixture
def tokens(settings: Settings, clock: FakeClock) -> Tokens:
    return Tokens(settings, clock)


@pytest.fixture
def accounts(settings: Settings, store: Store, tokens: Tokens, clock: FakeClock) -> Accounts:
    return Accounts(settings, store, tokens, clock)

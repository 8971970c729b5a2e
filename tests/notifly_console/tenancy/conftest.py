from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests.conftest import PASSWORD


@pytest.fixture(autouse=True)
def _no_attempts_yet(db: None) -> Iterator[None]:
    """Throttles count in the cache's table, which is shared by all tests of a run."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def attempt() -> Any:
    """`attempt(client, email, password)` posts the sign-in form."""

    def send(client: Client, email: str, password: str = PASSWORD, **more: Any) -> Any:
        headers = more.pop("headers", None)
        return client.post("/accounts/login/", {"login": email, "password": password, **more}, headers=headers)

    return send

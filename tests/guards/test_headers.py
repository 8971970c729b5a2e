"""Every address and every error page answers with the same strict headers."""

from typing import Any

import pytest
from django.test import Client

from tests.guards import observatory
from tests.guards.site import every_url

pytestmark = pytest.mark.once

LOWEST = 130


@pytest.fixture
def https(settings: Any) -> None:
    """As a console behind TLS is set: the marks that a loopback console can't carry."""
    settings.HTTPS = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = settings.LANGUAGE_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS = 63_072_000


def check(response: Any, what: str) -> None:
    found = observatory.modifiers(response)
    assert not {rule for rule, change in found.items() if change < 0}, (what, found)
    assert observatory.score(response) >= LOWEST, (what, found)
    assert "unsafe" not in response.headers["Content-Security-Policy"], what


@pytest.mark.parametrize("who", ["", "owner", "viewer", "stranger"])
def test_every_address_scores(world: Any, sign_in: Any, https: None, who: str) -> None:
    client = sign_in(who) if who else Client()
    for url in every_url(world):
        if url != "/accounts/logout/":
            for method in (client.get, client.post):
                check(method(url, secure=True), f"{method.__name__} {url}")


def test_error_pages_score(world: Any, sign_in: Any, https: None, settings: Any, monkeypatch: Any) -> None:
    client = sign_in("owner")
    client.raise_request_exception = False
    check(client.get("/nothing/here", secure=True), "404")
    check(client.get("/", secure=True, headers={"host": "evil.example"}), "400")
    strict = Client(enforce_csrf_checks=True)
    check(strict.post("/accounts/login/", {}, secure=True), "403 csrf")

    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("notifly_console.pages.last_access", broken)
    response = client.get("/", secure=True)
    assert response.status_code == 500
    check(response, "500")


def test_the_scorer_notices_what_is_wrong(world: Any, sign_in: Any, https: None) -> None:
    response = sign_in("owner").get(f"/projects/{world.project.hex}/cohorts/", secure=True)
    good = observatory.score(response)
    for header in ("Content-Security-Policy", "X-Content-Type-Options", "Strict-Transport-Security"):
        kept = response.headers.pop(header)
        assert observatory.score(response) < good, header
        response.headers[header] = kept


def test_a_signed_in_page_is_kept_by_no_cache(world: Any, sign_in: Any) -> None:
    response = sign_in("viewer").get(f"/projects/{world.project.hex}/cohorts/")
    assert "no-store" in response.headers["Cache-Control"]

"""The database is away: every page says so at once, in a way that a press is sent again (console.js)."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext


@pytest.fixture
def away(world: Any) -> Any:
    """`with away:` no statement reaches the database."""

    def refuse(*_args: Any) -> Any:
        raise OperationalError("server closed the connection unexpectedly")

    return connection.execute_wrapper(refuse)


@pytest.mark.parametrize(
    "path", ["/", "/me/", "/accounts/login/", "/projects/{}/cohorts/", "/projects/{}/cohorts/live"]
)
def test_every_page_says_that_the_database_is_away(world: Any, sign_in: Any, away: Any, path: str) -> None:
    client = sign_in("marketer", raise_request_exception=False)
    address = path.format(world.id.hex)
    with away:
        response = client.get(address)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response["Cache-Control"] == "no-store"
    assert "데이터베이스가 응답하지 않습니다" in response.content.decode()
    assert f'href="{address}"' in response.content.decode(), "the way to try again"


def test_a_press_that_was_not_taken_leads_back_to_where_the_button_is(world: Any, sign_in: Any, away: Any) -> None:
    client = sign_in("marketer", raise_request_exception=False)
    page = f"/projects/{world.id.hex}/cohorts/"
    with away:
        response = client.post(f"{page}refresh", headers={"Referer": f"http://testserver{page}?page=2"})
        unknown = client.post(f"{page}refresh", headers={"Referer": "http://elsewhere.example/"})
    assert (response.status_code, unknown.status_code) == (503, 503)
    assert f'href="{page}?page=2"' in response.content.decode()
    assert "elsewhere" not in unknown.content.decode()
    assert 'href="/"' in unknown.content.decode()


def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(world: Any, client: Client) -> None:
    profiles = f"/projects/{world.id.hex}/profiles/"
    response = client.post(f"{profiles}search", {"q": "a"}, headers={"Referer": f"http://testserver{profiles}"})
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next=%2Fprojects%2F{world.id.hex}%2Fprofiles%2F"
    hostile = client.post(f"{profiles}search", headers={"Referer": "http://testserver//elsewhere.example/"})
    assert hostile["Location"] == "/accounts/login/?next=%2Felsewhere.example%2F"


def test_a_press_that_sends_nothing_else_can_be_repeated_from_the_page(world: Any, sign_in: Any, away: Any) -> None:
    client = sign_in("marketer", raise_request_exception=False)
    with away:
        pressed = client.post(f"/projects/{world.id.hex}/cohorts/refresh", {"from": "cohort"}).content.decode()
        typed = client.post("/me/name/", {"name": "비밀"}).content.decode()
    assert f'<form method="post" action="/projects/{world.id.hex}/cohorts/refresh">' in pressed
    assert 'name="csrfmiddlewaretoken"' in pressed
    assert '<input type="hidden" name="from" value="cohort">' in pressed
    assert "<form" not in typed
    assert "비밀" not in typed, "what people typed isn't written back"


@pytest.mark.parametrize("method", ["get", "head"])
def test_the_probe_of_the_process_asks_nobody(world: Any, sign_in: Any, away: Any, method: str) -> None:
    client = sign_in("marketer", raise_request_exception=False)
    with away, CaptureQueriesContext(connection) as captured:
        alive = getattr(client, method)("/healthz")
        ready = getattr(client, method)("/readyz")
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert ready["Content-Type"] == "application/json"
    assert not [query for query in captured if "session" in str(query["sql"])]
    assert not alive.cookies

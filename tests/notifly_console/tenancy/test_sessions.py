"""When a session ends, and where a person is signed in."""

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from notifly_console.tenancy.models import Session, User
from tests.conftest import PASSWORD

OWNER = "owner@harutable.example"
START = "2026-11-25T03:00:00Z"


@pytest.fixture
def signed_in(world: Any, attempt: Any, time_machine: Any) -> Any:
    time_machine.move_to(START, tick=False)
    client = Client()
    attempt(client, OWNER)
    return client


def test_half_an_hour_without_an_act_ends_it(signed_in: Client, time_machine: Any) -> None:
    time_machine.shift(29 * 60)
    assert signed_in.get("/me/").status_code == 200
    time_machine.shift(31 * 60)
    ended = signed_in.get("/me/")
    assert ended.headers["Location"] == "/accounts/login/?next=%2Fme%2F&ended=1"
    assert "세션이 끝났습니다" in signed_in.get(ended.headers["Location"]).content.decode()


def test_a_page_that_asks_by_itself_is_no_act(signed_in: Client, time_machine: Any) -> None:
    for _ in range(31):
        time_machine.shift(60)
        last = signed_in.get("/me/", headers={"X-Console-Poll": "1"})
    assert last.status_code == 302


def test_twelve_hours_end_it_whatever_one_does(signed_in: Client, time_machine: Any) -> None:
    for _ in range(29):
        time_machine.shift(25 * 60)
        last = signed_in.get("/me/")
    assert last.status_code == 302


def test_a_fragment_is_told_to_load_the_sign_in_page(signed_in: Client, time_machine: Any) -> None:
    time_machine.shift(31 * 60)
    answer = signed_in.get("/me/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/projects/"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=%2Fprojects%2F&ended=1"
    assert answer.content == b""


def test_a_visitor_who_was_never_here_is_told_of_no_session(world: Any, client: Client) -> None:
    assert client.get("/me/").headers["Location"] == "/accounts/login/?next=%2Fme%2F"


def test_changing_the_password_ends_all_others(signed_in: Client, attempt: Any) -> None:
    other = Client()
    attempt(other, OWNER)
    new = "a wholly different sentence"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    wrong = signed_in.post("/accounts/password/change/", form | {"oldpassword": "not this one"})
    assert wrong.status_code == 422
    assert other.get("/me/").status_code == 200
    assert signed_in.post("/accounts/password/change/", form).headers["Location"] == "/me/"
    assert other.get("/me/").status_code == 302
    assert signed_in.get("/me/").status_code == 200


def places(client: Client) -> list[str]:
    return re.findall(r'name="session" value="([0-9a-f]{40})"', client.get("/me/").content.decode())


def test_one_sees_and_ends_ones_own_sessions(signed_in: Client, attempt: Any, sign_in: Any) -> None:
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"
    other = Client(headers={"User-Agent": agent})
    attempt(other, OWNER)
    stranger = sign_in("stranger")
    stranger.get("/me/")
    page = signed_in.get("/me/").content.decode()
    assert "Chrome · Windows" in page
    assert other.session.session_key not in page
    (place,) = places(signed_in)
    stranger.post("/me/sessions/end/", {"session": place})
    assert other.get("/me/").status_code == 200, "nobody else's sessions can be ended"
    signed_in.post("/me/sessions/end/", {"session": place})
    assert other.get("/me/").status_code == 302
    assert places(signed_in) == []


def test_one_ends_all_others_at_once(signed_in: Client, attempt: Any) -> None:
    others = [Client() for _ in range(2)]
    for other in others:
        attempt(other, OWNER)
    signed_in.post("/me/sessions/end/", {"session": "others"})
    assert [other.get("/me/").status_code for other in others] == [302, 302]
    assert signed_in.get("/me/").status_code == 200


# -- What a copy of the database is worth ------------------------------------------------------------------------------
def thief(cookie: str) -> Client:
    client = Client()
    client.cookies["sessionid"] = cookie
    return client


def test_the_id_of_a_row_is_nobodys_cookie(signed_in: Client) -> None:
    row = Session.objects.get()
    key = signed_in.session.session_key
    assert row.session_key != key
    assert thief(row.session_key).get("/me/").status_code == 302
    assert thief(key).get("/me/").status_code == 200


def test_a_session_from_before_keys_were_digested_is_signed_out(signed_in: Client) -> None:
    Session.objects.update(session_key=signed_in.session.session_key)
    assert signed_in.get("/me/").headers["Location"] == "/accounts/login/?next=%2Fme%2F&ended=1"


def test_a_new_key_leaves_no_row_under_the_old_one(signed_in: Client) -> None:
    session = signed_in.session
    before = session.session_key
    assert session.exists(before)
    session.cycle_key()
    assert session.session_key != before
    assert not session.exists(before)
    assert Session.objects.count() == 1
    session.flush()
    assert Session.objects.count() == 0


def test_what_has_expired_is_cleared_away(signed_in: Client, attempt: Any, time_machine: Any) -> None:
    time_machine.shift(12 * 3600 - 60)
    attempt(Client(), OWNER)
    time_machine.shift(120)
    call_command("clearsessions")
    assert Session.objects.count() == 1


# -- The person comes with the session -------------------------------------------------------------------------------
def test_session_and_person_are_one_statement(signed_in: Client) -> None:
    signed_in.get("/me/")
    with CaptureQueriesContext(connection) as captured:
        signed_in.get("/accounts/logout/")
    tables = [re.search(r'FROM "(\w+)"', query["sql"])[1] for query in captured if query["sql"].startswith("SELECT")]
    assert tables[:1] == ["tenancy_session"]
    assert "tenancy_user" not in tables


def test_a_closed_account_is_out_at_once(signed_in: Client) -> None:
    User.objects.filter(email=OWNER).update(is_active=False)
    assert signed_in.get("/me/").status_code == 302


def test_a_person_who_is_gone_is_out_at_once(signed_in: Client) -> None:
    Session.objects.update(user=None)
    assert signed_in.get("/me/").status_code == 200, "the session's own data say whom it signs in"
    User.objects.filter(email=OWNER).delete()
    assert signed_in.get("/me/").status_code == 302


def test_a_session_row_names_another_person(signed_in: Client, world: Any) -> None:
    """What the signed data say counts, not the column beside them."""
    Session.objects.update(user=world.people["viewer"])
    assert OWNER in signed_in.get("/me/").content.decode()


def test_a_key_that_was_replaced_still_opens_sessions(signed_in: Client, settings: Any) -> None:
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-" + old, [old]
    assert signed_in.get("/me/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert signed_in.get("/me/").status_code == 200, "it was signed anew meanwhile"


def test_a_key_that_nobody_knows_opens_none(signed_in: Client, settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-" + settings.SECRET_KEY, []
    assert signed_in.get("/me/").status_code == 302

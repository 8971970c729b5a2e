"""Signing in: who gets in, what a guesser learns, and where one lands."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from notifly_console.audit.models import Entry
from tests.conftest import PASSWORD

OWNER = "owner@harutable.example"


def without_tokens(response: Any) -> bytes:
    text = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]*"', b"", response.content)
    return re.sub(rb'value="[^"]*@[^"]*"', b"", text)


def test_the_labels_are_the_documented_ones(client: Client) -> None:
    page = client.get("/accounts/login/").content.decode()
    for word in ("로그인", "이메일", "비밀번호"):
        assert word in page


def test_signing_in_leads_home_with_a_new_session(world: Any, client: Client, attempt: Any) -> None:
    client.post("/language", {"language": "ko"})
    session = client.session
    session["planted"] = "1"
    session.save()
    planted = session.session_key
    client.cookies["sessionid"] = planted
    response = attempt(client, OWNER)
    assert response.status_code == 302
    assert client.session.session_key != planted, "a session id that somebody planted is worth nothing"
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert thief.get("/me/").status_code == 302


@pytest.mark.parametrize("address", [OWNER, OWNER.upper(), f" {OWNER} "])
def test_an_address_is_the_same_however_it_is_typed(world: Any, client: Client, attempt: Any, address: str) -> None:
    assert attempt(client, address).status_code == 302


def test_a_wrong_password_and_an_unknown_address_look_the_same(world: Any, attempt: Any) -> None:
    known, unknown = attempt(Client(), OWNER, "wrong wrong wrong"), attempt(Client(), "nobody@x.example", "wrong")
    assert known.status_code == unknown.status_code == 422
    assert without_tokens(known) == without_tokens(unknown)
    assert "이메일이나 비밀번호가 맞지 않습니다" in known.content.decode()
    assert "wrong wrong wrong" not in known.content.decode()


def test_a_password_is_hashed_for_an_unknown_address_too(world: Any, attempt: Any, monkeypatch: Any) -> None:
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    hashed = []
    encode = PBKDF2PasswordHasher.encode
    monkeypatch.setattr(
        PBKDF2PasswordHasher, "encode", lambda self, *a, **k: (hashed.append(1), encode(self, *a, **k))[1]
    )
    attempt(Client(), "nobody@x.example", "wrong")
    unknown = len(hashed)
    attempt(Client(), OWNER, "wrong")
    assert unknown == len(hashed) - unknown == 1


@pytest.mark.parametrize("address", [OWNER, "nobody@x.example"])
def test_the_sixth_attempt_is_refused_before_anything_is_hashed(
    world: Any, attempt: Any, address: str, monkeypatch: Any
) -> None:
    client = Client()
    for _ in range(5):
        assert attempt(client, address, "wrong").status_code == 422
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    def must_not(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("hashed")

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", must_not)
    refused = attempt(client, address, PASSWORD)
    assert refused.status_code == 429
    assert "너무 많았습니다" in refused.content.decode()


def test_a_guesser_elsewhere_locks_nobody_out(world: Any, attempt: Any) -> None:
    for _ in range(6):
        Client(REMOTE_ADDR="203.0.113.9").post("/accounts/login/", {"login": OWNER, "password": "wrong"})
    assert attempt(Client(REMOTE_ADDR="198.51.100.7"), OWNER).status_code == 302


def test_guesses_from_many_networks_wait_but_a_known_browser_doesnt(world: Any, attempt: Any) -> None:
    known = Client(REMOTE_ADDR="198.51.100.7")
    assert attempt(known, OWNER).status_code == 302
    known.post("/accounts/logout/")
    for n in range(21):
        last = attempt(Client(REMOTE_ADDR=f"203.0.{n}.9"), OWNER, "wrong")
    assert last.status_code == 429
    assert attempt(known, OWNER).status_code == 302


def test_the_wait_ends_after_fifteen_minutes(world: Any, attempt: Any, time_machine: Any) -> None:
    time_machine.move_to("2026-11-25T03:00:00Z", tick=False)
    for _ in range(6):
        attempt(Client(), OWNER, "wrong")
    time_machine.move_to("2026-11-25T03:16:00Z", tick=False)
    assert attempt(Client(), OWNER).status_code == 302


@pytest.mark.parametrize(
    "onward",
    ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example/", "javascript:alert(1)",
     "http:///evil.example", "\t//evil.example", "/%09/evil.example\n//evil.example"],
)  # fmt: skip
def test_next_never_leads_away(world: Any, client: Client, attempt: Any, onward: str) -> None:
    response = attempt(client, OWNER, next=onward)
    location = response.headers["Location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "evil.example" not in location or location.startswith("/%09")


def test_next_leads_on_inside(world: Any, client: Client, attempt: Any) -> None:
    assert attempt(client, OWNER, next="/me/").headers["Location"] == "/me/"


def test_logout_is_by_post_only_and_ends_the_session_on_the_server(world: Any, sign_in: Any) -> None:
    client = sign_in("owner")
    key = client.session.session_key
    assert client.get("/accounts/logout/").status_code == 405
    assert client.get("/me/").status_code == 200
    client.post("/accounts/logout/")
    thief = Client()
    thief.cookies["sessionid"] = key
    assert thief.get("/me/").status_code == 302


@pytest.mark.parametrize("path", ["signup/", "email/", "confirm-email/", "social/login/", "password/set/", ""])
def test_pages_that_the_console_doesnt_offer_dont_exist(world: Any, sign_in: Any, path: str) -> None:
    assert sign_in("owner").get(f"/accounts/{path}").status_code == 404


def test_a_disabled_account_stays_out(world: Any, client: Client, attempt: Any) -> None:
    world.people["owner"].is_active = False
    world.people["owner"].save()
    assert attempt(client, OWNER).headers["Location"] == "/accounts/inactive/"
    assert client.get("/me/").status_code == 302


# -- A forgotten password ---------------------------------------------------------------------------------------------
def ask(email: str) -> Any:
    return Client().post("/accounts/password/reset/", {"email": email})


def test_asking_for_a_new_password_tells_nothing(world: Any) -> None:
    known, unknown = ask(OWNER), ask("nobody@x.example")
    assert (known.status_code, known.headers["Location"]) == (unknown.status_code, unknown.headers["Location"])
    assert [message.to for message in mail.outbox] == [[OWNER], ["nobody@x.example"]]
    assert "계정이 없습니다" in mail.outbox[1].body


def test_a_mailed_link_sets_a_password_once_and_ends_every_session(world: Any, sign_in: Any, attempt: Any) -> None:
    elsewhere = sign_in("owner")
    ask(OWNER)
    link = re.search(r"http://testserver(/accounts/\S+)", mail.outbox[0].body)[1]  # type: ignore[index]
    client = Client()
    form = client.get(link).headers["Location"]
    new = "a wholly different sentence"
    short = client.post(form, {"password1": "short", "password2": "short"})
    assert short.status_code == 422
    done = client.post(form, {"password1": new, "password2": new})
    assert done.headers["Location"] == "/accounts/password/reset/done/"
    assert elsewhere.get("/me/").status_code == 302
    assert attempt(Client(), OWNER, PASSWORD).status_code == 422
    assert attempt(Client(), OWNER, new).status_code == 302
    again = Client().get(link)
    assert "쓸 수 없는 링크" in again.content.decode()
    assert Entry.objects.filter(action="password_changed", project_id=world.id).count() == 1


def test_the_fourth_mail_in_a_minute_is_refused(world: Any) -> None:
    assert [ask(OWNER).status_code for _ in range(4)] == [302, 302, 302, 429]


@pytest.mark.parametrize(
    ("onward", "leads_to"),
    [
        ("/me/", "/me/"),
        ("/me/?tab=1#places", "/me/?tab=1#places"),
        ("home", "/"),
        ("tenancy:mypage", "/"),
        ("a\x00b", "/"),
        ("//elsewhere.example", "/"),
        ("/\\elsewhere.example", "/"),
        ("https://elsewhere.example/", "/"),
        ("", "/"),
    ],
)
def test_choosing_a_language_leads_back_within_the_console_only(
    client: Client, db: None, onward: str, leads_to: str
) -> None:
    response = client.post("/language", {"language": "ja", "next": onward})
    assert (response.status_code, response["Location"]) == (302, leads_to)
    assert client.cookies["console_language"].value == "ja"

"""Second factors: required where a project says so, used once, sealed at rest."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from notifly_console.lib.crypto import CannotOpen, KeyRing
from notifly_console.tenancy import seeds
from notifly_console.tenancy.models import Project
from tests.notifly_console.tenancy.totp import code_now, set_up

OWNER = "owner@harutable.example"


@pytest.fixture
def clock(time_machine: Any) -> Any:
    time_machine.move_to("2026-11-25T03:00:00Z", tick=False)
    return time_machine


def test_a_code_is_asked_for_and_works_once(world: Any, sign_in: Any, attempt: Any, clock: Any) -> None:
    secret = set_up(sign_in("owner"))
    reused = Client()
    assert attempt(reused, OWNER).headers["Location"] == "/accounts/2fa/authenticate/"
    used = reused.post("/accounts/2fa/authenticate/", {"code": code_now(secret)})
    assert used.status_code == 422, "the code that proved the app is spent"
    clock.shift(30)
    first, second = Client(), Client()
    for client in (first, second):
        attempt(client, OWNER)
        assert client.get("/me/").status_code == 302, "half-way in is not in"
    code = code_now(secret)
    assert first.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert first.get("/me/").status_code == 200
    assert second.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 422
    clock.shift(30)
    assert second.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 422
    assert second.post("/accounts/2fa/authenticate/", {"code": code_now(secret)}).status_code == 302


def test_guessing_codes_is_throttled(world: Any, sign_in: Any, attempt: Any, clock: Any) -> None:
    set_up(sign_in("owner"))
    client = Client()
    attempt(client, OWNER)
    answers = [client.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code for _ in range(6)]
    assert answers == [422] * 5 + [429]


def test_a_recovery_code_stands_in_once(world: Any, sign_in: Any, attempt: Any, clock: Any) -> None:
    owner = sign_in("owner")
    set_up(owner)
    codes = owner.get("/accounts/2fa/recovery-codes/download/").content.decode().split()
    assert len(codes) == 10
    for expected in (302, 422):
        client = Client()
        attempt(client, OWNER)
        assert client.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code == expected


def test_a_project_requires_it_of_owners_and_admins(world: Any, sign_in: Any, clock: Any) -> None:
    rule = f"/projects/{world.project.hex}/members/second-factor/"
    page = f"/projects/{world.project.hex}/members/"
    assert sign_in("admin").post(rule, {"required": "on"}).status_code == 403
    sign_in("owner").post(rule, {"required": "on"})
    assert Project.objects.get(pk=world.id).requires_second_factor
    for who in ("owner", "admin"):
        client = sign_in(who)
        assert client.get(page).headers["Location"] == "/accounts/2fa/"
        assert client.post(rule).headers["Location"] == "/accounts/2fa/"
        told = client.get("/accounts/2fa/").content.decode()
        assert "먼저 2단계 인증을 등록해 주십시오" in told
        assert world.project.name in told
        fragment = client.get(page, headers={"HX-Request": "true"})
        assert (fragment.status_code, fragment.headers["HX-Redirect"]) == (403, "/accounts/2fa/")
        set_up(client)
        assert client.get(page).status_code == 200
    for who in ("marketer", "viewer"):
        assert sign_in(who).get(page).status_code == 200


def test_removing_asks_again_and_keeps_what_a_project_requires(world: Any, sign_in: Any, clock: Any) -> None:
    owner = sign_in("owner")
    set_up(owner)
    clock.shift(11 * 60)
    asked = owner.post("/accounts/2fa/app/deactivate/")
    assert asked.headers["Location"].startswith("/accounts/reauthenticate/")
    assert Authenticator.objects.filter(type="totp").exists()
    owner.post("/accounts/reauthenticate/", {"password": "correct horse battery staple"})
    Project.objects.update(requires_second_factor=True)
    refused = owner.post("/accounts/2fa/app/deactivate/")
    assert refused.status_code == 422
    assert "마지막 인증 수단" in refused.content.decode()
    Project.objects.update(requires_second_factor=False)
    assert owner.post("/accounts/2fa/app/deactivate/").status_code == 302
    assert not Authenticator.objects.exists()


def test_a_reset_password_doesnt_skip_it(world: Any, sign_in: Any, attempt: Any, clock: Any) -> None:
    set_up(sign_in("owner"))
    world.people["owner"].set_password("a wholly different sentence")
    world.people["owner"].save()
    assert attempt(Client(), OWNER, "a wholly different sentence").headers["Location"] == "/accounts/2fa/authenticate/"


# -- At rest ----------------------------------------------------------------------------------------------------------
def test_seeds_are_sealed_and_open_in_their_own_row_only(world: Any, sign_in: Any, attempt: Any, clock: Any) -> None:
    secret = set_up(sign_in("owner"))
    kept = Authenticator.objects.get(type="totp")
    assert secret not in str(kept.data)
    Authenticator.objects.create(user=world.people["admin"], type="totp", data=kept.data)
    with pytest.raises(CannotOpen):
        seeds.open_sealed(kept.data["secret"])
    admin = Client()
    attempt(admin, "admin@harutable.example")
    clock.shift(30)
    answer = admin.post("/accounts/2fa/authenticate/", {"code": code_now(secret)})
    assert answer.status_code == 503
    assert "CREDENTIALS_KEYS" in answer.content.decode()


def test_seeds_follow_a_new_key(world: Any, sign_in: Any, settings: Any, clock: Any) -> None:
    secret = set_up(sign_in("owner"))
    old = dict(settings.CREDENTIALS_KEYS.keys)
    settings.CREDENTIALS_KEYS = KeyRing({"k9": b"9" * 32} | old)
    assert seeds.reseal() == 2
    assert seeds.reseal() == 0
    assert seeds.keys_in_use() == {"k9": 2}
    settings.CREDENTIALS_KEYS = KeyRing({"k9": b"9" * 32})
    assert seeds.open_sealed(Authenticator.objects.get(type="totp").data["secret"]) == secret

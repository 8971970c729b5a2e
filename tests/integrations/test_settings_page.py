"""설정 → 믹스패널 연동 정보, as people use it: with and without JavaScript, alone and two at a time."""

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from integrations.connect import MixpanelSettings, row_of
from integrations.mixpanel.schemas import Region
from integrations.models import Connection
from integrations.register import register
from notifly_console.audit.models import Entry

SECRET = "s3cret-canary-0123456789-4f2a"
HTMX = {"HX-Request": "true", "HX-Target": "mixpanel"}
WHOLE = {
    "project_id": "2855235",
    "service_account_username": "console.1a2b3c.mp-service-account",
    "service_account_password": SECRET,
    "region": "us",
    "phone_number_column": "$phone",
    "email_column": "$email",
    "marketing_consent_column": "",
    "night_consent_column": "",
    "identity_column": "",
    "unknown_members": "create",
}
KEYS = (
    "project_id",
    "service_account_username",
    "service_account_password",
    "phone_number_column",
    "email_column",
    "marketing_consent_column",
    "night_consent_column",
    "region",
    "identity_column",
    "unknown_members",
)
HOSTILE = {
    "nothing": "",
    "blank": " ",
    "10 kB": "가" * 10_240,
    "NUL": "a\x00b",
    "two lines": "a\nb",
    "escape": "\x1b[31m",
    "markup": "<script>alert(1)</script> a",
}
OPTIONAL = ("identity_column", "marketing_consent_column", "night_consent_column")
ALLOWED = {
    *((key, "nothing") for key in OPTIONAL),  # Then the distinct id is the identity, and nobody has consented.
    *((key, "blank") for key in OPTIONAL),
    *((key, "markup") for key in ("phone_number_column", "email_column", *OPTIONAL)),  # A name like another.
}


@pytest.fixture
def at(world: Any) -> Callable[..., str]:
    return lambda path="": f"/projects/{world.project.hex}/settings/{path}"


@pytest.fixture
def row(world: Any) -> Connection:
    values = MixpanelSettings(2_855_235, WHOLE["service_account_username"], Region.US)
    return register(world.project, values, SECRET, actor=world.people["owner"])[0]


def seen(row: Connection) -> str:
    row.refresh_from_db()
    return row.updated_at.isoformat()


# -- Seeing -----------------------------------------------------------------------------------------------------------
def test_without_a_connection_the_page_says_so_and_offers_to_register(sign_in: Any, at: Any) -> None:
    page = sign_in("admin").get(at()).content.decode()
    assert "등록된 연동 정보가 없습니다." in page
    assert "등록하기" in page
    assert "등록하기" not in sign_in("viewer").get(at()).content.decode()


def test_the_five_rows_are_called_exactly_as_in_the_documents(row: Connection, sign_in: Any, at: Any) -> None:
    page = sign_in("viewer").get(at()).content.decode()
    for key in KEYS[:5]:
        assert f'<span class="setting__key">{key}</span>' in page
    for value in ("2855235", "console.1a2b3c.mp-service-account", "$phone", "$email"):
        assert f'data-copy="{value}"' in page
    assert row.project.hex in page


def test_the_secret_is_in_no_response_and_has_no_copy_button(row: Connection, sign_in: Any, at: Any) -> None:
    client = sign_in("owner")
    pages = [client.get(at()).content.decode()]
    pages += [client.get(at(f"mixpanel/{key}/")).content.decode() for key in KEYS]
    pages += [
        client.post(
            at("mixpanel/service_account_password/"), {"service_account_password": SECRET, "seen": "old"}
        ).content.decode(),
        client.post(at("mixpanel/register/"), {**WHOLE, "project_id": "no"}).content.decode(),
    ]
    for page in pages:
        assert SECRET not in page
        assert "service_account_password 복사" not in page
    assert "••••••••4f2a" in pages[0]
    assert "owner@harutable.example" in pages[0]


@pytest.mark.parametrize("who", ["marketer", "viewer"])
def test_whoever_may_not_edit_sees_the_values_without_pencils(row: Connection, sign_in: Any, at: Any, who: str) -> None:
    client = sign_in(who)
    page = client.get(at()).content.decode()
    assert "console.1a2b3c.mp-service-account" in page
    assert "수정" not in page
    assert "연결 테스트" not in page
    for path in ("register/", "test/", "disconnect/", *(f"{key}/" for key in KEYS)):
        assert client.post(at(f"mixpanel/{path}"), WHOLE).status_code == 403
    row.refresh_from_db()
    assert row.settings["project_id"] == 2_855_235


# -- Registering ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_registering_keeps_everything_and_is_audited(
    world: Any, sign_in: Any, at: Any, headers: dict[str, str]
) -> None:
    response = sign_in("admin").post(at("mixpanel/register/"), WHOLE, headers=headers)
    assert response.status_code == (200 if headers else 302)
    row = row_of(world.project)
    assert row
    assert MixpanelSettings.of(row) == MixpanelSettings(2_855_235, WHOLE["service_account_username"], Region.US)
    assert row.secret().reveal() == SECRET
    assert row.secret_set_by == "admin@harutable.example"
    entry = Entry.objects.get(action="connection_registered")
    assert entry.details["settings"]["username"] == WHOLE["service_account_username"]
    assert SECRET not in str(entry.details)


def test_what_is_missing_is_said_field_by_field_and_the_rest_stays(sign_in: Any, at: Any) -> None:
    response = sign_in("owner").post(at("mixpanel/register/"), {**WHOLE, "project_id": ""}, headers=HTMX)
    page = response.content.decode()
    assert response.status_code == 422
    assert page.lstrip().startswith('<div class="connection" id="mixpanel"')
    assert "고칠 곳이 1개 있습니다" in page
    assert "Mixpanel 프로젝트 번호를 입력하세요" in page
    assert 'value="console.1a2b3c.mp-service-account"' in page
    assert SECRET not in page


def test_two_who_register_at_once_dont_overwrite_each_other(row: Connection, sign_in: Any, at: Any) -> None:
    response = sign_in("admin").post(at("mixpanel/register/"), {**WHOLE, "project_id": "1"}, headers=HTMX)
    assert response.status_code == 409
    assert "그사이 다른 사람이 이미 등록했습니다" in response.content.decode()
    row.refresh_from_db()
    assert row.settings["project_id"] == 2_855_235


# -- Editing a row ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "values", "setting", "kept"),
    [
        ("project_id", {"project_id": "42"}, "project_id", 42),
        ("phone_number_column", {"phone_number_column": "휴대폰 번호 📱"}, "phone_column", "휴대폰 번호 📱"),
        ("email_column", {"email_column": "mail"}, "email_column", "mail"),
        ("identity_column", {"identity_column": "member_no"}, "identity_column", "member_no"),
        ("identity_column", {"identity_column": ""}, "identity_column", ""),
        ("unknown_members", {"unknown_members": "drop"}, "drop_unknown", True),
        ("region", {"region": "eu", "service_account_password": "another-secret"}, "region", "eu"),
        (
            "service_account_username",
            {"service_account_username": "new.1.mp", "service_account_password": "another-secret"},
            "username",
            "new.1.mp",
        ),
    ],
)
def test_a_row_is_edited_alone(
    row: Connection, sign_in: Any, at: Any, key: str, values: dict[str, str], setting: str, kept: Any
) -> None:
    before = dict(row.settings)
    response = sign_in("owner").post(at(f"mixpanel/{key}/"), {**values, "seen": seen(row)}, headers=HTMX)
    assert response.status_code == 200
    row.refresh_from_db()
    assert row.settings == {**before, setting: kept}
    if kept != before[setting]:
        entry = Entry.objects.get(action="connection_changed")
        assert entry.details == {"before": {setting: before[setting]}, "after": {setting: kept}}


def test_saving_what_is_there_already_is_no_change(row: Connection, sign_in: Any, at: Any) -> None:
    before = seen(row)
    sign_in("owner").post(at("mixpanel/email_column/"), {"email_column": "$email", "seen": before})
    assert seen(row) == before
    assert not Entry.objects.filter(action="connection_changed").exists()


def test_the_secret_is_replaced_and_audited_without_it(row: Connection, sign_in: Any, at: Any) -> None:
    values = {"service_account_password": "another-secret-9999", "seen": seen(row)}
    sign_in("admin").post(at("mixpanel/service_account_password/"), values)
    row.refresh_from_db()
    assert row.secret().reveal() == "another-secret-9999"
    assert (row.secret_hint, row.secret_set_by) == ("9999", "admin@harutable.example")
    assert "another-secret" not in str(Entry.objects.get(action="connection_secret_changed").__dict__)


@pytest.mark.parametrize(("key", "value"), [("service_account_username", "evil.1.mp"), ("region", "eu")])
def test_whom_and_where_the_secret_is_sent_is_never_changed_without_entering_it(
    row: Connection, sign_in: Any, at: Any, key: str, value: str
) -> None:
    response = sign_in("admin").post(at(f"mixpanel/{key}/"), {key: value, "seen": seen(row)}, headers=HTMX)
    assert response.status_code == 422
    assert "비밀번호를 다시 입력하세요" in response.content.decode()
    row.refresh_from_db()
    assert (row.settings["username"], row.settings["region"]) == (WHOLE["service_account_username"], "us")


def test_another_account_has_not_been_tested(row: Connection, sign_in: Any, at: Any) -> None:
    Connection.objects.update(health={"at": "x"})
    sign_in("owner").post(at("mixpanel/project_id/"), {"project_id": "42", "seen": seen(row)})
    row.refresh_from_db()
    assert row.health == {}


@pytest.mark.parametrize(("key", "kind"), [pair for pair in product(KEYS, HOSTILE) if pair not in ALLOWED])
def test_hostile_values_get_a_sentence(row: Connection, sign_in: Any, at: Any, key: str, kind: str) -> None:
    before = dict(row.settings)
    response = sign_in("owner").post(at(f"mixpanel/{key}/"), {key: HOSTILE[kind], "seen": seen(row)}, headers=HTMX)
    assert response.status_code == 422
    page = response.content.decode()
    errors = re.findall(r'class="field__error".*?<span>(.*?)</span>', page, re.DOTALL)
    assert errors
    assert len(set(errors)) == len(errors)
    assert "<script>alert" not in page
    row.refresh_from_db()
    assert row.settings == before


@pytest.mark.parametrize("number", ["-1", "0", "1.5", "1e3", "999999999999999999999", "9" * 5000, "abc", "٣٤", "0x1f"])
def test_a_project_number_is_a_number(row: Connection, sign_in: Any, at: Any, number: str) -> None:
    response = sign_in("owner").post(at("mixpanel/project_id/"), {"project_id": number, "seen": seen(row)})
    if number == "٣٤":  # Digits of another script are digits.
        assert response.status_code == 302
        return
    assert response.status_code == 422


def test_markup_in_a_column_name_is_text(row: Connection, sign_in: Any, at: Any) -> None:
    client, name = sign_in("owner"), "<img src=x onerror=alert(1)>"
    client.post(at("mixpanel/phone_number_column/"), {"phone_number_column": name, "seen": seen(row)})
    page = client.get(at()).content.decode()
    assert name not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_an_unknown_row_is_a_404(row: Connection, sign_in: Any, at: Any) -> None:
    assert sign_in("owner").get(at("mixpanel/sealed_secret/")).status_code == 404


# -- Two at a time ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "fragment"])
def test_a_form_that_somebody_overtook_loses_nothing_and_asks(
    row: Connection, sign_in: Any, at: Any, headers: dict[str, str]
) -> None:
    opened = seen(row)
    sign_in("admin").post(at("mixpanel/email_column/"), {"email_column": "mail", "seen": opened})
    owner, mine = sign_in("owner"), {"phone_number_column": "mobile", "seen": opened}
    response = owner.post(at("mixpanel/phone_number_column/"), mine, headers=headers)
    page = response.content.decode()
    assert response.status_code == 409
    assert "그사이 연동 정보가 바뀌었습니다" in page
    assert "admin@harutable.example" in page
    assert 'value="mobile"' in page
    assert "그래도 저장" in page
    row.refresh_from_db()
    assert (row.settings["email_column"], row.settings["phone_column"]) == ("mail", "$phone")

    owner.post(at("mixpanel/phone_number_column/"), {**mine, "seen": seen(row)})
    row.refresh_from_db()
    assert (row.settings["email_column"], row.settings["phone_column"]) == ("mail", "mobile")


def test_editing_what_somebody_disconnected_says_so(row: Connection, sign_in: Any, at: Any) -> None:
    sign_in("admin").post(at("mixpanel/disconnect/"))
    for path in ("email_column/", "test/"):
        response = sign_in("owner").post(at(f"mixpanel/{path}"), {"email_column": "mail", "seen": "x"}, headers=HTMX)
        assert response.status_code == 409
        assert "그사이 연동이 해제되었습니다" in response.content.decode()
        assert "admin@harutable.example" in response.content.decode()


# -- Disconnecting ----------------------------------------------------------------------------------------------------
def test_disconnecting_asks_first_and_removes_the_secret(world: Any, row: Connection, sign_in: Any, at: Any) -> None:
    client = sign_in("owner")
    assert "믹스패널 연동을 해제할까요?" in client.get(at("mixpanel/disconnect/")).content.decode()
    assert row_of(world.project)
    client.post(at("mixpanel/disconnect/"))
    assert row_of(world.project) is None
    assert Entry.objects.filter(action="connection_removed").count() == 1
    assert "등록된 연동 정보가 없습니다." in client.get(at()).content.decode()


# -- Others -----------------------------------------------------------------------------------------------------------
def test_a_stranger_finds_nothing(row: Connection, sign_in: Any, at: Any) -> None:
    client = sign_in("stranger")
    assert client.get(at()).status_code == 404
    for path in ("register/", "test/", "disconnect/", "project_id/"):
        assert client.post(at(f"mixpanel/{path}"), WHOLE).status_code == 404


def test_nothing_is_written_by_get(row: Connection, sign_in: Any, at: Any) -> None:
    client, before = sign_in("owner"), seen(row)
    for path in ("", "mixpanel/register/", "mixpanel/disconnect/", *(f"mixpanel/{key}/" for key in KEYS)):
        assert client.get(at(path)).status_code == 200
    assert client.get(at("mixpanel/test/")).status_code == 405
    assert seen(row) == before

"""설정 → 프로젝트 정보: the project's name and its time zone."""

from typing import Any

import pytest
from django.test import Client

from notifly_console.audit.models import Entry
from notifly_console.tenancy.models import Project


def address(world: Any) -> str:
    return f"/projects/{world.id.hex}/settings/project/"


def send(client: Client, world: Any, **values: str) -> Any:
    return client.post(address(world), {"name": "하루식탁", "time_zone": "Asia/Seoul"} | values)


def test_an_owner_changes_them_and_the_settings_show_it(world: Any, sign_in: Any) -> None:
    client = sign_in("owner")
    page = client.get(address(world)).content.decode()
    assert 'value="하루식탁"' in page
    assert '<option value="America/New_York">UTC-0' in page
    response = send(client, world, name="저녁식탁", time_zone="Asia/Tokyo")
    assert response.headers["Location"] == f"/projects/{world.id.hex}/settings/#project"
    settings = client.get(f"/projects/{world.id.hex}/settings/").content.decode()
    assert "저녁식탁" in settings
    assert "Asia/Tokyo (JST, UTC+09:00)" in settings
    assert 'aria-label="프로젝트 선택: 저녁식탁"' in settings
    entry = Entry.objects.get(action="project_changed")
    assert entry.details == {
        "before": {"name": "하루식탁", "time_zone": "Asia/Seoul"},
        "after": {"name": "저녁식탁", "time_zone": "Asia/Tokyo"},
    }
    log = client.get(f"/projects/{world.id.hex}/audit/").content.decode()
    assert "하루식탁 → 저녁식탁" in log
    assert "시간대" in log


def test_the_same_again_changes_and_records_nothing(world: Any, sign_in: Any) -> None:
    assert send(sign_in("owner"), world).status_code == 302
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"name": "한 줄\n더"},
        {"time_zone": ""},
        {"time_zone": "Asia/Nowhere"},
        {"time_zone": "asia/seoul"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "Asia/Seoul\0"},
        {"time_zone": "localtime"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_said_beside_the_field(world: Any, sign_in: Any, values: dict[str, str]) -> None:
    response = send(sign_in("owner"), world, **values)
    assert response.status_code == 422
    assert "field__error" in response.content.decode()
    kept = Project.objects.get(pk=world.id)
    assert (kept.name, kept.time_zone) == ("하루식탁", "Asia/Seoul")


@pytest.mark.parametrize("who", ["admin", "marketer", "viewer"])
def test_others_see_them_and_no_pencil(world: Any, sign_in: Any, who: str) -> None:
    client = sign_in(who)
    settings = client.get(f"/projects/{world.id.hex}/settings/").content.decode()
    assert "Asia/Seoul (KST, UTC+09:00)" in settings
    assert address(world) not in settings
    assert send(client, world, name="남의 이름").status_code == 403

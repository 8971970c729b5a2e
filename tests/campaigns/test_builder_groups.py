"""유저 그룹 설정 in 캠페인 생성: a saved group, alone or with more conditions, is whom the campaign goes to."""

from typing import Any
from uuid import uuid4

from campaigns.models import AudienceKind, Campaign
from tests import factories as make
from tests.campaigns.test_builder import at, saved
from tests.campaigns.test_drafts import FORM, HTMX

GROUP = FORM | {"audience": "group", "text.sender": "16600412"}


def with_phone(town: Any, name: str = "문자 받는 단골") -> Any:
    definition = {
        "segments": [[{"kind": "cohort", "cohort": town.cohort.pk, "is_in": True}]],
        "filters": [{"kind": "property", "name": "grade", "type": "text", "operator": "=", "value": "VIP"}],
    }
    return make.group(town.project, name, definition=definition)


def test_a_group_is_the_audience(town: Any, sign_in: Any) -> None:
    group, one = with_phone(town), town.made()
    response = sign_in("marketer").post(at(one), GROUP | {"version": "1", "group": group.pk.hex}, headers=HTMX)
    assert "audience-changed" in response.headers["HX-Trigger-After-Settle"]
    assert (saved(one).audience_kind, one.group) == (AudienceKind.GROUP, group)
    page = sign_in("marketer").get(at(one)).content.decode()
    assert "9명 중 5명에게 보냅니다" in page
    assert f'value="{group.pk.hex}" selected' in page


def test_another_projects_group_is_none(town: Any, sign_in: Any) -> None:
    one = town.made()
    for key in (make.group(town.other_project).pk.hex, uuid4().hex, "nonsense"):
        form = GROUP | {"version": str(saved(one).version), "group": key}
        assert sign_in("marketer").post(at(one), form).status_code == 302
        assert saved(one).group is None
        page = sign_in("marketer").get(at(one)).content.decode()
        assert "유저 그룹을 고르세요" in page


def test_more_conditions_on_top_of_a_group_and_back(town: Any, sign_in: Any) -> None:
    group, one, client = with_phone(town), town.made(), sign_in("marketer")
    form = GROUP | {"version": "1", "group": group.pk.hex, "do": "more-conditions"}
    response = client.post(at(one), form)
    where = response.headers["Location"]
    assert where.startswith(f"/projects/{town.project.hex}/groups/new?")
    page = client.get(where).content.decode()
    assert f'value="{group.pk.hex}"' in page
    data = {
        "segment": "0",
        "segments-0-0-kind": "group",
        "segments-0-0-group": group.pk.hex,
        "segments-0-0-is_in": "1",
        "segments-0-1-kind": "consent",
        "segments-0-1-what": "marketing",
        "segments-0-1-given": "1",
        "name": "동의한 단골",
        "next": at(one),
    }
    back = client.post(f"/projects/{town.project.hex}/groups/new", data).headers["Location"]
    assert back.startswith(at(one))
    page = client.get(back).content.decode()
    assert 'hx-trigger="load"' in page, "the page saves what it was brought"
    assert saved(one).group == group, "reading changed nothing"
    brought = back.partition("group=")[2]
    client.post(at(one), GROUP | {"version": str(saved(one).version), "group": brought})
    assert "7명 중 5명에게 보냅니다" in client.get(at(one)).content.decode()


def test_a_group_in_a_campaign_can_not_be_deleted(town: Any, sign_in: Any) -> None:
    group, one, client = with_phone(town), town.made(), sign_in("marketer")
    client.post(at(one), GROUP | {"version": "1", "group": group.pk.hex})
    response = client.post(f"/projects/{town.project.hex}/groups/{group.pk.hex}/delete", follow=True)
    assert "쓰고 있어 지울 수 없습니다" in response.content.decode()
    assert Campaign.objects.get(pk=one.pk).group == group


def test_a_group_that_can_not_be_told_says_so(town: Any, sign_in: Any) -> None:
    unread = make.cohort(town.project, 99)
    definition = {"segments": [[{"kind": "cohort", "cohort": unread.pk, "is_in": False}]], "filters": []}
    group, one = make.group(town.project, "안 읽은", definition=definition), town.made()
    client = sign_in("marketer")
    client.post(at(one), GROUP | {"version": "1", "group": group.pk.hex})
    page = client.get(at(one, "edit/reach"), headers={"HX-Request": "true"}).content.decode()
    assert "보냅니다" not in page

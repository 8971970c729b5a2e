"""캠페인 생성 as a form: saved at every step, resumed, never overwritten unseen; with and without scripts."""

from typing import Any

import pytest

from campaigns.models import AudienceKind, Campaign, CampaignState
from tests import factories as make

HTMX = {"HX-Request": "true", "HX-Target": "saved"}
FORM = {
    "name": "11월 VIP 재구매 유도",
    "description": "팀 메모",
    "channel": "text",
    "message_of": "text",
    "timing": "once",
    "date": "2027-01-20",
    "time": "15:30",
    "text.kind": "sms",
    "text.is_ad": "yes",
    "text.text": '{{ user["name"] | default: "고객" }}님, 안녕하세요',
}


@pytest.fixture
def at(world: Any) -> Any:
    return lambda path="": f"/projects/{world.project.hex}/campaigns/{path}"


def the_only() -> Campaign:
    return Campaign.objects.get()


# -- Saving -----------------------------------------------------------------------------------------------------------
def test_the_page_has_four_sections_and_writes_nothing(sign_in: Any, at: Any) -> None:
    page = sign_in("marketer").get(at("new")).content.decode()
    for heading in ("기본 정보 및 채널", "발송 시점", "발송 대상", "메시지 및 액션"):
        assert f">{heading}</h2>" in page
    for label in ("즉시 발송", "1회 예약 발송", "1일 1회 발송", "매주 정해진 요일에 발송", "무기한 발송"):
        assert label in page
    assert not Campaign.objects.exists()


def test_the_first_save_makes_the_draft_however_often_it_comes(world: Any, sign_in: Any, at: Any) -> None:
    client = sign_in("marketer")
    draft = "0" * 31 + "7"
    for _ in range(2):
        answer = client.post(at("new"), FORM | {"draft": draft, "version": "0"}, headers=HTMX)
        assert answer.status_code == 200
        assert answer.headers["HX-Replace-Url"] == at(f"{draft}/edit")
        assert "드래프트 저장됨" in answer.content.decode()
    one = the_only()
    assert (one.id.hex, one.version, one.state) == (draft, 1, CampaignState.DRAFT)
    assert (one.name, one.author, one.edited_by) == (FORM["name"], world.people["marketer"], "마케터")
    assert one.message["text"] == FORM["text.text"]
    assert one.message["is_ad"] is True


def test_a_draft_is_resumed_as_it_was_left(sign_in: Any, at: Any) -> None:
    client = sign_in("marketer")
    client.post(at("new"), FORM | {"timing": "weekly", "weekday": ["0", "3"], "every": "2", "forever": "1"})
    page = client.get(at(f"{the_only().id.hex}/edit")).content.decode()
    assert f'value="{FORM["name"]}"' in page
    assert 'name="timing" value="weekly" checked' in page
    assert 'id="weekday-3" name="weekday" value="3" aria-label="목요일" checked' in page
    assert 'value="2" aria-describedby="every-unit' in page


def test_without_scripts_a_save_leads_back_to_the_page(sign_in: Any, at: Any) -> None:
    answer = sign_in("marketer").post(at("new"), FORM | {"do": "save"})
    assert answer.status_code == 302
    assert answer.headers["Location"] == at(f"{the_only().id.hex}/edit")


def test_changing_the_channel_and_back_loses_nothing(sign_in: Any, at: Any) -> None:
    client = sign_in("marketer")
    client.post(at("new"), FORM)
    one = the_only()
    client.post(at(f"{one.id.hex}/edit"), FORM | {"channel": "friendtalk", "version": "1"})
    one.refresh_from_db()
    assert one.message["buttons"] == []
    other = {"channel": "text", "message_of": "friendtalk", "friendtalk.text": "친구에게", "version": "2"}
    answer = client.post(at(f"{one.id.hex}/edit"), other, headers=HTMX)
    assert FORM["text.text"].replace('"', "&quot;") in answer.content.decode()
    one.refresh_from_db()
    assert one.message["text"] == FORM["text.text"]
    assert one.kept["friendtalk"]["text"] == "친구에게"


def test_an_id_that_another_project_has_is_not_touched(world: Any, sign_in: Any, at: Any) -> None:
    theirs = make.campaign(world.other_project, name="남의 것")
    sign_in("marketer").post(at("new"), FORM | {"draft": theirs.id.hex})
    theirs.refresh_from_db()
    assert theirs.name == "남의 것"
    assert Campaign.objects.get(project=world.project).name == FORM["name"]


# -- Two at a time ----------------------------------------------------------------------------------------------------
def test_a_save_on_an_older_version_is_a_conflict_and_loses_nothing(sign_in: Any, at: Any) -> None:
    client, other = sign_in("marketer"), sign_in("admin")
    client.post(at("new"), FORM)
    one = the_only()
    address = at(f"{one.id.hex}/edit")
    assert other.post(address, FORM | {"name": "관리자의 이름", "version": "1"}, headers=HTMX).status_code == 200
    answer = client.post(address, FORM | {"name": "내 이름", "version": "1"}, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "그 사이에 관리자 님이 이 캠페인을 고쳤습니다" in page
    assert "캠페인 이름" in page
    one.refresh_from_db()
    assert one.name == "관리자의 이름"
    whole = client.post(address, FORM | {"name": "내 이름", "version": "1"})
    assert whole.status_code == 409
    assert 'value="내 이름"' in whole.content.decode()
    mine = client.post(address, FORM | {"name": "내 이름", "version": "1", "do": "mine:2"}, headers=HTMX)
    assert mine.status_code == 200
    one.refresh_from_db()
    assert (one.name, one.version) == ("내 이름", 3)


def test_saving_what_is_stored_already_is_no_conflict(sign_in: Any, at: Any) -> None:
    client = sign_in("marketer")
    client.post(at("new"), FORM)
    one = the_only()
    client.post(at(f"{one.id.hex}/edit"), FORM | {"name": "새 이름", "version": "1"})
    again = client.post(at(f"{one.id.hex}/edit"), FORM | {"name": "새 이름", "version": "1"}, headers=HTMX)
    assert again.status_code == 200
    one.refresh_from_db()
    assert one.version == 2


def test_a_page_whose_answer_got_lost_has_no_conflict_with_itself(sign_in: Any, at: Any) -> None:
    client = sign_in("marketer")
    client.post(at("new"), FORM | {"page": "a" * 32})
    one = the_only()
    address = at(f"{one.id.hex}/edit")
    lost = FORM | {"name": "첫째", "version": "1", "page": "a" * 32}
    assert client.post(address, lost, headers=HTMX).status_code == 200
    assert client.post(address, lost | {"name": "둘째"}, headers=HTMX).status_code == 200
    one.refresh_from_db()
    assert (one.name, one.version) == ("둘째", 3)
    assert client.post(address, lost | {"name": "셋째", "page": "b" * 32}, headers=HTMX).status_code == 409
    assert client.post(address, lost | {"name": "넷째", "page": ""}, headers=HTMX).status_code == 409


@pytest.mark.parametrize("state", [CampaignState.ACTIVE, CampaignState.ENDED])
def test_what_is_sent_can_not_be_edited(world: Any, sign_in: Any, at: Any, state: str) -> None:
    one = make.campaign(world.project, name="보낸 것", state=state, launched_at=make.hours_ago(1))
    client = sign_in("marketer")
    assert client.get(at(f"{one.id.hex}/edit")).headers["Location"] == at(f"{one.id.hex}/")
    answer = client.post(at(f"{one.id.hex}/edit"), FORM | {"version": "1"}, headers=HTMX)
    assert answer.status_code == 409
    assert "고칠 수 없습니다" in answer.content.decode()
    one.refresh_from_db()
    assert one.name == "보낸 것"


def test_an_inactive_campaign_can_be_edited(world: Any, sign_in: Any, at: Any) -> None:
    one = make.campaign(world.project, state=CampaignState.INACTIVE, launched_at=make.hours_ago(1))
    assert sign_in("marketer").post(at(f"{one.id.hex}/edit"), FORM | {"version": "1"}).status_code == 302
    one.refresh_from_db()
    assert one.name == FORM["name"]


# -- What no form of ours sends ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("channel", ["app_push", "web_push", "email", "in_app", "alimtalk\0", "지어낸"])
def test_a_cohort_for_another_channel_is_refused(world: Any, sign_in: Any, at: Any, channel: str) -> None:
    cohort = make.cohort_with(world.project, 7, make.profiles(world.project, 3))
    form = FORM | {"channel": channel, "audience": "cohort", "cohort": str(cohort.source_id)}
    answer = sign_in("marketer").post(at("new"), form)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "(지원되지 않음)" in page
    assert "외부 툴 연동 코호트는 카카오 알림톡, 카카오 친구톡, 문자에서만 쓸 수 있습니다." in page
    assert not Campaign.objects.exists()
    assert sign_in("marketer").post(at("new"), form, headers=HTMX).status_code == 422


@pytest.mark.parametrize("key", ["999", "-1", "abc", "9" * 40, "١٢"])
def test_a_cohort_that_there_is_not_is_refused(sign_in: Any, at: Any, key: str) -> None:
    answer = sign_in("marketer").post(at("new"), FORM | {"audience": "cohort", "cohort": key})
    assert answer.status_code == 422
    assert "고른 코호트를 찾을 수 없습니다" in answer.content.decode()


def test_a_vanished_cohort_can_not_be_chosen_but_stays_where_it_was(world: Any, sign_in: Any, at: Any) -> None:
    gone = make.cohort_with(world.project, 7, make.profiles(world.project, 3), vanished_at=make.hours_ago(3))
    client = sign_in("marketer")
    form = FORM | {"audience": "cohort", "cohort": "7"}
    assert "Mixpanel에 없는 코호트는 고를 수 없습니다" in client.post(at("new"), form).content.decode()
    one = make.campaign(world.project, cohort=gone)
    assert client.post(at(f"{one.id.hex}/edit"), form | {"version": "1"}).status_code == 302


def test_anothers_cohort_is_not_to_be_had(world: Any, sign_in: Any, at: Any) -> None:
    make.cohort_with(world.other_project, 8, [])
    answer = sign_in("marketer").post(at("new"), FORM | {"audience": "cohort", "cohort": "8"})
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["name", "description", "text.text", "friendtalk.text", "alimtalk.fallback.text"])
def test_a_text_beyond_every_limit_is_refused_at_its_field(sign_in: Any, at: Any, name: str) -> None:
    answer = sign_in("marketer").post(at("new"), FORM | {"message_of": name.split(".")[0], name: "가" * 20_001})
    assert answer.status_code == 422
    assert not Campaign.objects.exists()


def test_nonsense_is_taken_as_an_unfinished_draft(sign_in: Any, at: Any) -> None:
    odd = {"timing": "yearly", "date": "x" * 999, "weekday": ["9", "0"], "every": "-3", "audience": "all",
           "upload": "no-id", "text.kind": "fax", "text.is_ad": "perhaps", "name": "a\x00b"}  # fmt: skip
    assert sign_in("marketer").post(at("new"), odd).status_code == 302
    one = the_only()
    assert (one.name, one.timing["kind"], one.timing["weekdays"], one.audience_kind) == ("ab", "", [0], "")
    assert sign_in("marketer").get(at(f"{one.id.hex}/edit")).status_code == 200


# -- Choosing a cohort ------------------------------------------------------------------------------------------------
def test_the_list_of_the_combobox_is_searched_and_bounded(
    world: Any, sign_in: Any, at: Any, django_assert_max_num_queries: Any
) -> None:
    ids = make.profiles(world.project, 5)
    make.cohort_with(world.project, 2785620, ids, "VIP 재구매 유도")
    make.cohort(world.project, 2440120, "2025 재구매 이벤트", vanished_at=make.hours_ago(9), size=811)
    for n in range(40):
        make.cohort(world.project, n + 1, f"코호트 {n}")
    client = sign_in("marketer")
    with django_assert_max_num_queries(10):
        page = client.get(at("cohorts"), {"cohort-q": "재구매"}, headers={"HX-Request": "true"}).content.decode()
    assert "VIP <mark>재구매</mark> 유도" in page
    assert "mixpanel_2785620 · <time" in page
    assert "5명" in page
    assert "코호트 42개 중 2개" in page
    assert page.index("VIP") < page.index("2025")
    assert 'aria-disabled="true"' in page[page.index("option-2440120") :]
    everything = client.get(at("cohorts"), headers={"HX-Request": "true"}).content.decode()
    assert everything.count('role="option"') == 20
    assert "처음 20개만 보입니다" in everything


def test_without_scripts_the_typed_text_is_searched(world: Any, sign_in: Any, at: Any) -> None:
    make.cohort_with(world.project, 2785620, make.profiles(world.project, 2), "VIP 재구매 유도")
    client = sign_in("marketer")
    answer = client.post(at("new"), FORM | {"audience": "cohort", "cohort-q": "재구매"}, follow=True)
    page = answer.content.decode()
    assert '<button class="combobox__option" name="cohort" value="2785620"' in page
    one = the_only()
    client.post(at(f"{one.id.hex}/edit"), FORM | {"audience": "cohort", "version": "1", "cohort": ["", "2785620"]})
    one.refresh_from_db()
    assert (one.cohort.source_id, one.audience_kind) == (2785620, AudienceKind.COHORT)

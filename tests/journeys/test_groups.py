"""From a pushed cohort to the people of a campaign: its group, narrowed in the builder of groups, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from campaigns.models import AudienceKind, Campaign
from cohorts.models import Profile, UserGroup
from integrations import senders
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from notifly_console.lib import nudge
from tests.integrations.pushing import member

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def town(world: Any, sandbox: Any, pusher: Any, monkeypatch: Any) -> Any:
    """Thirty people pushed, every third of them with six purchases; a sender. Nobody is woken."""
    monkeypatch.setattr(nudge, "_enqueue", lambda *_args: None)
    senders.register(world.project, senders.SolapiSettings(SOLAPI_API_KEY), SOLAPI_API_SECRET)
    senders.refresh_listing(world.project)
    people = [member(number, purchases=6 if number % 3 == 0 else 1) for number in range(30)]
    pusher.sync(people, name="VIP 재구매 유도")
    assert Profile.objects.filter(project=world.project).exclude(phone=None).count() == 30
    return world


def test_a_pushed_cohort_with_one_more_condition_is_whom_a_campaign_goes_to(town: Any, browse: Any) -> None:
    page = browse("marketer", f"/projects/{town.project.hex}/groups/")
    row = page.get_by_role("row", name="VIP 재구매 유도 (Mixpanel)")
    expect(row).to_contain_text("Partner - Mixpanel")
    expect(row).to_contain_text("30")

    page.goto(f"/projects/{town.project.hex}/campaigns/new")
    page.get_by_label("캠페인 이름").fill("여섯 번 산 손님께")
    page.get_by_text("문자", exact=True).click()
    page.get_by_text("즉시 발송", exact=True).click()
    page.get_by_text("유저 그룹 설정", exact=True).click()
    page.get_by_label("유저 그룹 불러오기").select_option(label="VIP 재구매 유도 (Mixpanel) · 30명")
    page.get_by_text("정보성 메시지", exact=True).click()
    expect(page.get_by_role("heading", name="발송 대상 (30)")).to_be_visible(timeout=15_000)

    page.get_by_role("button", name="이 그룹에 조건 더하기").click()
    expect(page).to_have_url(re.compile(r"/groups/new\?"))
    page.get_by_label("유저 그룹 이름").fill("VIP 중 여섯 번 이상")
    size = page.locator("#group-size")
    expect(size).to_contain_text("30")
    page.get_by_role("button", name="유저 속성", exact=True).first.click()
    page.get_by_label("속성 이름").fill("purchases")
    page.get_by_label("비교할 값 타입").select_option(label="숫자")
    expect(page.get_by_label("연산자").get_by_role("option", name="이상", exact=True)).to_have_count(1)
    page.get_by_label("연산자").select_option(label="이상")
    value = page.get_by_label("비교할 값", exact=True)
    value.fill("6")
    value.press("Tab")
    expect(size).to_contain_text("10")
    page.get_by_role("button", name="유저 그룹 저장").click()

    # Back at the draft, with the narrower group chosen.
    expect(page.get_by_role("heading", name="발송 대상 (10)")).to_be_visible(timeout=15_000)
    expect(page.get_by_label("캠페인 이름")).to_have_value("여섯 번 산 손님께")
    expect(page).to_have_url(re.compile(r"/edit$"))  # The page has saved what it was opened with.
    expect(page.locator("#saved")).to_contain_text("저장됨")
    campaign = Campaign.objects.get()
    assert campaign.audience_kind == AudienceKind.GROUP
    assert campaign.group == UserGroup.objects.get(name="VIP 중 여섯 번 이상")


def test_a_group_is_built_with_the_keyboard_alone(town: Any, browse: Any) -> None:
    page = browse("marketer", f"/projects/{town.project.hex}/groups/new")
    page.get_by_label("유저 그룹 이름").focus()
    page.keyboard.type("키보드로")
    page.locator("#add-segments-0-cohort").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#find-segments-0-0")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#choices-segments-0-0 button")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#find-segments-0-0")).to_be_focused()
    page.keyboard.type("VIP")
    page.keyboard.press("Enter")
    chosen = page.locator("#choose-segments-0-0")
    expect(chosen).to_be_focused()
    expect(chosen).to_contain_text("VIP 재구매 유도")
    expect(page.locator("#group-size")).to_contain_text("30")
    page.locator("#add-segments-0-property").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#segments-0-1-name")).to_be_focused()
    page.locator("#remove-segments-0-1").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#add-segments-0-cohort")).to_be_focused()
    page.get_by_role("button", name="유저 그룹 저장").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="키보드로")).to_be_visible()

    page.get_by_role("button", name="삭제").press("Enter")
    expect(page.get_by_role("button", name="취소")).to_be_focused()
    page.get_by_role("button", name="유저 그룹 삭제").press("Enter")
    expect(page.get_by_text("‘키보드로’을(를) 지웠습니다.")).to_be_visible()


def test_what_is_said_of_a_partners_group_is_read_on_a_telephone(
    town: Any, browse: Any, narrow: dict[str, Any]
) -> None:
    group = UserGroup.objects.get()
    page = browse("viewer", f"/projects/{town.project.hex}/groups/{group.pk.hex}/", **narrow)
    page.set_viewport_size({"width": 390, "height": 844})
    said = page.get_by_text("Mixpanel이 이 유저 그룹을 동기화합니다").bounding_box()
    assert said is not None
    assert said["width"] > 200

"""After the launch, in a real browser: watch it go, pause, resume, see it end, find somebody, take the file. The
stand-in SOLAPI is on its real socket; what the workers of a running console do is done here, in between."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from campaigns.models import Batch, Campaign, CampaignState, Run, RunState
from campaigns.sending import delivery, freeze, launch, schedule
from cohorts.people import facets
from integrations import senders
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET
from notifly_console.lib import nudge
from tests import factories as make
from tests.campaigns import sending

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def town(world: Any, sandbox: Any, settings: Any, monkeypatch: Any) -> Any:
    """A campaign to twelve people that somebody has launched, in batches of four. What becomes of them is in their last
    digits (docs/sandbox.md): 0003 never hears, 0004 is refused, 0005 fails."""
    settings.SENDING_BATCH = 4
    monkeypatch.setattr(schedule, "night_of", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(nudge, "_enqueue", lambda *_args: None)
    senders.register(world.project, senders.SolapiSettings(SOLAPI_API_KEY), SOLAPI_API_SECRET)
    assert not senders.refresh_listing(world.project).problem
    ids = make.profiles(world.project, 12)
    facets.rebuild(world.project.pk)
    cohort = make.cohort_with(world.project, 2785620, ids, "VIP 재구매 유도")
    draft = sending.campaign(
        world.project, CampaignState.DRAFT, cohort=cohort, name="11월 VIP 재구매", version=1,
        message=sending.TEXT | {"sender": "15881234"},
    )  # fmt: skip
    launch.launch(draft, by=world.people["marketer"], seen_version=1)
    world.sandbox = sandbox
    world.campaign = Campaign.objects.get(pk=draft.pk)
    world.run = Run.objects.get()
    world.path = f"/projects/{world.project.hex}/campaigns/{draft.pk.hex}/"
    return world


def hand_over_a_batch(run: Run) -> None:
    """What a worker does between two looks of the page."""
    run = Run.objects.select_related("project", "campaign").get(pk=run.pk)
    with senders.messenger_of(run.project) as messenger:
        delivery.Sender(run, messenger).step()


def results_come(run: Run) -> None:
    Batch.objects.filter(run=run, ask_at__isnull=False).update(ask_at=sending.long_ago())
    sending.settle(run, rounds=2)


def row(page: Page, label: str) -> Any:
    """The number of a line of the outcome."""
    return page.locator(".outcome tr").filter(has=page.get_by_role("rowheader", name=label, exact=True)).locator(".num")


def test_from_the_launch_to_the_file(town: Any, browse: Any, tmp_path: Path) -> None:
    page = browse("admin", town.path)
    expect(page.get_by_role("heading", name="발송 대상을 확정하고 있습니다")).to_be_visible()

    # It follows by itself, without a reload.
    page.evaluate("window.stayed = true")
    freeze.prepare(town.run.pk)
    expect(page.locator(".sending__pct")).to_have_text("0 / 12명에게 넘김")
    hand_over_a_batch(town.run)
    expect(page.locator(".sending__pct")).to_have_text("4 / 12명에게 넘김")
    expect(row(page, "대기")).to_have_text("12")
    expect(page.get_by_text(re.compile(r"1초에 [\d.]+건"))).to_be_visible()

    # What one types stays while the numbers move.
    page.get_by_label("전화번호 또는 사용자 ID").fill("00")
    hand_over_a_batch(town.run)
    expect(page.locator(".sending__pct")).to_have_text("7 / 12명에게 넘김")
    expect(page.get_by_label("전화번호 또는 사용자 ID")).to_have_value("00")
    assert page.evaluate("window.stayed") is True

    page.get_by_role("button", name="일시 중지").click()
    expect(page.get_by_text("재개하면 남은 4명에게 이어서 보냅니다.")).to_be_visible()
    hand_over_a_batch(town.run)
    assert sending.counts(town.run)["pending"] == 4, "nobody is sent to while it is paused"

    # Asked, thought better of it.
    page.get_by_role("link", name="4명 발송 취소").click()
    dialog = page.get_by_role("dialog", name="남은 4명에게 보내지 않을까요?")
    expect(dialog).to_contain_text("이미 넘긴 7명은 되돌릴 수 없습니다.")
    dialog.get_by_role("button", name="계속 보내기").click()
    expect(dialog).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "act-cancel"

    page.get_by_role("button", name="재개").click()
    expect(page.get_by_text("다시 시작했습니다.", exact=True)).to_be_visible()
    sending.send(town.run)
    results_come(town.run)
    town.run.refresh_from_db()
    assert town.run.state == RunState.DONE
    for label, number in {"도달": "9", "실패": "2", "대기": "1", "결과 모름": "0"}.items():
        expect(row(page, label)).to_have_text(number)
    expect(page.get_by_text("종료", exact=True).first).to_be_visible()
    expect(page.locator(".outcome .sum .num")).to_have_text("12")

    # Who failed, and why.
    page.locator(".outcome .sub a").first.click()
    people = page.locator("#who")
    expect(people.locator("tbody tr")).to_have_count(1)

    page.get_by_label("전화번호 또는 사용자 ID").fill("0007")
    page.keyboard.press("Enter")
    expect(people.locator("tbody tr")).to_have_count(1)
    expect(people.locator("mark")).to_have_text(["0007", "0007"])
    people.get_by_role("link", name="user_0000007").click()
    dialog = page.get_by_role("dialog", name="user_0000007")
    expect(dialog).to_contain_text("발송 플랫폼에 넘김")
    expect(dialog).to_contain_text("주문하신 상품이 도착했습니다")
    expect(page).to_have_url(re.compile(r"/recipients/\d+/$"))
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"/campaigns/[0-9a-f]{32}/$"))

    page.get_by_role("link", name="CSV로 받기").click()
    dialog = page.get_by_role("dialog", name="수신자 내려받기")
    dialog.get_by_label("받는 이유").fill("결과 보고")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="CSV로 받기").click()
    download.value.save_as(tmp_path / "run.csv")
    rows = list(csv.reader((tmp_path / "run.csv").open(encoding="utf-8-sig", newline="")))
    assert len(rows) == 13
    assert {line[1] for line in rows[1:]} == {f"010-2000-{n:04d}" for n in range(12)}


@pytest.mark.once
def test_the_menu_of_a_row_works_by_keyboard(town: Any, browse: Any) -> None:
    freeze.prepare(town.run.pk)
    page = browse("marketer", f"/projects/{town.project.hex}/campaigns/")
    expect(page.get_by_text("발송 중")).to_be_visible()
    opener = page.get_by_role("button", name="11월 VIP 재구매 작업")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="상세")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="일시 중지")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="일시 중지").click()
    expect(page.get_by_text("일시 중지했습니다.")).to_be_visible()
    expect(page.locator("td").get_by_text("비활성", exact=True)).to_be_visible()
    page.get_by_role("button", name="11월 VIP 재구매 작업").click()
    page.get_by_role("link", name="종료").click()
    dialog = page.get_by_role("dialog", name="이 캠페인을 종료할까요?")
    dialog.get_by_role("button", name="종료").click()
    expect(page.get_by_text("캠페인을 종료했습니다.")).to_be_visible()
    assert Campaign.objects.get().state == CampaignState.ENDED


@pytest.mark.once
def test_the_list_narrows_as_one_types(town: Any, browse: Any) -> None:
    for name in ("여름 세일", "가을 세일"):
        sending.campaign(town.project, CampaignState.ENDED, name=name)
    page = browse("viewer", f"/projects/{town.project.hex}/campaigns/")
    page.get_by_label("캠페인 검색").press_sequentially("세일")
    expect(page.get_by_text("캠페인 2개 중 1–2").last).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=%EC%84%B8%EC%9D%BC"))
    page.get_by_label("상태").select_option("active")
    expect(page.get_by_text("찾는 캠페인이 없습니다")).to_be_visible()
    page.get_by_role("link", name="전체 보기").click()
    expect(page.get_by_text("캠페인 3개 중 1–3").last).to_be_visible()


@pytest.mark.once
def test_a_persons_page_loads_what_they_were_sent(town: Any, browse: Any) -> None:
    freeze.prepare(town.run.pk)
    sending.send(town.run)
    one = town.run.recipients.order_by("pk").first()
    page = browse("viewer", f"/projects/{town.project.hex}/profiles/{one.profile_id}/")
    messages = page.get_by_role("region", name="메시지 기록")
    expect(messages.get_by_role("link", name="11월 VIP 재구매")).to_be_visible()
    expect(page.locator("#opt-out")).to_contain_text("없음")
    page.goto(f"/projects/{town.project.hex}/cohorts/mixpanel_2785620/")
    expect(page.get_by_role("link", name="11월 VIP 재구매")).to_be_visible()


@pytest.mark.once
def test_what_is_typed_while_a_search_is_answered_stays(town: Any, browse: Any) -> None:
    page = browse("marketer", town.path)
    held: list[Any] = []
    page.route("**/search", lambda route: held.append(route))
    field = page.get_by_label("전화번호 또는 사용자 ID")
    field.fill("user")
    with page.expect_request("**/search"):
        field.press("Enter")
    page.keyboard.type("_0000003")
    assert held, "the answer is still to come"
    held[0].continue_()
    expect(page.locator("#who")).to_contain_text("이 회차에는 없습니다")
    expect(field).to_have_value("user_0000003")
    expect(field).to_be_focused()

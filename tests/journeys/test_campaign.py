"""From a cohort in Mixpanel to a message on a phone, for each channel: a real browser, the stand-ins on real sockets.
The work that the workers of a running console do is done here, in between."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from playwright.sync_api import expect

from campaigns.models import Campaign, Recipient, Rules, Run, RunKind
from campaigns.sending import delivery, freeze, schedule
from cohorts.pull import refresh
from integrations import senders
from integrations.connect import MixpanelSettings
from integrations.mixpanel.schemas import Region
from integrations.register import register
from integrations.sandbox.accounts import PROJECT, SECRET, SOLAPI_API_KEY, SOLAPI_API_SECRET, USERNAME
from integrations.sandbox.solapi.catalogue import CHANNEL
from notifly_console.lib import nudge

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (800).to_bytes(4, "big") + (600).to_bytes(4, "big") + b"\x08\x02\0\0\0"


@pytest.fixture
def town(world: Any, sandbox: Any, monkeypatch: Any) -> Any:
    """The stand-ins with a cohort of forty, and the world's project connected to both; its cohort is read. No night
    falls, and nobody is woken."""
    monkeypatch.setattr(schedule, "night_of", lambda *_args, **_kwargs: None)
    monkeypatch.setattr(nudge, "_enqueue", lambda *_args: None)
    sandbox.world.cohorts.clear()
    sandbox.world.cohorts.add("VIP 재구매 유도", range(40), id=2785620)
    values = MixpanelSettings(
        project_id=PROJECT,
        username=USERNAME,
        region=Region("us"),
        marketing_consent_column="marketing_agreed",
        night_consent_column="night_agreed",
    )
    register(world.project, values, SECRET)
    refresh.run(refresh.request(world.project, by="clock").pk)
    senders.register(world.project, senders.SolapiSettings(SOLAPI_API_KEY), SOLAPI_API_SECRET)
    senders.refresh_listing(world.project)
    Rules.objects.create(project=world.project, sender_name="하루식탁", opt_out_number="0808701234")
    world.sandbox = sandbox
    return world


@pytest.fixture
def begin(town: Any, browse: Any) -> Callable[[str], Any]:
    """An open builder with name, channel, 즉시 발송 and the cohort."""

    def opened(channel: str) -> Any:
        page = browse("marketer", f"/projects/{town.project.hex}/campaigns/new")
        page.get_by_label("캠페인 이름").fill("재구매 유도")
        page.get_by_text(channel, exact=True).click()
        page.get_by_text("즉시 발송", exact=True).click()
        page.get_by_text("외부 툴 연동 코호트", exact=True).click()
        page.get_by_role("combobox", name="코호트 선택").fill("재구매")
        page.get_by_role("option", name="VIP 재구매 유도").click()
        expect(page.get_by_role("heading", name=re.compile(r"발송 대상 \(\d+\)"))).to_be_visible()
        return page

    return opened


def launch(page: Any) -> Campaign:
    """최종 확인, 캠페인 생성하기; then the work of the workers."""
    page.get_by_role("button", name="최종 확인").click()
    expect(page.get_by_role("heading", name="최종 확인", level=1)).to_be_visible()
    page.get_by_role("button", name="캠페인 생성하기").click()
    expect(page).to_have_url(re.compile(r"/campaigns/[0-9a-f]{32}/$"))
    work(RunKind.REGULAR)
    return Campaign.objects.get()


def work(kind: str) -> None:
    for run in Run.objects.filter(kind=kind):
        freeze.prepare(run.pk)
    delivery.work(seconds=30)


def on_the_phone(page: Any, town: Any, phone: str) -> Any:
    """The messages of that number on the phones of the stand-in."""
    digits = "0" + phone.removeprefix("+82")
    page.goto(f"{town.sandbox.url}/_sandbox/phones?still=1&to={digits}")
    return page.locator("main")


def test_a_text_message_reaches_the_phone_after_a_test_of_it(town: Any, begin: Any) -> None:
    page = begin("문자")
    page.get_by_label("발신 번호").select_option("15881234")
    page.get_by_text("SMS", exact=True).click()
    page.get_by_text("정보성 메시지", exact=True).click()
    page.get_by_label("문자 내용").fill("님, 겨울 상자가 왔어요")
    page.get_by_label("문자 내용").press("Home")
    page.get_by_role("button", name="문구 변수 추가").click()
    page.get_by_label("변수명").fill("$name")
    page.get_by_label("기본값 (선택)").fill("고객")
    page.get_by_role("button", name="붙여넣기").click()
    expect(page.locator("#preview .sms")).to_contain_text("님, 겨울 상자가 왔어요")

    page.get_by_role("button", name="테스트 발송하기").click()
    dialog = page.get_by_role("dialog", name="테스트 발송하기")
    dialog.get_by_label("받을 휴대전화 번호").fill("010-5555-1234")
    dialog.get_by_role("button", name="테스트 발송하기").click()
    expect(dialog).to_contain_text("테스트를 보내고 있습니다")
    work(RunKind.TEST)
    dialog.get_by_role("button", name="닫기", exact=True).click()

    launch(page)
    someone = Recipient.objects.filter(run__kind=RunKind.REGULAR).order_by("pk").last()
    expect(on_the_phone(page, town, someone.phone)).to_contain_text("님, 겨울 상자가 왔어요")
    expect(on_the_phone(page, town, "+821055551234")).to_contain_text("[테스트]")


def test_an_alimtalk_reaches_the_phone_with_each_variable_filled_in(town: Any, begin: Any) -> None:
    page = begin("카카오 알림톡")
    page.get_by_label("발신 프로필").select_option(CHANNEL)
    page.get_by_label("알림톡 템플릿").select_option("KA01TP260112021000001OrderDone01")
    expect(page.locator(".template-text")).to_contain_text("#{주문번호}")
    for name, value in {
        "고객명": '{{ user["$name"] }}',
        "주문번호": "20261125-0417",
        "상품명": "겨울 제철 박스",
        "결제금액": "39,800",
    }.items():
        page.get_by_label(f"#{{{name}}}").fill(value)
    page.get_by_label("고객명 기본값").fill("고객")
    expect(page.locator("#preview .kakao__text")).to_contain_text("▶ 상품: 겨울 제철 박스")
    page.get_by_text("실패 시 대체 문자 메시지", exact=True).click()
    page.get_by_label("발신 번호").select_option("15881234")
    page.get_by_text("따로 쓰기", exact=True).click()
    page.get_by_label("대체 문자 내용").fill("[하루식탁] 주문해 주셔서 감사합니다")
    page.get_by_role("link", name="대체 문자").click()
    expect(page.locator("#preview .sms")).to_contain_text("주문해 주셔서 감사합니다")
    launch(page)
    someone = Recipient.objects.order_by("pk").last()
    phone = on_the_phone(page, town, someone.phone)
    expect(phone).to_contain_text("주문번호: 20261125-0417")


def test_a_friendtalk_reaches_the_phone_with_picture_and_button(town: Any, begin: Any) -> None:
    page = begin("카카오 친구톡")
    page.get_by_label("발신 프로필").select_option(CHANNEL)
    page.get_by_label("메시지 내용").fill('{{ user["$name"] | default: "고객" }}님, 오늘까지 20% 할인')
    picture = BytesIO(PNG)
    page.get_by_label("사진").set_input_files(
        {"name": "상자.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    )
    expect(page.get_by_alt_text("올린 사진")).to_be_visible()
    page.get_by_role("button", name="버튼 추가").click()
    page.get_by_label("버튼 1 이름").fill("보러 가기")
    page.get_by_label("모바일 URL").fill("https://hrtb.example/s")
    expect(page.locator("#preview .kakao__button")).to_have_text("보러 가기")
    expect(page.get_by_role("link", name="광고 수신 동의 없음")).to_be_visible()
    launch(page)
    someone = Recipient.objects.order_by("pk").last()
    phone = on_the_phone(page, town, someone.phone)
    expect(phone).to_contain_text("오늘까지 20% 할인")
    expect(phone).to_contain_text("보러 가기")

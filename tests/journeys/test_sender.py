"""From an API key to a template on screen: a real browser, the stand-in SOLAPI on a real socket."""

from typing import Any

import pytest
from playwright.sync_api import expect

from integrations import senders
from integrations.sandbox.accounts import SOLAPI_API_KEY, SOLAPI_API_SECRET

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_sender_is_registered_tested_and_shown_by_keyboard(world: Any, sandbox: Any, browse: Any) -> None:
    page = browse("owner", f"/projects/{world.project.hex}/settings/")
    page.evaluate("window.sameDocument = true")
    page.get_by_role("link", name="발신 정보 등록하기").press("Enter")
    listening(page, focused="API Key")
    page.keyboard.type(SOLAPI_API_KEY)
    page.keyboard.press("Tab")
    page.keyboard.type("wrong-secret-0001")
    page.keyboard.press("Enter")
    sender = page.locator("#sender")
    expect(sender.get_by_role("alert").first).to_contain_text("API 키를 받아들이지 않았습니다")
    listening(page)
    sender.get_by_role("link", name="API 키 바꾸기").press("Enter")
    listening(page, focused="API Key")
    secret = page.get_by_label("API Secret")
    secret.fill(SOLAPI_API_SECRET)
    secret.press("Enter")
    expect(sender.get_by_text("연결됨")).to_be_visible(timeout=20_000)
    expect(sender.get_by_text("010-9000-1234")).to_be_visible()
    assert page.evaluate("window.sameDocument")
    assert SOLAPI_API_SECRET not in page.content()
    assert senders.listing(world.project).profiles

    sender.get_by_role("button", name="비밀키 만들기").press("Enter")
    expect(sender.get_by_text("지금 한 번만 보입니다")).to_be_visible()


def listening(page: Any, *, focused: str = "") -> None:
    """Waits for what was swapped in: it is seen a moment before it listens, and before it takes the focus for good."""
    if focused:
        expect(page.get_by_label(focused)).to_be_focused()
    expect(page.locator(".htmx-request, .htmx-added, .htmx-swapping, .htmx-settling")).to_have_count(0)


def test_a_template_is_found_and_read(world: Any, sandbox: Any, browse: Any) -> None:
    senders.register(world.project, senders.SolapiSettings(SOLAPI_API_KEY), SOLAPI_API_SECRET)
    senders.refresh_listing(world.project)
    page = browse("marketer", f"/projects/{world.project.hex}/cohorts/")
    page.get_by_role("link", name="템플릿 조회").click()
    page.get_by_label("상태").select_option(label="반려")
    expect(page.get_by_role("row", name="주문 완료 안내")).to_have_count(0)
    page.get_by_label("상태").select_option(label="모든 상태")
    page.get_by_label("템플릿 검색").fill("보냉제")
    expect(page.get_by_role("row", name="후기 요청")).to_have_count(0)
    page.get_by_role("link", name="배송 출발 안내").click()
    expect(page.get_by_role("heading", name="배송 출발 안내")).to_be_visible()
    bubble = page.get_by_label("미리보기")
    expect(bubble.locator("mark", has_text="#{고객명}")).to_be_visible()
    expect(bubble.get_by_text("배송지 변경")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("템플릿 검색")).to_have_value("보냉제")

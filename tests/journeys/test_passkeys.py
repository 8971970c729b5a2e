"""Passkeys in a real browser, with Chromium's virtual authenticator in place of a finger."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from notifly_console.audit.models import Entry
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def device(chromium: Any, live_server: Any, world: Any) -> Iterator[Callable[..., Any]]:
    """`device()` is a browser of its own with an authenticator: its page, and its `keys` over CDP."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def make(base_url: str = live_server.url) -> tuple[Page, "Keys"]:
        context = chromium.new_context(locale="ko-KR", base_url=base_url)
        contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        return page, Keys(context.new_cdp_session(page))

    yield make
    for context in contexts:
        context.close()
    assert not wrong


class Keys:
    """The virtual authenticator of a page."""

    def __init__(self, session: Any) -> None:
        self._session = session
        session.send("WebAuthn.enable")
        self._id = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})["authenticatorId"]

    def forget(self) -> None:
        self._session.send("WebAuthn.clearCredentials", {"authenticatorId": self._id})

    def held(self) -> list[dict[str, Any]]:
        found = self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return list(found["credentials"])


def sign_in_by_password(page: Page, who: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("이메일").fill(f"{who}@harutable.example")
    page.get_by_label("비밀번호", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="로그인", exact=True).click()
    expect(page.get_by_role("heading", name="로그인")).to_have_count(0)


def register(page: Page, name: str) -> None:
    """From the page where it is asked for: who adds a key to an account says first that it is theirs."""
    page.get_by_label("비밀번호", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="확인").click()
    page.get_by_label("패스키 이름").fill(name)
    page.get_by_role("button", name="패스키 등록").click()
    expect(page.get_by_text("패스키를 등록했습니다.")).to_be_visible()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="로그아웃").click()
    expect(page.get_by_role("heading", name="로그인")).to_be_visible()


def test_registered_used_alone_and_as_the_second_step(world: Any, device: Any) -> None:
    page, keys = device()
    sign_in_by_password(page, "marketer")
    page.get_by_role("link", name="마이페이지").click()
    page.locator(".setting", has_text="2단계 인증").get_by_role("link", name="등록하기").click()
    page.locator("section.factor", has_text="패스키").get_by_role("link", name="등록하기").click()
    register(page, "회사 노트북")
    assert [one["isResidentCredential"] for one in keys.held()] == [True]

    page.goto("/me/")
    sign_out(page)
    page.get_by_role("button", name="패스키로 로그인").click()
    expect(page.get_by_role("heading", name="외부 툴 유저 코호트 관리")).to_be_visible()

    sign_out(page)
    sign_in_by_password(page, "marketer")
    expect(page.get_by_role("heading", name="2단계 인증")).to_be_visible()
    page.get_by_role("button", name="패스키로 확인").click()
    expect(page.get_by_role("heading", name="외부 툴 유저 코호트 관리")).to_be_visible()

    entries = Entry.objects.filter(project_id=world.id).order_by("pk").values_list("action", "details")
    assert ("second_factor_added", {"factor": "webauthn"}) in list(entries)
    signed_in = [details["means"] for action, details in entries if action == "signed_in"]
    assert signed_in == [["password"], ["webauthn"], ["password", "webauthn"]]


def test_a_device_without_the_passkey_says_so_and_the_password_still_serves(world: Any, device: Any) -> None:
    page, keys = device()
    sign_in_by_password(page, "marketer")
    page.goto("/accounts/2fa/passkeys/add/")
    register(page, "잃어버릴 키")
    page.goto("/me/")
    sign_out(page)
    keys.forget()
    page.get_by_role("button", name="패스키로 로그인").click()
    expect(page.get_by_role("alert")).to_contain_text("패스키를 쓰지 못했습니다. 다시 시도하거나 비밀번호로 로그인")
    expect(page.get_by_role("button", name="패스키로 로그인")).to_be_enabled()
    sign_in_by_password(page, "marketer")
    expect(page.get_by_role("heading", name="2단계 인증")).to_be_visible()


def test_one_that_was_deleted_opens_nothing(world: Any, device: Any) -> None:
    page, _keys = device()
    sign_in_by_password(page, "marketer")
    page.goto("/accounts/2fa/passkeys/add/")
    register(page, "옛 키")
    page.goto("/accounts/2fa/passkeys/")
    expect(page.get_by_text("옛 키")).to_be_visible()
    page.get_by_role("link", name="삭제").click()
    page.get_by_role("button", name="패스키 삭제").click()
    expect(page.get_by_text("패스키를 삭제했습니다.")).to_be_visible()
    page.goto("/me/")
    sign_out(page)
    with page.expect_navigation():
        page.get_by_role("button", name="패스키로 로그인").click()
    expect(page.get_by_text("이 패스키로는 로그인할 수 없습니다.")).to_be_visible()
    page.goto("/me/")
    expect(page.get_by_role("heading", name="로그인")).to_be_visible()


def test_a_project_that_requires_a_factor_is_open_once_there_is_a_passkey(world: Any, device: Any) -> None:
    world.project.requires_second_factor = True
    world.project.save()
    page, _keys = device()
    sign_in_by_password(page, "admin")
    expect(page.get_by_text("먼저 2단계 인증을 등록해 주십시오")).to_be_visible()
    page.locator("section.factor", has_text="패스키").get_by_role("link", name="등록하기").click()
    register(page, "지문")
    page.goto(f"/projects/{world.id.hex}/cohorts/")
    expect(page.get_by_role("heading", name="외부 툴 유저 코호트 관리")).to_be_visible()


def test_an_address_in_digits_says_why_it_has_none(world: Any, device: Any, live_server: Any) -> None:
    page, _keys = device(live_server.url.replace("localhost", "127.0.0.1"))
    page.goto("/accounts/login/")
    page.get_by_role("button", name="패스키로 로그인").click()
    expect(page.get_by_role("alert")).to_contain_text("이 주소에서는 패스키를 쓸 수 없습니다")

"""설정 → 발신 정보 and 템플릿 조회, through the pages, against the stand-in SOLAPI."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations import hooks, senders
from integrations.messaging import Channel
from integrations.models import Connection, SenderListing
from integrations.sandbox.accounts import (
    SOLAPI_API_KEY,
    SOLAPI_API_SECRET,
    SOLAPI_OTHER_API_KEY,
    SOLAPI_OTHER_API_SECRET,
)
from integrations.senders import SolapiSettings
from notifly_console.audit.models import Entry
from tests import factories

GOOD = {"api_key": SOLAPI_API_KEY, "api_secret": SOLAPI_API_SECRET}
FRAGMENT = {"HX-Request": "true", "HX-Target": "sender"}


class Pages:
    """The settings of the world's project, as one of its people uses them."""

    def __init__(self, client: Any, project: Any) -> None:
        self.client, self.base = client, f"/projects/{project.hex}/settings"

    def get(self, path: str = "", **kwargs: Any) -> Any:
        return self.client.get(f"{self.base}/{path}", **kwargs)

    def press(self, what: str, data: Any = None, status: int = 200) -> str:
        response = self.client.post(f"{self.base}/solapi/{what}/", data or {}, headers=FRAGMENT)
        assert response.status_code == status, response.content.decode()[:500]
        page = str(response.content.decode())
        assert SOLAPI_API_SECRET not in page
        return page


@pytest.fixture
def pages(world: Any, sandbox: Any, sign_in: Any) -> Pages:
    return Pages(sign_in("owner"), world.project)


@pytest.fixture
def registered(world: Any, sandbox: Any) -> Connection:
    row, _ = senders.register(world.project, SolapiSettings(SOLAPI_API_KEY), SOLAPI_API_SECRET)
    senders.refresh_listing(world.project)
    return row


def rungs(world: Any) -> dict[str, str]:
    row = senders.row_of(world.project)
    assert row
    return {name: state for name, state, _said in row.health["rungs"]}


# -- Registering ------------------------------------------------------------------------------------------------------
def test_from_nothing_to_a_sender(world: Any, pages: Pages) -> None:
    empty = pages.get().content.decode()
    assert "등록된 발신 정보가 없습니다" in empty
    form = pages.get("solapi/register/").content.decode()
    assert 'type="password"' in form
    page = pages.press("register", GOOD)
    assert rungs(world) == dict.fromkeys(("key", "clock", "balance", "channels", "numbers", "templates"), "ok")
    for shown in (
        "연결됨",
        "@하루식탁",
        "02-6900-1234",
        "010-9000-1234",
        "1588-1234",
        "30,000,000원",
        "12원",
        "승인 4개",
    ):
        assert shown in page, shown
    assert senders.registered_channels(world.project) == set(Channel)
    entry = Entry.objects.get(action="connection_registered")
    assert (entry.target, entry.actor) == ("solapi", "owner@harutable.example")
    assert SOLAPI_API_SECRET not in str(entry.details)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "SOLAPI 콘솔의 API Key를 입력하세요"),
        ({**GOOD, "api_key": "with space"}, "영문자와 숫자로만"),
        ({**GOOD, "api_key": "KEY,date=1"}, "영문자와 숫자로만"),
        ({**GOOD, "api_key": "K" * 65}, "64자까지"),
        ({**GOOD, "api_secret": ""}, "API Secret을 입력하세요"),
        ({**GOOD, "api_secret": "a\nb"}, "공백이나 제어 문자 없이"),
    ],
)
def test_what_is_no_key_pair_is_said_beside_the_field(world: Any, pages: Pages, data: Any, said: str) -> None:
    assert said in pages.press("register", data, status=422)
    assert not senders.is_connected(world.project)


def test_somebody_else_was_faster(world: Any, pages: Pages, registered: Connection) -> None:
    page = pages.press("register", {**GOOD, "api_key": SOLAPI_OTHER_API_KEY}, status=409)
    assert "다른 사람이 이미 등록했습니다" in page
    assert SOLAPI_API_KEY in page


def test_without_htmx_the_page_comes_back(world: Any, pages: Pages) -> None:
    response = pages.client.post(f"{pages.base}/solapi/register/", GOOD, follow=True)
    assert "등록하고 연결을 확인했습니다" in response.content.decode()


# -- The ladder -------------------------------------------------------------------------------------------------------
@pytest.fixture
def other(world: Any, sandbox: Any) -> Any:
    def register(key: str = SOLAPI_API_KEY, secret: str = SOLAPI_API_SECRET) -> Connection:
        return senders.register(world.project, SolapiSettings(key), secret)[0]

    return register


def test_a_wrong_secret(world: Any, pages: Pages, other: Any) -> None:
    other(secret="not-the-secret-of-it")
    page = pages.press("test")
    assert "SOLAPI가 API 키를 받아들이지 않았습니다" in page
    assert "다시 입력하세요" in page
    assert rungs(world) == {
        "key": "bad", "clock": "ok", "balance": "skipped", "channels": "skipped", "numbers": "skipped",
        "templates": "skipped",
    }  # fmt: skip
    assert senders.listing(world.project).problem == "wrong_key"
    assert Entry.objects.latest("id").details == {"result": "wrong_key"}


def test_a_clock_that_is_off_is_told_by_how_much(world: Any, pages: Pages, other: Any, sandbox: Any) -> None:
    other()
    sandbox.world.config.clock_skew_seconds = 3_600.0
    page = pages.press("test")
    assert rungs(world)["clock"] == "bad"
    assert "이 서버의 시계가" in page
    assert "NTP" in page


def test_an_account_without_channel_and_money(world: Any, pages: Pages, other: Any, sandbox: Any) -> None:
    other(SOLAPI_OTHER_API_KEY, SOLAPI_OTHER_API_SECRET)
    sandbox.world.solapi.account(SOLAPI_OTHER_API_KEY).balance = 0.0
    page = pages.press("test")
    assert "연동된 카카오 채널이 없습니다" in page
    assert "SOLAPI 잔액이 없습니다" in page
    assert "확인 필요" in page
    assert rungs(world) == {
        "key": "ok", "clock": "ok", "balance": "warn", "channels": "warn", "numbers": "ok", "templates": "skipped",
    }  # fmt: skip
    assert senders.registered_channels(world.project) == {Channel.TEXT}


def test_no_number_and_no_approved_template(world: Any, pages: Pages, other: Any, sandbox: Any) -> None:
    other()
    account = sandbox.world.solapi.account()
    account.numbers.clear()
    for template in account.templates.values():
        template.blocked = True
    page = pages.press("test")
    assert "쓸 수 있는 발신 번호가 없습니다" in page
    assert "승인된 알림톡 템플릿이 없습니다" in page


@pytest.mark.parametrize(
    ("endpoint", "rung"),
    [("balance", "key"), ("channels", "channels"), ("numbers/active", "numbers"), ("templates", "templates")],
)
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("html_503", "SOLAPI가 오류로 응답하고 있습니다"),
        ("html_200", "SOLAPI의 응답을 이해할 수 없습니다"),
        ("cut", "연결이 도중에 끊겼습니다"),
        ("html_429", "잠시 요청을 받지 않습니다"),
        ("forbidden", "이 API 키로는 할 수 없는 일입니다"),
    ],
)
def test_where_it_ends_and_why(
    world: Any, pages: Pages, other: Any, sandbox: Any, endpoint: str, rung: str, fault: str, said: str
) -> None:
    other()
    sandbox.world.faults.add(fault, endpoint=endpoint, times=None, vendor="solapi")
    assert said in pages.press("test")
    assert rungs(world)[rung] == "bad"


def test_nobody_there(world: Any, pages: Pages, other: Any, settings: Any) -> None:
    settings.SOLAPI_API_URL = "http://127.0.0.1:9"
    other()
    assert "SOLAPI에 연결할 수 없습니다" in pages.press("test")


def test_prices_that_the_key_may_not_see_are_no_failure(world: Any, pages: Pages, other: Any, sandbox: Any) -> None:
    other()
    sandbox.world.faults.add("forbidden", endpoint="pricing", times=None, vendor="solapi")
    page = pages.press("test")
    assert "연결됨" in page
    assert "이 API 키로는 단가를 볼 수 없습니다" in page


# -- What it offers ---------------------------------------------------------------------------------------------------
def test_refreshing_brings_what_has_changed(world: Any, pages: Pages, registered: Connection, sandbox: Any) -> None:
    sandbox.world.solapi.account().numbers["0212341234"] = "2027-01-01"
    assert "02-1234-1234" not in pages.get().content.decode()
    assert "02-1234-1234" in pages.press("refresh")


def test_a_refresh_that_fails_keeps_what_was_there(
    world: Any, pages: Pages, registered: Connection, sandbox: Any
) -> None:
    sandbox.world.faults.add("html_503", times=None, vendor="solapi")
    page = pages.press("refresh")
    assert "SOLAPI가 오류로 응답하고 있습니다" in page
    assert "아래는 그 전에 가져온 것입니다" in page
    assert "02-6900-1234" in page


def test_the_sweep_fetches_what_has_grown_old_and_leaves_the_rest(world: Any, registered: Connection) -> None:
    assert senders.due_listings() == []
    old = timezone.now() - senders.STALE - timedelta(minutes=1)
    SenderListing.objects.update(fetched_at=old, tried_at=old)
    assert senders.due_listings() == [str(registered.pk)]
    senders.refresh_if_due(str(registered.pk))
    assert senders.listing(world.project).fetched_at > old
    assert senders.due_listings() == []


def test_the_sweep_fetches_what_was_never_fetched_once(world: Any, sandbox: Any, other: Any) -> None:
    row = other()
    assert senders.due_listings() == [str(row.pk)]
    senders.refresh_if_due(str(row.pk))
    asked = len(sandbox.world.requests("balance", vendor="solapi"))
    senders.refresh_if_due(str(row.pk))
    senders.refresh_if_due("00000000-0000-0000-0000-000000000000")
    assert asked == len(sandbox.world.requests("balance", vendor="solapi")) == 1


# -- Changing ---------------------------------------------------------------------------------------------------------
def test_another_key_pair(world: Any, pages: Pages, registered: Connection) -> None:
    form = pages.get("solapi/key/").content.decode()
    assert SOLAPI_API_KEY in form
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', form)
    changed = {"api_key": SOLAPI_OTHER_API_KEY, "api_secret": SOLAPI_OTHER_API_SECRET}
    page = pages.press("key", {**changed, "seen": seen})
    assert SOLAPI_OTHER_API_KEY in page
    assert "@하루식탁" not in page
    again = pages.press("key", {**GOOD, "seen": seen}, status=409)
    assert "그사이 연동 정보가 바뀌었습니다" in again


def test_disconnecting_asks_first(world: Any, pages: Pages, registered: Connection) -> None:
    assert "해제할까요" in pages.get("solapi/disconnect/").content.decode()
    assert senders.is_connected(world.project)
    assert "등록된 발신 정보가 없습니다" in pages.press("disconnect")
    assert not senders.is_connected(world.project)
    assert "그사이 연동이 해제되었습니다" in pages.press("test", status=409)


def test_a_lost_key_is_said(world: Any, pages: Pages, registered: Connection) -> None:
    Connection.objects.filter(pk=registered.pk).update(sealed_secret="v1.lost.AAAA")
    assert "저장된 API Secret을 열 수 없습니다" in pages.get().content.decode()


# -- The webhook's secret ---------------------------------------------------------------------------------------------
def test_the_webhooks_secret_is_shown_once(world: Any, pages: Pages, registered: Connection) -> None:
    page = pages.press("webhook")
    assert f"/solapi/projects/{world.project.hex}/reports" in page
    shown = [value for value in re.findall(r'data-copy="([^"]+)"', page) if len(value) == 32 and "/" not in value]
    (secret,) = [value for value in shown if hooks.caller(world.project.id, hooks.sent_by(value))]
    assert secret not in pages.get().content.decode()
    assert hooks.caller(world.project.id, hooks.sent_by("other")) is None


# -- Rights -----------------------------------------------------------------------------------------------------------
def test_a_marketer_sees_and_refreshes_and_changes_nothing(world: Any, registered: Connection, sign_in: Any) -> None:
    marketer = Pages(sign_in("marketer"), world.project)
    page = marketer.get().content.decode()
    assert "@하루식탁" in page
    assert "settings/solapi/refresh/" in page
    for absent in (
        "settings/solapi/key/",
        "settings/solapi/test/",
        "settings/solapi/disconnect/",
        "settings/solapi/webhook/",
    ):
        assert absent not in page
    marketer.press("refresh")
    for what in ("register", "key", "test", "webhook", "disconnect"):
        marketer.press(what, status=403)


# -- Templates --------------------------------------------------------------------------------------------------------
@pytest.fixture
def templates(world: Any, sign_in: Any) -> Any:
    client = sign_in("marketer")

    def show(path: str = "", **kwargs: Any) -> str:
        response = client.get(f"/projects/{world.project.hex}/templates/{path}", **kwargs)
        assert response.status_code == 200
        return str(response.content.decode())

    show.client = client  # type: ignore[attr-defined]
    return show


def test_without_a_sender_the_way_there_is_shown(world: Any, templates: Any) -> None:
    page = templates()
    assert "발신 정보가 등록되어 있지 않습니다" in page
    assert f"/projects/{world.project.id}/settings/#senders" in page or "settings/#senders" in page


def test_templates_are_listed_what_can_be_sent_first(world: Any, registered: Connection, templates: Any) -> None:
    page = templates()
    order = [
        page.index(f">{name}</a>")
        for name in ("주문 완료 안내", "회원 등급 변경 안내", "후기 요청", "매장 픽업 준비 완료")
    ]
    assert order == sorted(order)
    for chip in ("승인", "대기", "반려", "휴면"):
        assert f">{chip}</span>" in page


@pytest.mark.parametrize(
    ("query", "there", "absent"),
    [
        ("?status=rejected", "후기 요청", "주문 완료 안내"),
        ("?channel=KA01PF260105010000002HaruDelivr2", "배송 출발 안내", "주문 완료 안내"),
        ("?q=보냉제", "배송 출발 안내", "주문 완료 안내"),
        ("?q=주문 완료", "주문 완료 안내", "배송 출발 안내"),
        ("?q=없는 말", "맞는 템플릿이 없습니다", "주문 완료 안내"),
        ("?status=nonsense&page=99999999", "주문 완료 안내", "맞는 템플릿이 없습니다"),
        ("?q=" + "%00" + "a" * 5_000, "맞는 템플릿이 없습니다", "주문 완료 안내"),
    ],
)
def test_finding_a_template(
    world: Any, registered: Connection, templates: Any, query: str, there: str, absent: str
) -> None:
    page = templates(query)
    assert there in page
    assert absent not in page


def test_one_template_as_its_reader_sees_it(world: Any, registered: Connection, templates: Any) -> None:
    page = templates("KA01TP260112021000001OrderDone01/")
    assert "알림톡 도착" in page
    assert '<mark class="variable">#{고객명}</mark>님, 주문해 주셔서 감사합니다.' in page
    assert "주문 내역 보기" in page
    assert "<textarea" not in page


def test_a_rejected_one_says_why_and_a_dormant_one_what_to_do(
    world: Any, registered: Connection, templates: Any
) -> None:
    assert "쿠폰 지급 안내는 광고에 해당합니다" in templates("KA01TP260820021000006Review00006/")
    assert "휴면을 해제해야 보낼 수 있습니다" in templates("KA01TP250301021000007Pickup00007/")


def test_a_missing_template_is_a_404(world: Any, registered: Connection, templates: Any) -> None:
    assert templates.client.get(f"/projects/{world.project.hex}/templates/KA01TPnone/").status_code == 404


def test_refreshing_the_templates(world: Any, registered: Connection, templates: Any, sandbox: Any) -> None:
    sandbox.world.solapi.account().templates["KA01TP260112021000001OrderDone01"].blocked = True
    address = f"/projects/{world.project.hex}/templates/refresh/"
    page = templates.client.post(address, headers={"HX-Request": "true", "HX-Target": "templates"}).content.decode()
    assert ">차단</span>" in page
    sandbox.world.faults.add("html_503", times=None, vendor="solapi")
    page = templates.client.post(address, headers={"HX-Request": "true", "HX-Target": "templates"}).content.decode()
    assert "SOLAPI가 오류로 응답하고 있습니다" in page
    assert "주문 완료 안내" in page


def test_hostile_templates_are_shown_as_they_are(world: Any, templates: Any) -> None:
    from integrations.solapi.schemas import parse_template

    row = factories.sender(world.project)
    said = (
        '{"templateId": "T1", "name": "<b>이름</b>", "content": "#{<img src=x>} <script>alert(1)</script>",'
        '"status": "REJECTED", "comments": ["<i>사유</i>"], "buttons": [{"buttonType": "WL", "buttonName": "<u>",'
        '"linkMo": "javascript:alert(1)"}]}'
    )
    found = parse_template(said.encode())
    data = senders.as_data(
        account="", balance=senders.Balance(senders.Decimal(1)), profiles=[], numbers=[], templates=[found], prices={}
    )
    senders.keep_listing(row, data)
    for page in (templates(), templates("T1/")):
        for raw in ("<b>이름</b>", "<script>alert(1)", "<img src=x>", "<i>사유</i>", "<u>", 'href="javascript'):
            assert raw not in page

"""Lists of the stand-in SOLAPI: messages as an object, pages, filters; groups; what an account owns."""

from typing import Any

import pytest

from integrations.sandbox.solapi.catalogue import CHANNEL, DELIVERY_CHANNEL

from .solapi_asker import SolapiAsker, alimtalk, lms, sms


def page_through(solapi: SolapiAsker, path: str, name: str, **query: Any) -> list[str]:
    keys: list[str] = []
    start: dict[str, str] = {}
    for _ in range(50):
        reply = solapi.get(path, **query, **start)
        rows = reply[name]
        assert len(rows) <= query["limit"]
        keys += rows
        if reply["nextKey"] is None:
            return keys
        start = {"startKey": reply["nextKey"]}
    raise AssertionError("no end")


@pytest.fixture
def sent(solapi: SolapiAsker) -> list[str]:
    first = solapi.sent(*(sms(f"0104000{place:04}") for place in range(1000, 1007)), customFields={"batch": "1"})
    solapi.world.clock.advance(100)
    second = solapi.sent(lms("01040001000"), lms("01040000005"), alimtalk("01040001002"))
    return [first, second]


def test_every_message_once_over_pages(solapi: SolapiAsker, sent: list[str]) -> None:
    ids = page_through(solapi, "messages/v4/list", "messageList", limit=3)
    assert len(ids) == len(set(ids)) == 10
    assert ids == page_through(solapi, "messages/v4/list", "messageList", limit=500)
    of_group = page_through(solapi, f"messages/v4/groups/{sent[0]}/messages", "messageList", limit=2)
    assert (len(of_group), of_group) == (7, sorted(of_group))
    assert solapi.get("messages/v4/list")["limit"] == 20


def test_filters(solapi: SolapiAsker, sent: list[str]) -> None:
    def found(**query: Any) -> list[Any]:
        return list(solapi.get("messages/v4/list", limit=100, **query)["messageList"].values())

    assert {one["groupId"] for one in found(groupId=sent[1])} == {sent[1]}
    assert len(found(to="01040001000")) == 2
    assert {one["type"] for one in found(type="LMS")} == {"LMS"}
    assert [one["to"] for one in found(statusCode="3040")] == ["01040000005"]
    assert len(found(**{"from": "0269001234"})) == 9
    assert len(found(criteria="to,statusCode", cond="eq,eq", value="01040001000,4000")) == 2
    one, two = (message["messageId"] for message in found(to="01040001000"))
    assert [message["messageId"] for message in found(messageId=one)] == [one]
    assert {message["messageId"] for message in found(messageIds=[one, two])} == {one, two}
    assert {message["messageId"] for message in found(**{"messageIds[in]": f'["{one}","{two}"]'})} == {one, two}
    assert found(messageId="M4V20260101000000AAAAAAAAAAAAAAA") == found(messageId="x") == []
    assert solapi.ask("GET", "messages/v4/list", startKey="x").status_code == 400
    assert solapi.ask("GET", "messages/v4/list", limit="0").status_code == 400
    assert solapi.ask("GET", "messages/v4/list", limit="many").status_code == 400
    assert solapi.ask("GET", "messages/v4/list", startDate="soon").status_code == 400


def test_dates(solapi: SolapiAsker) -> None:
    solapi.world.clock.move_to("2026-03-02T10:00+09:00")
    solapi.world.config.report_seconds = 3_600.0
    group = solapi.sent(sms())
    noon = "2026-03-02T12:00:00+09:00"

    def found(**query: Any) -> int:
        return len(solapi.get("messages/v4/list", **query)["messageList"])

    assert found(startDate="2026-03-02T00:59:00Z", endDate=noon, dateType="CREATED") == 1
    assert found(startDate="2026-03-02T10:30:00+09:00") == 0
    assert found(startDate="2026-03-02T10:30:00+09:00", dateType="UPDATED") == 0
    solapi.world.clock.advance(4_000)
    assert found(startDate="2026-03-02T10:30:00+09:00", dateType="UPDATED") == 1
    assert found(endDate="2026-03-02T10:30:00+09:00", dateType="UPDATED") == 0
    assert list(solapi.get("messages/v4/groups", startDate="2026-03-02T00:59:00Z", endDate=noon)["groupList"]) == [
        group
    ]
    assert solapi.get("messages/v4/groups", startDate=noon)["groupList"] == {}


def test_the_unevenness_of_messages(solapi: SolapiAsker, sent: list[str]) -> None:
    messages = solapi.messages(sent[0])
    assert {type(one["replacement"]) for one in messages} == {bool, int}
    assert messages[0]["subject"] is None
    assert messages[0]["rcsOptions"] is None
    assert "clusterKey" in messages[0]


def test_the_shape_of_prices(solapi: SolapiAsker) -> None:
    solapi.world.config.price_shape = "empty_list"
    assert solapi.ask("POST", "messages/v4/groups", {}).json()["price"] == {"82": []}


def test_groups(solapi: SolapiAsker, sent: list[str]) -> None:
    waiting = solapi.group()
    assert page_through(solapi, "messages/v4/groups", "groupList", limit=2) == [waiting, *reversed(sent)]
    assert list(solapi.get("messages/v4/groups", status="PENDING")["groupList"]) == [waiting]
    by_id = solapi.get("messages/v4/groups", criteria="groupId", cond="eq", value=sent[0])["groupList"]
    assert by_id[sent[0]]["customFields"] == {"batch": "1"}
    assert solapi.ask("GET", "messages/v4/groups", criteria="x", cond="eq", value="1").status_code == 400


def test_what_the_shop_owns(solapi: SolapiAsker) -> None:
    channels = solapi.get("kakao/v2/channels")["channelList"]
    assert [one["channelId"] for one in channels] == [CHANNEL, DELIVERY_CHANNEL]
    assert solapi.get(f"kakao/v2/channels/{CHANNEL}")["searchId"] == "@하루식탁"
    assert len(page_through(solapi, "kakao/v2/templates", "templateList", limit=2)) == 7
    approved = solapi.get("kakao/v2/templates", status="APPROVED", isHidden="false")["templateList"]
    assert len(approved) == len(solapi.get("kakao/v2/templates/sendable")["templateList"]) == 4
    assert {one["channelId"] for one in solapi.get("kakao/v2/templates", channelId=CHANNEL)["templateList"]} == {
        CHANNEL
    }
    named = solapi.get("kakao/v2/templates", **{"name[like]": "배송"})["templateList"]
    assert {one["name"] for one in named} == {"배송 출발 안내", "정기배송 결제 예정 안내"}
    order = solapi.get(f"kakao/v2/templates/{approved[0]['templateId']}")
    assert [one["name"] for one in order["variables"]] == ["#{고객명}", "#{주문번호}", "#{상품명}", "#{결제금액}"]
    assert solapi.ask("GET", "kakao/v2/templates/none").status_code == 404
    rejected = solapi.get("kakao/v2/templates", status="REJECTED")["templateList"][0]
    assert rejected["comments"][0]["content"]
    assert solapi.get("kakao/v2/brand-templates")["brandTemplateList"] == []
    numbers = solapi.get("senderid/v1/numbers/active")
    assert numbers == ["0269001234", "01090001234", "15881234"]
    assert [one["phoneNumber"] for one in solapi.get("senderid/v1/numbers")["senderIds"]] == numbers
    assert solapi.get("iam/v1/block/groups")["blockGroups"][0]["status"] == "ACTIVE"
    assert solapi.get("iam/v1/block/numbers")["blockNumbers"][0]["phoneNumber"] == "01090009999"


def test_money_and_quota(solapi: SolapiAsker, sent: list[str]) -> None:
    prices = solapi.get("pricing/v1/messaging")
    assert (prices["countryId"], prices["sms"], prices["ata"], prices["bms_free"]) == ("82", 12, 10, 25)
    assert solapi.get("quota/v1/me")["used"] == 10
    spent = 7 * 12 + 2 * 39 + 10 - 39
    assert solapi.get("cash/v1/balance")["balance"] == 30_000_000 - spent
    statistics = solapi.get("messages/v4/statistics")
    assert statistics["balance"] == spent
    assert (statistics["total"]["total"], statistics["total"]["sms"], statistics["failed"]["lms"]) == (10, 7, 1)
    assert statistics["monthPeriod"][0]["dayPeriod"][0]["statusCode"]["3040"] == {"lms": 1}

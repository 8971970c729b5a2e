"""SOLAPI's answers as they come, also where they aren't what its documents say."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from integrations.http import BadAnswer
from integrations.messaging import Button, Kind, TemplateStatus
from integrations.solapi import schemas


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_group_bare_or_wrapped_with_counts_of_any_type() -> None:
    counts = {"total": "3", "registeredSuccess": 2, "registeredFailed": None, "sentTotal": 0.0, "new": {}}
    bare = {"groupId": "G1", "accountId": "12925149", "status": "PENDING", "count": counts, "price": {"82": []}}
    group = schemas.parse_group(body(bare))
    assert (group.id, group.account, group.status) == ("G1", "12925149", "PENDING")
    assert (group.total, group.accepted, group.sent) == (3, 2, 0)
    assert schemas.parse_group(body({"groupInfo": bare})) == group
    assert schemas.parse_group(body({"groupInfo": bare, "groupId": "G1", "status": None})) == group


def test_a_group_that_says_little() -> None:
    group = schemas.parse_group(body({"_id": "G1", "count": [], "status": None, "accountId": None}))
    assert (group.id, group.account, group.status, group.total) == ("G1", "", "", None)


NONSENSE = [b"", b"<html>", b"[]", b"null", b'{"ok": "sandbox"}', b"7", b'{"groupId": {}}', b"[" * 100_000, b"\xff"]


@pytest.mark.parametrize("said", NONSENSE)
@pytest.mark.parametrize(
    "parse",
    [
        schemas.parse_group,
        schemas.parse_added,
        schemas.parse_messages,
        schemas.parse_profiles,
        schemas.parse_template,
        schemas.parse_balance,
        schemas.parse_prices,
        schemas.parse_refusals,
        schemas.parse_file,
    ],
)
def test_nonsense_is_a_bad_answer(parse: Any, said: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse(said)


def test_messages_come_as_an_object_by_id_and_with_nulls() -> None:
    said = {
        "startKey": None,
        "nextKey": "M2",
        "messageList": {
            "M1": {
                "messageId": None,
                "statusCode": "4000",
                "status": "COMPLETE",
                "replacement": 1,
                "customFields": {"reference": "r1"},
                "dateReceived": None,
                "dateReported": "2026-11-20T02:00:00.000Z",
                "unheard": [1],
            },
            "M2": {"statusCode": None, "customFields": None, "replacement": 0, "dateReceived": "2026-11-20 11:00:00"},
            "M3": None,
        },
    }
    messages, key = schemas.parse_messages(body(said))
    assert key == "M2"
    first, second = messages
    assert (first.message_id, first.reference, first.code, first.was_replaced) == ("M1", "r1", "4000", True)
    assert first.at == second.at == datetime(2026, 11, 20, 2, tzinfo=UTC)
    assert (second.message_id, second.reference, second.code, second.was_replaced) == ("M2", "", "", False)


def test_messages_as_an_array_too() -> None:
    messages, key = schemas.parse_messages(body({"messageList": [{"messageId": "M1", "statusCode": 3000}]}))
    assert (messages[0].code, key) == ("3000", "")


def test_what_was_added() -> None:
    said = {"errorCount": "1", "resultList": [{"to": "01012345678", "messageId": "M1", "statusCode": "1062"}, None]}
    (added,) = schemas.parse_added(body(said))
    assert (added.to, added.message_id, added.code, added.reference) == ("01012345678", "M1", "1062", "")


TEMPLATE = {
    "templateId": "KA01TP1",
    "channelId": "KA01PF1",
    "name": "주문 완료",
    "content": "#{고객명}님, #{주문번호} 주문이 완료되었습니다. #{고객명}",
    "status": "APPROVED",
    "buttons": [
        {"buttonType": "WL", "buttonName": "주문 보기", "linkMo": "https://m.example/#{번호}", "linkPc": None},
        {"buttonType": "AC", "buttonName": "채널 추가"},
    ],
    "variables": [{"name": "#{고객명}"}, {"name": "#{상품}"}],
    "comments": [{"isAdmin": True, "content": "좋습니다"}, {"content": None}],
    "code": None,
    "securityFlag": 0,
}


def test_a_template() -> None:
    template = schemas.parse_template(body(TEMPLATE))
    assert template.variables == ("고객명", "주문번호", "번호", "상품")
    assert template.buttons == (Button("주문 보기", "https://m.example/#{번호}"),)
    assert template.other_buttons == ("채널 추가",)
    assert template.comments == ("좋습니다",)
    assert template.is_sendable


def test_extra_information_is_part_of_the_text() -> None:
    template = schemas.parse_template(body({**TEMPLATE, "extra": "고객센터 1588"}))
    assert template.content.endswith("\n\n고객센터 1588")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"status": "PENDING"}, TemplateStatus.PENDING),
        ({"status": "INSPECTING"}, TemplateStatus.IN_REVIEW),
        ({"status": "approved"}, TemplateStatus.APPROVED),
        ({"status": "REJECTED"}, TemplateStatus.REJECTED),
        ({"dormant": 1}, TemplateStatus.DORMANT),
        ({"blocked": True}, TemplateStatus.BLOCKED),
        ({"status": "SOMETHING_NEW"}, TemplateStatus.BLOCKED),
        ({"status": None}, TemplateStatus.BLOCKED),
    ],
)
def test_only_what_is_known_to_be_approved_may_go_out(said: dict[str, Any], status: TemplateStatus) -> None:
    assert schemas.parse_template(body({**TEMPLATE, **said})).status == status


def test_text_that_a_database_refuses_is_mended() -> None:
    said = body({**TEMPLATE, "content": "가\u0000나"}).replace(b'"KA01PF1"', b'"\\ud800x"')
    template = schemas.parse_template(said)
    assert template.content == "가나"
    assert template.profile_id == "?x"


def test_numbers_as_digits_or_objects() -> None:
    assert [n.number for n in schemas.parse_numbers(body(["0269001234", "02-6900-1234", None]))] == ["0269001234"]
    found = schemas.parse_numbers(
        body(
            {
                "senderIds": [
                    {"phoneNumber": "15881234", "status": "ACTIVE"},
                    {"phoneNumber": "010", "status": "EXPIRED"},
                ]
            }
        )
    )
    assert [(n.number, n.is_active) for n in found] == [("15881234", True), ("010", False)]
    with pytest.raises(BadAnswer):
        schemas.parse_numbers(b'{"senderIds": "none"}')


def test_money() -> None:
    balance, account = schemas.parse_balance(body({"balance": "196.00000000001592", "point": None, "accountId": "486"}))
    assert (balance.cash, balance.points, account) == (Decimal("196.00000000001592"), Decimal(0), "486")
    with pytest.raises(BadAnswer):
        schemas.parse_balance(b'{"balance": NaN}')


@pytest.mark.parametrize(
    "said",
    [
        {"sms": 12, "lms": 39, "mms": "90", "ata": 10.5, "bms_free": 25, "countryId": "82"},
        {"82": {"sms": 12, "lms": 39, "mms": 90, "ata": 10.5, "bms_text": 25}},
        {"sms": {"82": 12}, "lms": {"82": 39}, "mms": {"82": 90}, "ata": {"82": 10.5}, "bms_free": {"82": 25}},
        [
            {"countryId": "370", "sms": 94},
            {"countryId": "82", "sms": 12, "lms": 39, "mms": 90, "ata": 10.5, "bms_free": 25},
        ],
        {"price": {"82": {"sms": 12, "lms": 39, "mms": 90, "ata": 10.5, "bms_free": 25}}},
    ],
)
def test_prices_in_every_shape(said: Any) -> None:
    assert schemas.parse_prices(body(said)) == {
        Kind.SMS: Decimal(12),
        Kind.LMS: Decimal(39),
        Kind.MMS: Decimal(90),
        Kind.ALIMTALK: Decimal("10.5"),
        Kind.FRIENDTALK: Decimal(25),
    }


@pytest.mark.parametrize("said", [{"price": {"82": []}}, {"sms": "free"}, {"sms": -1}, []])
def test_no_price_is_no_price_of_nothing(said: Any) -> None:
    with pytest.raises(BadAnswer):
        schemas.parse_prices(body(said))


def test_those_who_refused() -> None:
    said = {"blackList": [{"recipientNumber": "01023456789"}, {"recipientNumber": "1588"}, {}], "nextKey": "x"}
    assert schemas.parse_refusals(body(said)) == (["+821023456789"], "x")

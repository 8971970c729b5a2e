"""Our messages in SOLAPI's words."""

import json
from dataclasses import replace
from typing import Any

import pytest

from integrations.messaging import Button, Fallback, Kind, Message
from integrations.solapi import payload
from integrations.solapi.payload import message_json, national, requests_of

SMS = Message(reference="r1", to="+821012345678", kind=Kind.SMS, sender="0269001234", text="안녕하세요")
ALIMTALK = Message(
    reference="r2",
    to="+821012345678",
    kind=Kind.ALIMTALK,
    sender="0269001234",
    text="민지님, 주문이 완료되었습니다.",
    profile="KA01PF1",
    template="KA01TP1",
    variables={"고객명": "민지", "주문번호": "#{고객명}"},
)
BRAND = Message(
    reference="r3",
    to="+821012345678",
    kind=Kind.FRIENDTALK,
    sender="0269001234",
    text="신메뉴!",
    profile="KA01PF1",
    is_ad=True,
    buttons=(Button("보러 가기", "https://m.example/1"), Button("주문", "https://m.example/2", "https://example/2")),
)
COMMON = {"to": "01012345678", "from": "0269001234", "autoTypeDetect": False, "country": "82"}


def test_a_short_text() -> None:
    assert message_json(SMS) == {
        **COMMON, "type": "SMS", "text": "안녕하세요", "customFields": {"reference": "r1"},
    }  # fmt: skip


def test_a_short_text_has_no_subject_and_a_long_one_has() -> None:
    assert "subject" not in message_json(replace(SMS, subject="제목"))
    assert message_json(replace(SMS, kind=Kind.LMS, subject="제목"))["subject"] == "제목"
    assert "subject" not in message_json(replace(SMS, kind=Kind.LMS))


def test_a_picture_message() -> None:
    made = message_json(replace(SMS, kind=Kind.MMS, image="ST01", subject="제목"))
    assert (made["type"], made["imageId"]) == ("MMS", "ST01")


def test_an_alimtalk_gives_template_and_variables_and_says_that_no_text_follows() -> None:
    assert message_json(ALIMTALK) == {
        **COMMON,
        "type": "ATA",
        "customFields": {"reference": "r2"},
        "kakaoOptions": {
            "pfId": "KA01PF1",
            "templateId": "KA01TP1",
            "disableSms": True,
            "variables": {"#{고객명}": "민지", "#{주문번호}": "#{고객명}"},
        },
    }


def test_an_alimtalks_fallback_is_a_text_of_its_own() -> None:
    made = message_json(replace(ALIMTALK, fallback=Fallback(Kind.LMS, "대신 보내는 문자", "제목")))
    assert made["kakaoOptions"]["disableSms"] is False
    assert made["replacements"] == [
        {
            "to": "01012345678",
            "from": "0269001234",
            "type": "LMS",
            "autoTypeDetect": False,
            "text": "대신 보내는 문자",
            "subject": "제목",
        }
    ]


def test_without_a_sender_there_is_no_fallback() -> None:
    made = message_json(replace(ALIMTALK, sender="", fallback=Fallback(Kind.SMS, "대신")))
    assert made["kakaoOptions"]["disableSms"] is True
    assert not {"from", "replacements"} & made.keys()


def test_a_brand_message_is_free_form_to_friends_of_our_list() -> None:
    made = message_json(BRAND)
    assert (made["type"], made["text"]) == ("BMS_FREE", "신메뉴!")
    assert made["kakaoOptions"] == {
        "pfId": "KA01PF1",
        "disableSms": True,
        "bms": {
            "targeting": "I",
            "chatBubbleType": "TEXT",
            "buttons": [
                {"linkType": "WL", "name": "보러 가기", "linkMobile": "https://m.example/1"},
                {
                    "linkType": "WL",
                    "name": "주문",
                    "linkMobile": "https://m.example/2",
                    "linkPc": "https://example/2",
                },
            ],
        },
    }
    bubble = message_json(replace(BRAND, image="ST02", buttons=()))["kakaoOptions"]["bms"]
    assert bubble == {"targeting": "I", "chatBubbleType": "IMAGE", "imageId": "ST02"}


def test_a_brand_messages_fallback_is_ours_to_send() -> None:
    made = message_json(replace(BRAND, fallback=Fallback(Kind.SMS, "(광고)대신")))
    assert made["kakaoOptions"]["disableSms"] is True
    assert "replacements" not in made


def test_alimtalk_buttons_have_other_names() -> None:
    buttons = message_json(replace(ALIMTALK, buttons=BRAND.buttons))["kakaoOptions"]["buttons"]
    assert buttons[1] == {
        "buttonType": "WL", "buttonName": "주문", "linkMo": "https://m.example/2", "linkPc": "https://example/2",
    }  # fmt: skip


@pytest.mark.parametrize(("e164", "digits"), [("+821012345678", "01012345678"), ("+15551234567", "+15551234567")])
def test_numbers(e164: str, digits: str) -> None:
    assert national(e164) == digits


def many(count: int, text: str = "가") -> list[Message]:
    return [replace(SMS, reference=f"r{n}", to=f"+8210{n:08d}", text=text) for n in range(count)]


def sent(messages: list[Message]) -> list[tuple[list[str], list[Any]]]:
    return [
        ([message.reference for message in part], json.loads(body)["messages"]) for part, body in requests_of(messages)
    ]


def test_requests_hold_at_most_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MOST_MESSAGES", 3)
    found = sent(many(7))
    assert [len(part) for part, _ in found] == [3, 3, 1]
    assert [m["customFields"]["reference"] for _, made in found for m in made] == [f"r{n}" for n in range(7)]
    assert sent([]) == []


def test_requests_hold_at_most_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "MOST_BYTES", 800)
    bodies = [body for _part, body in requests_of(many(20))]
    assert len(bodies) > 2
    assert all(len(body) <= 800 + len('{"messages":[]}') for body in bodies)
    assert [len(part) for part, _ in requests_of(many(2, "가" * 1_000))] == [1, 1]

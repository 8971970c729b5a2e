"""What the stand-in SOLAPI refuses when a message is registered, and with which code of the documented table."""

import base64
from typing import Any

import pytest

from integrations.sandbox.accounts import SOLAPI_OTHER_API_KEY, SOLAPI_OTHER_API_SECRET
from integrations.sandbox.solapi.catalogue import CHANNEL, DELIVERY_CHANNEL

from .solapi_asker import ORDER_DONE, SENDER, VARIABLES, SolapiAsker, alimtalk, brand, lms, sms

HOURS = "KA01TP260112021000004Hours000004"
JPEG = base64.b64encode(b"\xff\xd8\xff" + b"0" * 500).decode()
WEB = {"buttonName": "주문 내역 보기", "buttonType": "WL", "linkMo": "https://m.harutable.example/orders/1"}


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


def buttons(*given: Any) -> dict[str, Any]:
    return {"buttons": list(given)}


def link(**changes: Any) -> dict[str, Any]:
    return {"linkType": "WL", "name": "보러 가기", "linkMobile": "https://harutable.example", **changes}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (sms(), 2000),
        (without(sms(), "to"), 1010),
        (without(sms(), "from"), 1010),
        (without(sms(), "text"), 1010),
        (sms("010-4000-1000"), 1011),
        (sms("+821040001000"), 1011),
        (sms("1040001000"), 1011),
        (sms("010400010001"), 1011),
        (sms("0104000100\uff10"), 1011),
        (sms(to=1040001000), 1011),
        (sms(text=["안녕"]), 1011),
        (sms(**{"from": 215881234}), 1011),
        (sms("01140001000"), 2000),
        (sms(**{"from": "0269000000"}), 1062),
        (sms(**{"from": "02-6900-1234"}), 1062),
        (sms(country="81"), 1058),
        (sms(type="PIGEON"), 1025),
        (without(sms(), "type"), 1025),
        (sms(subject="제목"), 1013),
        (lms(subject="가" * 20), 2000),
        (lms(subject="가" * 20 + "."), 1014),
        (lms(subject="제목 🎁"), 1029),
        (sms(text="가" * 45), 2000),
        (sms(text="가" * 45 + "."), 1031),
        (sms(text="a" * 90), 2000),
        (sms(text="줄\n" * 30), 2000),
        (lms(text="가" * 1000), 2000),
        (lms(text="가" * 1000 + "."), 1031),
        (sms(text="안녕 😀"), 1029),
        (sms(text="값 — 3,000원"), 1029),
        (sms(text="₩3,000"), 1029),
        (sms(text="똠양꿍"), 1029),
        (sms(text="“특가” … ① ㈜하루 ★"), 2000),
        (sms(text="안녕\x00"), 1028),
        (sms(text="안녕\x1b"), 1028),
        (sms(text="안녕\t하세요\r\n"), 2000),
        (sms(kakaoOptions={"pfId": CHANNEL}), 1033),
        (sms(imageId="ST01FZNONE"), 1034),
        (lms(type="MMS"), 1034),
        (sms(customFields={"k" * 30: "v" * 100}), 2000),
        (sms(customFields={"k" * 31: "v"}), 1032),
        (sms(customFields={"k": "v" * 101}), 1032),
        (sms(customFields={"k": 1}), 1032),
        (sms(customFields=["k"]), 1032),
        (sms("01090009999"), 1060),
        (sms("01012340004"), 1061),
        (alimtalk("01012340004"), 1061),
    ],
)
def test_text_messages(solapi: SolapiAsker, message: Any, code: int) -> None:
    assert solapi.code(message) == str(code)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (without(sms(text="가" * 45), "type", "autoTypeDetect"), "SMS"),
        (without(sms(text="가" * 46), "type", "autoTypeDetect"), "LMS"),
        (without(sms(text="가" * 46), "autoTypeDetect"), "LMS"),
        (without(sms(subject="제목"), "type", "autoTypeDetect"), "LMS"),
        (without(alimtalk(), "type", "autoTypeDetect"), "ATA"),
        (without(brand(), "type"), "BMS_FREE"),
    ],
)
def test_the_kind_is_found_unless_that_is_switched_off(solapi: SolapiAsker, message: Any, kind: str) -> None:
    result = solapi.add(solapi.group(), message)["resultList"][0]
    assert (result["statusCode"], result["type"]) == ("2000", kind)


def changed(**values: str) -> dict[str, str]:
    return VARIABLES | {f"#{{{name}}}": value for name, value in values.items()}


RENDERED = (
    "[하루식탁] 주문 완료 안내\n\n김하나님, 주문해 주셔서 감사합니다.\n\n▶ 주문번호: A-1\n▶ 상품: 밀키트\n"
    "▶ 결제금액: 12,900원\n\n정성껏 준비해 보내 드리겠습니다."
)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (alimtalk(), 2000),
        (without(alimtalk(), "kakaoOptions"), 1010),
        (alimtalk(options={"pfId": None}), 1041),
        (alimtalk(options={"pfId": "KA01PFNONE"}), 1041),
        (alimtalk(options={"templateId": None}), 1042),
        (alimtalk(options={"templateId": "KA01TPNONE"}), 1042),
        (alimtalk(options={"pfId": DELIVERY_CHANNEL}), 1042),
        (alimtalk(options={"templateId": "KA01TP261102021000005Grade000005"}), 1042),
        (alimtalk(options={"templateId": "KA01TP260820021000006Review00006"}), 1042),
        (alimtalk(options={"templateId": "KA01TP250301021000007Pickup00007"}), 1042),
        (alimtalk(options={"variables": without(VARIABLES, "#{고객명}")}), 1043),
        (alimtalk(options={"variables": {}}), 1043),
        (alimtalk(options={"variables": None}), 1043),
        (alimtalk(options={"variables": changed(등급="VIP")}), 1043),
        (alimtalk(options={"variables": changed(고객명="")}), 1043),
        (alimtalk(options={"variables": "고객명"}), 1043),
        (alimtalk(options={"variables": {name.strip("#{}"): value for name, value in VARIABLES.items()}}), 1043),
        (alimtalk(options={"variables": changed(상품명="가" * 800)}), 2000),
        (alimtalk(options={"variables": changed(상품명="가" * 990)}), 1031),
        (alimtalk(options={"variables": changed(고객명="#{주문번호}")}), 2000),
        (alimtalk(options={"variables": changed(고객명="이모지 🙂")}), 2000),
        (alimtalk(options={"variables": VARIABLES | {"#{고객명}": 5}}), 1043),
        (alimtalk(options={"templateId": HOURS, "variables": {}}), 2000),
        (alimtalk(options={"templateId": HOURS, "variables": None}), 2000),
        (alimtalk(options={"variables": None, "buttons": [WEB]}, text=RENDERED), 2000),
        (alimtalk(options={"variables": None, "buttons": [WEB]}, text=RENDERED.replace("감사합니다.", "감사.")), 1043),
        (alimtalk(options={"variables": None, "buttons": [WEB]}, text=RENDERED + "\n"), 1043),
        (alimtalk(options={"variables": None}, text=RENDERED), 1046),
        (alimtalk(options=buttons(WEB)), 2000),
        (alimtalk(options={"templateId": HOURS, "variables": {}, **buttons(WEB)}), 1047),
        (alimtalk(options=buttons(WEB | {"buttonType": "ZZ"})), 1044),
        (alimtalk(options=buttons("보기")), 1044),
        (alimtalk(options=buttons(WEB | {"buttonName": ""})), 1044),
        (alimtalk(options=buttons(without(WEB, "linkMo"))), 1045),
        (alimtalk(options=buttons(WEB | {"linkMo": "m.harutable.example"})), 1045),
        (alimtalk(options=buttons(WEB | {"linkMo": "https://x.example/" + "a" * 500})), 1048),
        (alimtalk(options=buttons(WEB | {"buttonName": "가" * 15})), 1049),
        (alimtalk(options=buttons(*[WEB] * 6)), 1050),
        (alimtalk(options=buttons(WEB | {"buttonName": "다른 이름"})), 1043),
        # -- The text message that would replace it
        (alimtalk(options={"disableSms": False}, **{"from": SENDER}), 2000),
        (alimtalk(options={"disableSms": False}, **{"from": "0299999999"}), 1062),
        (alimtalk(options={"disableSms": False}, text="대체 😀", **{"from": SENDER}), 1029),
        (alimtalk(options={"disableSms": False}, text="가" * 1001, **{"from": SENDER}), 1031),
        (alimtalk(options={"disableSms": False}, replacements=[{"text": "대체"}], **{"from": SENDER}), 2000),
        (alimtalk(options={"disableSms": False}, replacements=[{"text": "—"}], **{"from": SENDER}), 1029),
        (alimtalk(options={"disableSms": False}, replacements=[{"text": "a", "from": "1"}], **{"from": SENDER}), 1062),
        (alimtalk(options={"disableSms": False}, replacements=["대체"], **{"from": SENDER}), 1011),
    ],
)
def test_alimtalk(solapi: SolapiAsker, message: Any, code: int) -> None:
    assert solapi.code(message) == str(code)


def test_the_buttons_of_a_template_come_in_their_order(solapi: SolapiAsker) -> None:
    skip = {"buttonName": "이번 주 건너뛰기", "buttonType": "WL", "linkMo": "https://m.harutable.example/skip"}
    plan = {"buttonName": "상품 바꾸기", "buttonType": "WL", "linkMo": "https://m.harutable.example/plan"}
    variables = {"#{고객명}": "김", "#{결제일}": "1일", "#{상품명}": "밀키트", "#{결제금액}": "1"}
    options = {"templateId": "KA01TP260112021000003Renewal0003", "variables": variables}
    assert solapi.code(alimtalk(options={**options, "buttons": [skip, plan]})) == "2000"
    assert solapi.code(alimtalk(options={**options, "buttons": [plan, skip]})) == "1052"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (brand(), 2000),
        (brand(text=""), 1010),
        (without(brand(), "kakaoOptions"), 1010),
        (brand(options={"pfId": "KA01PFNONE"}), 1041),
        (brand(options={"bms": None}), 1010),
        (brand(bms={"targeting": "M"}), 1011),
        (brand(bms={"targeting": "N"}), 1011),
        (brand(bms={"chatBubbleType": "WIDE"}), 1011),
        (brand(text="가" * 1300), 2000),
        (brand(text="가" * 1301), 1031),
        (brand(text="가" + "\n가" * 99), 2000),
        (brand(text="가" + "\n가" * 100), 1031),
        (brand(text="안녕\x07"), 1028),
        (brand(bms={"chatBubbleType": "IMAGE"}), 1051),
        (brand(bms={"chatBubbleType": "IMAGE", "imageId": "ST01FZNONE"}), 1051),
        (brand(bms={"imageId": "ST01FZNONE"}), 1011),
        (brand(bms={"buttons": [link()] * 5}), 2000),
        (brand(bms={"buttons": [link()] * 6}), 1050),
        (brand(bms={"buttons": [link()] * 5, "coupon": {"title": "10% 할인 쿠폰"}}), 1050),
        (brand(bms={"buttons": [link(name="가" * 14)]}), 2000),
        (brand(bms={"buttons": [link(name="가" * 15)]}), 1049),
        (brand(bms={"buttons": [link(name="#{이름}님")]}), 1044),
        (brand(bms={"buttons": [link(name=None)]}), 1044),
        (brand(bms={"buttons": [link(linkType="DS")]}), 1053),
        (brand(bms={"buttons": [link(linkType="ZZ")]}), 1044),
        (brand(bms={"buttons": [link(linkMobile=None)]}), 1045),
        (brand(bms={"buttons": [link(linkMobile="javascript:alert(1)")]}), 1045),
        (brand(bms={"buttons": [link(linkMobile="https://x.example/" + "a" * 982)]}), 2000),
        (brand(bms={"buttons": [link(linkMobile="https://x.example/" + "a" * 983)]}), 1048),
        (brand(bms={"buttons": [{"linkType": "AC"}]}), 2000),
        (brand(bms={"buttons": "보기"}), 1044),
        (brand(options={"disableSms": False}, **{"from": "0299999999"}), 1062),
    ],
)
def test_brand_messages(solapi: SolapiAsker, message: Any, code: int) -> None:
    assert solapi.code(message) == str(code)


def test_rare_syllables_can_be_let_through(solapi: SolapiAsker) -> None:
    solapi.world.config.rare_syllables = True
    assert solapi.code(sms(text="똠양꿍")) == "2000"


def test_pictures(solapi: SolapiAsker) -> None:
    def upload(**body: Any) -> Any:
        return solapi.ask("POST", "storage/v1/files", body)

    mms = upload(file=JPEG, type="MMS", name="반찬.jpg").json()["fileId"]
    free = upload(file=JPEG, type="BMS").json()["fileId"]
    assert solapi.code(lms(type="MMS", imageId=mms)) == "2000"
    assert solapi.code(lms(type="MMS", imageId=free)) == "1034"
    assert solapi.code(brand(bms={"chatBubbleType": "IMAGE", "imageId": free})) == "2000"
    assert solapi.code(brand(bms={"chatBubbleType": "IMAGE", "imageId": mms})) == "1051"
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 100).decode()
    big = base64.b64encode(b"\xff\xd8\xff" + b"0" * 200 * 1024).decode()
    assert upload(file=png, type="MMS").json()["errorCode"] == "InvalidFileFormat"
    assert upload(file=png, type="BMS").status_code == 200
    assert upload(file=big, type="MMS").status_code == 413
    assert upload(file="!!", type="MMS").json()["errorCode"] == "ValidationError"
    assert upload(file=JPEG, type="VIDEO").json()["errorCode"] == "ValidationError"
    other = SolapiAsker(solapi.sandbox, SOLAPI_OTHER_API_KEY, SOLAPI_OTHER_API_SECRET)
    assert other.code(lms(type="MMS", imageId=mms, **{"from": "0313001000"})) == "1034"


def test_those_who_refused_ads_get_none(solapi: SolapiAsker) -> None:
    account = solapi.world.solapi.account()
    number = next(iter(sorted(account.opted_out)))
    crowd = solapi.world.crowd
    assert f"+82{number[1:]}" in {crowd.e164(person) for person in range(crowd.people)}
    assert [solapi.code(message) for message in (sms(number), lms(number), brand(number))] == ["1061"] * 3
    assert solapi.code(alimtalk(number)) == "2000"
    listed = solapi.get("iam/v1/black", type="DENIAL", limit=500)["blackList"]
    assert {one["recipientNumber"] for one in listed} == account.opted_out


def test_a_template_that_was_blocked_or_deleted(solapi: SolapiAsker) -> None:
    group = solapi.sent(alimtalk())
    for do in ("block", "reject", "sleep", "delete"):
        solapi.world.reset()
        assert solapi.code(alimtalk()) == "2000"
        done = solapi.http.post(
            f"{solapi.sandbox.url}/_sandbox/solapi/templates", json={"template": ORDER_DONE, "do": do}
        )
        assert done.status_code == 200
        assert solapi.code(alimtalk()) == "1042"
        sendable = solapi.get("kakao/v2/templates/sendable")["templateList"]
        assert ORDER_DONE not in {one["templateId"] for one in sendable}
    assert group

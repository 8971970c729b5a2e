"""The page that shows what phones received, and the other rooms of SOLAPI's control plane."""

import base64
import html
import re
from typing import Any

from .solapi_asker import SENDER, SolapiAsker, alimtalk, brand, lms, sms

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def page(solapi: SolapiAsker, **query: Any) -> str:
    reply = solapi.http.get(f"{solapi.sandbox.url}/_sandbox/phones", params=query)
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("text/html")
    assert "script" not in reply.headers["Content-Security-Policy"]
    return str(reply.text)


def control(solapi: SolapiAsker, method: str, room: str, body: Any = None) -> Any:
    return solapi.http.request(method, f"{solapi.sandbox.url}/_sandbox/{room}", json=body)


def test_each_kind_is_shown(solapi: SolapiAsker) -> None:
    assert "아직 도착한 메시지가 없습니다" in page(solapi)
    jpeg = base64.b64encode(b"\xff\xd8\xff" + b"0" * 100).decode()
    picture = solapi.ask("POST", "storage/v1/files", {"file": jpeg, "type": "BMS"}).json()["fileId"]
    button = {"linkType": "WL", "name": "보러 가기", "linkMobile": "https://harutable.example/a?b=1&c=2"}
    solapi.sent(
        sms("01040001000", text="짧은 문자"),
        lms("01040001001", subject="긴 제목"),
        alimtalk("01040001006"),
        brand("01040001007", bms={"chatBubbleType": "IMAGE", "imageId": picture, "buttons": [button]}),
        alimtalk("01040000002", options={"disableSms": False}, **{"from": SENDER}),
        sms("01040000005"),
        sms("01040000003"),
    )
    shown = page(solapi)
    for text in (
        "짧은 문자", "긴 제목", "김하나님, 주문해 주셔서 감사합니다.", "알림톡 도착", "(광고) 하루식탁", "보러 가기",
        "대체 문자 (카카오 3104 카카오톡 미사용자)", "실패 3040", "가는 중", "메시지 7건", "010-4000-1000",
        'href="https://m.harutable.example/orders/A-1"', 'href="https://harutable.example/a?b=1&amp;c=2"',
    ):  # fmt: skip
        assert text in shown, text
    assert shown.count("<article") == 7
    assert page(solapi, to="01040001001").count("<article") == 1
    assert "이 번호로 도착한 메시지가 없습니다" in page(solapi, to="01099998888")
    assert solapi.http.get(f"{solapi.sandbox.url}/_sandbox/phones.css").headers["Content-Type"].startswith("text/css")
    image = re.search(r'<img src="([^"]+)"', shown)
    assert image is not None
    got = solapi.http.get(solapi.sandbox.url + html.unescape(image[1]))
    assert (got.headers["Content-Type"], got.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert solapi.http.get(f"{solapi.sandbox.url}/_sandbox/phones/picture?id=x").status_code == 404


def test_whatever_was_sent_is_text(solapi: SolapiAsker) -> None:
    variables = {
        "#{고객명}": EVIL,
        "#{주문번호}": 'javascript:"',
        "#{상품명}": "</article>",
        "#{결제금액}": "{{ 7*7 }}",
    }
    evil_button = {"linkType": "WL", "name": "<b>굵게", "linkMobile": 'https://x.example/"onmouseover="alert(1)'}
    solapi.sent(
        sms("01040001000", text=EVIL),
        lms("01040001001", subject="<h1>제목", text=EVIL),
        alimtalk("01040001006", options={"variables": variables}),
        brand("01040001007", text=EVIL, bms={"buttons": [evil_button]}),
    )
    shown = page(solapi)
    assert shown.count("<article") == shown.count("</article>") == 4
    shown += page(solapi, to=EVIL, page=EVIL, still=EVIL)
    assert "<script" not in shown
    assert "<img" not in shown
    assert '"onmouseover' not in shown
    assert shown.count("<h1>") == 2


def test_pages(solapi: SolapiAsker) -> None:
    solapi.sent(*(sms(f"0104000{place:04}") for place in range(1000, 1070)))
    numbers = [re.findall(r"010-4000-1[0-9]{3}", page(solapi, page=number)) for number in (1, 2, 3, 4)]
    assert [len(found) for found in numbers] == [30, 30, 10, 0]
    assert numbers[0][0] == "010-4000-1069"
    assert 'http-equiv="refresh"' in page(solapi)
    assert 'http-equiv="refresh"' not in page(solapi, still="1")


def test_strangers_see_nothing(solapi: SolapiAsker) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        for room in ("phones", "solapi/ledger", "phones/picture"):
            reply = solapi.http.get(f"{solapi.sandbox.url}/_sandbox/{room}", headers=headers)
            assert reply.status_code == 403


def test_the_ledger_as_json(solapi: SolapiAsker) -> None:
    group = solapi.sent(sms("01040001000", customFields={"id": "1"}), customFields={"batch": "b"})
    solapi.sent(sms("01040001000"), sms("01040001001"))
    shown = control(solapi, "GET", "solapi/ledger").json()
    assert (shown["total"], shown["repeated"]) == (3, {"01040001000": 2})
    (one,) = control(solapi, "GET", f"solapi/ledger?group={group}").json()["messages"]
    assert (one["to"], one["kind"], one["custom_fields"], one["group_fields"]) == (
        "01040001000", "SMS", {"id": "1"}, {"batch": "b"},
    )  # fmt: skip
    assert len(control(solapi, "GET", "solapi/ledger?to=01040001000&last=1").json()["messages"]) == 1
    state = control(solapi, "GET", "solapi").json()
    assert (state["sent"], state["delivered"], state["repeated"], state["groups"]) == (3, 3, 1, {"COMPLETE": 2})
    assert control(solapi, "DELETE", "state").status_code == 200
    assert control(solapi, "GET", "solapi/ledger").json()["total"] == 0


def test_the_account_changes_behind_its_back(solapi: SolapiAsker) -> None:
    assert control(solapi, "POST", "solapi/balance", {"balance": 5}).json() == {"balance": 5.0}
    assert solapi.get("cash/v1/balance")["balance"] == 5
    control(solapi, "DELETE", "solapi/numbers", {"numbers": SENDER})
    assert solapi.code(sms()) == "1062"
    control(solapi, "POST", "solapi/numbers", {"numbers": [SENDER]})
    assert solapi.code(sms()) == "2000"
    control(solapi, "POST", "solapi/opt_outs", {"numbers": ["01040001000"]})
    assert solapi.code(sms()) == "1061"
    assert "01040001000" in control(solapi, "GET", "solapi/opt_outs").json()
    control(solapi, "DELETE", "solapi/opt_outs", {"numbers": ["01040001000"]})
    assert solapi.code(sms()) == "2000"
    control(solapi, "POST", "solapi/blocked", {"numbers": ["01040001000"]})
    assert solapi.code(sms()) == "1060"
    for template in control(solapi, "GET", "solapi/templates").json():
        for do in ("approve", "unblock", "wake"):
            control(solapi, "POST", "solapi/templates", {"template": template["template"], "do": do})
    assert len(solapi.get("kakao/v2/templates/sendable")["templateList"]) == 7
    new = {"do": "add", "template": "KA01TPNEW", "name": "새 템플릿", "content": "#{이름}님"}
    control(solapi, "POST", "solapi/templates", new)
    options = {"templateId": "KA01TPNEW", "variables": {"#{이름}": "하나"}}
    assert solapi.code(alimtalk("01040001001", options=options)) == "2000"
    control(solapi, "POST", "solapi/templates", {"do": "edit", "template": "KA01TPNEW", "content": "바뀜"})
    assert solapi.code(alimtalk("01040001001", options=options)) == "1043"
    channel = control(solapi, "GET", "solapi/channels").json()[0]
    control(solapi, "DELETE", "solapi/channels", {"channel": channel})
    assert solapi.code(alimtalk("01040001001")) == "1041"
    for room, body in (
        ("templates", {"template": "none", "do": "block"}), ("templates", {"template": "KA01TPNEW", "do": "x"}),
        ("balance", {}), ("opt_outs", {"numbers": ["+82"]}), ("reports", {"do": "x"}), ("balance", {"balance": "x"}),
    ):  # fmt: skip
        assert control(solapi, "POST", f"solapi/{room}", body).status_code in (400, 404)
    assert control(solapi, "POST", "clock", {"move_to": "2026-03-02T10:00+09:00"}).status_code == 200
    assert control(solapi, "POST", "clock", {"move_to": "2026-03-02T10:00"}).status_code == 400

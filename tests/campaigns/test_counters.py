"""What stands beside the editors: lengths for real recipients, who gets something else, fills, and the price."""

from typing import Any

import pytest

from campaigns.models import Rules
from cohorts.models import Profile
from integrations.models import SenderListing
from tests.campaigns.test_builder import DIALOG, at, file
from tests.campaigns.test_drafts import FORM, HTMX

PART = {"HX-Request": "true"}
SHIPPED = {
    "channel": "alimtalk",
    "message_of": "alimtalk",
    "alimtalk.profile": "KA01PF1",
    "alimtalk.template": "KA01TP1",
    "alimtalk.variables.0.name": "고객명",
    "alimtalk.variables.0.text": '{{ user["name"] | default: "고객" }}',
    "alimtalk.variables.1.name": "송장번호",
    "alimtalk.variables.1.text": '{{ user["tracking_no"] }}',
}


def measured(client: Any, one: Any) -> str:
    return client.get(at(one, "edit/measure"), headers=PART).content.decode()


# -- Lengths ----------------------------------------------------------------------------------------------------------
def test_the_counter_is_in_the_carriers_bytes_for_the_usual_and_the_longest(town: Any, sign_in: Any) -> None:
    form = {"text.is_ad": "no", "text.text": '{{ user["name"] }}님'}
    one, client = town.made(**form), sign_in("marketer")
    page = client.get(at(one)).content.decode()
    said = "보통 <b>8</b> · 가장 긴 수신자 <b>21</b> / 90바이트"
    assert said in page
    assert said in measured(client, one)


@pytest.mark.parametrize(
    ("kind", "limit"), [("sms", "90"), ("lms", "2,000"), ("mms", "2,000")]
)  # fmt: skip
def test_the_limit_goes_by_the_kind(town: Any, sign_in: Any, kind: str, limit: str) -> None:
    one = town.made(**{"text.kind": kind})
    assert f"/ {limit}바이트" in sign_in("marketer").get(at(one)).content.decode()


def test_a_friendtalk_counts_characters(town: Any, sign_in: Any) -> None:
    form = {"channel": "friendtalk", "message_of": "friendtalk", "friendtalk.text": "안녕하세요"}
    assert "/ 1,300자" in sign_in("marketer").get(at(town.made(**form))).content.decode()


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"text.text": " "}, "<b>0</b> / 90바이트"),
        ({"channel": "friendtalk", "message_of": "friendtalk", "friendtalk.text": ""}, "<b>0</b> / 1,300자"),
        ({"channel": "alimtalk", "message_of": "alimtalk", "alimtalk.template": ""}, ""),
    ],
    ids=["text", "friendtalk", "alimtalk"],
)
def test_of_what_is_not_written_yet_nobody_lacks_a_value(town: Any, sign_in: Any, form: Any, said: str) -> None:
    one, client = town.made(**{"text.is_ad": "no"} | form), sign_in("marketer")
    page = client.get(at(one)).content.decode()
    assert said in page
    assert said in measured(client, one)
    for words in ("변수에 넣을 값 없음", "명은 받지 못합니다", "예상 비용", "이 사람에게는 보내지 않습니다"):
        assert words not in page, words


# -- Who gets something else ------------------------------------------------------------------------------------------
def test_who_grows_beyond_an_sms_is_counted_and_shown(town: Any, sign_in: Any) -> None:
    text = '{{ user["name"] }}님 ' + "가" * 38  # 76 bytes and a name: only the longest name is too much
    one, client = town.made(**{"text.is_ad": "no", "text.text": text}), sign_in("marketer")
    page = measured(client, one)
    assert "1명이 LMS로 바뀝니다" in page
    assert "가장 긴 수신자는 98바이트입니다. 본문을 8바이트 줄이면 모두 SMS로 보낼 수 있습니다." in page
    assert "사람 보기" in page
    dialog = client.get(at(one, "people"), {"becomes": "lms"}, headers=DIALOG).content.decode()
    assert "LMS로 바뀌는 수신자 1명" in dialog
    assert "알렉산드라 페트로바" in dialog
    for odd in ("mms", "nonsense", "fallback-lms", "too_long"):
        assert client.get(at(one, "people"), {"becomes": odd}).status_code == 404


def test_what_is_refused_is_not_said_to_go_as_something_else(town: Any, sign_in: Any) -> None:
    form = {"text.is_ad": "no", "text.text": '{{ user["name"] }}님 ' + "가" * 44}
    one, client = town.made(**form), sign_in("marketer")
    page = client.get(at(one, "review")).content.decode()
    assert "90바이트까지 쓸 수 있습니다. 변수에 들어갈 값을 빼고도 91바이트입니다." in page
    assert "LMS로 바뀝니다" not in measured(client, one)


@pytest.mark.parametrize(
    ("text", "title", "words"),
    [
        (
            '{{ user["grade_name"] | default: "고객" }}님, {{ user["grade_name"] | default: "고객" }}님!',
            "‘grade_name’ 값이 있는 사람이 없습니다",
            "8명 모두에게 기본값 ‘고객’이(가) 나갑니다. 속성 이름을 다시 확인해 주세요.",
        ),
        (
            '{{ user["$grade"] }} 회원님',
            "‘$grade’ 값이 있는 사람이 없습니다",
            "8명 모두에게 빈칸으로 나갑니다. 속성 이름을 다시 확인해 주세요. ‘grade’에는 값이 있습니다.",
        ),
    ],
)
def test_a_value_that_nobody_has_is_likely_misspelt(town: Any, sign_in: Any, text: str, title: str, words: str) -> None:
    client = sign_in("marketer")
    one = town.made(timing="now", **{"text.is_ad": "no", "text.text": text})
    page = measured(client, one)
    assert page.count(title) == 1
    assert words in page
    page = client.get(at(one, "review")).content.decode()
    assert title in page, "also at the last look before it goes"
    page = measured(client, town.made(**{"text.is_ad": "no", "text.text": '{{ user["$name"] }}님'}))
    assert "값이 있는 사람이 없습니다" not in page


def test_who_gets_nothing_is_counted_with_the_reason(town: Any, sign_in: Any) -> None:
    one, client = town.made(**{"text.is_ad": "no", "text.text": '{{ user["nickname"] }}'}), sign_in("marketer")
    assert "8명은 받지 못합니다: 변수에 넣을 값 없음" in measured(client, one)
    dialog = client.get(at(one, "people"), {"becomes": "no_value"}, headers=DIALOG).content.decode()
    assert "변수에 넣을 값 없음 8명" in dialog


def test_the_longest_recipient_is_shown_in_the_phone(town: Any, sign_in: Any) -> None:
    one, client = town.made(), sign_in("marketer")
    page = client.get(at(one, "edit/preview"), {"who": "longest"}, headers=PART).content.decode()
    assert "알렉산드라 페트로바님, 안녕하세요" in page
    assert 'hx-get="' + at(one, "edit/preview") + '?who=longest"' in page
    assert client.get(at(one), {"who": "longest"}).status_code == 200


def test_odd_characters_come_with_a_button_that_mends_them(town: Any, sign_in: Any) -> None:
    one = town.made(**{"text.text": "봄 — 세일"})
    page = sign_in("marketer").get(at(one)).content.decode()
    assert 'name="do" value="mend:text.text">모두 바꾸기' in page


# -- Values of a template's variables ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("form", "chip", "words", "size"),
    [
        ({}, "chip--red", "8명은 값이 없습니다", "8"),
        ({"alimtalk.variables.1.default": "확인 중"}, "chip--yellow", "8명은 값이 없어 기본값이 들어갑니다", "8"),
        ({"alimtalk.variables.1.missing": "skip"}, "chip--yellow", "8명은 값이 없어 받지 않습니다", "0"),
    ],
)
def test_a_variable_says_how_many_have_a_value(
    town: Any, sign_in: Any, form: Any, chip: str, words: str, size: str
) -> None:
    one = town.made(**(SHIPPED | form))
    page = sign_in("marketer").get(at(one)).content.decode()
    fills = page.split('id="fill-alimtalk.variables.')[1:]
    assert "100%" in fills[0]
    assert "chip--green" in fills[0]
    assert f'class="chip {chip}" title="{words}"' in fills[1]
    assert "0.0%" in fills[1]
    assert f"발송 대상 ({size})" in page


def test_a_template_that_is_still_to_be_filled_in_is_shown_as_it_is(town: Any, sign_in: Any) -> None:
    bare = SHIPPED | {"alimtalk.variables.0.text": "", "alimtalk.variables.1.text": ""}
    page = sign_in("marketer").get(at(town.made(**bare))).content.decode()
    phone = page.split('class="kakao__text"')[1].split("</div>")[0]
    assert "#{고객명}" in phone
    for words in ("명은 받지 못합니다", "이 사람에게는 보내지 않습니다", "예상 비용"):
        assert words not in page, words


# -- Price ------------------------------------------------------------------------------------------------------------
def test_the_price_is_people_by_kind(town: Any, sign_in: Any) -> None:
    text = '{{ user["name"] }}님 ' + "가" * 38
    one, client = town.made(timing="now", **{"text.is_ad": "no", "text.text": text}), sign_in("marketer")
    for page in (measured(client, one), client.get(at(one, "review")).content.decode()):
        assert "<b>171원</b>" in page
        assert "SMS 7건 × 18원" in page
        assert "LMS 1건 × 45원" in page
        assert "발송 플랫폼 잔액 1,284,300원" in page
    assert "캠페인 생성하기 <small>8명 · 171원</small>" in page


def test_the_price_has_the_fallbacks_worst_case(town: Any, sign_in: Any) -> None:
    form = {"alimtalk.fallback": "1", "alimtalk.sender": "16600412", "alimtalk.fallback.text": "출발했습니다"}
    one, client = town.made(**(SHIPPED | form | {"alimtalk.variables.1.default": "-"})), sign_in("marketer")
    page = client.get(at(one, "review")).content.decode()
    assert "알림톡 8건 × 13원" in page
    assert "모두 대체 문자로 나가면 최대 144원" in page
    assert "8명 · 최대 144원" in page


def test_of_a_live_one_the_price_is_that_of_each_who_comes_in(town: Any, sign_in: Any) -> None:
    """Those who are in get nothing, so what they would cost says nothing."""
    text = '{{ user["name"] }}님 ' + "가" * 38
    live = {"timing": "live", "end": "2026-11-30", "text.is_ad": "no", "text.text": text}
    one, client = town.made(**live), sign_in("marketer")
    for page in (measured(client, one), client.get(at(one, "review")).content.decode()):
        assert "들어오는 한 명에</span><b>18원–45원</b>" in page
        assert "100명이 들어오면 최대 4,500원" in page
        assert "171원" not in page
    assert "12월 1일(화) 00:00 KST</time> 전에 들어온 사람까지" in page
    assert "끝나는 때" not in page, "that is an estimate, of what goes out at once"


def test_a_ceiling_and_a_short_balance_are_said_before(town: Any, sign_in: Any) -> None:
    Rules.objects.update(ceiling_won=100)
    kept = SenderListing.objects.get()
    kept.data["balance"] = {"cash": "10", "points": "0"}
    kept.save()
    page = sign_in("marketer").get(at(town.made(**{"text.is_ad": "no"}), "review")).content.decode()
    assert "프로젝트 한도 100원을 넘어 보내지 않습니다" in page
    assert "발송 플랫폼의 잔액이 모자랄 수 있습니다" in page


def test_an_unknown_price_is_no_free_lunch(town: Any, sign_in: Any) -> None:
    kept = SenderListing.objects.get()
    kept.data["prices"] = {}
    kept.save()
    page = sign_in("marketer").get(at(town.made(), "review")).content.decode()
    assert "알 수 없음" in page
    assert "단가를 알 수 없는 메시지가 있습니다" in page


# -- A file -----------------------------------------------------------------------------------------------------------
def test_the_same_for_a_file(town: Any, sign_in: Any) -> None:
    one, client = town.made(**{"text.is_ad": "no"}), sign_in("marketer")
    rows = "phone_number,이름\n010-2222-3333,김서연\n010-2222-3334,이도현과 오래된 친구들\n"
    text = '{{ csv["이름"] }}님'
    form = FORM | {"audience": "csv", "text.is_ad": "no", "text.text": text, "text.sender": "16600412"}
    client.post(at(one), form | {"version": "1", "do": "csv", "file": file(rows)}, headers=HTMX)
    page = client.get(at(one)).content.decode()
    assert "보통 <b>8</b> · 가장 긴 수신자 <b>24</b> / 90바이트" in page
    assert "2명 중 <b>김서연</b> 님의 실제 값으로 그렸습니다." in page
    longest = client.get(at(one, "edit/preview"), {"who": "longest"}).content.decode()
    assert "이도현과 오래된 친구들님" in longest
    names = client.get(at(one, "edit/variable"), headers=DIALOG).content.decode()
    assert 'data-value="이름"' in names


def test_whose_value_is_changed_on_its_way_can_be_looked_at(town: Any, sign_in: Any) -> None:
    Profile.objects.filter(external_id="user_4").update(properties={"name": "정하은🌸", "$name": "정하은🌸"})
    one = town.made(**{"text.is_ad": "no", "text.text": '{{ user["name"] }}님'})
    client = sign_in("marketer")
    assert "1명은 값에 보낼 수 없는 글자가 있어" in measured(client, one)
    dialog = client.get(at(one, "people"), {"becomes": "altered"}, headers=DIALOG).content.decode()
    assert "값의 글자를 바꿔 보내는 수신자 1명" in dialog
    assert "정하은🌸" in dialog
    assert client.get(at(one, "people"), {"becomes": "friendtalk"}, headers=DIALOG).status_code == 404
    assert client.get(at(one, "people"), {"becomes": "sms"}, headers=DIALOG).status_code == 404


# -- Of very many -----------------------------------------------------------------------------------------------------
@pytest.fixture
def many(monkeypatch: Any) -> None:
    """So many people that their values take a while to look through."""
    monkeypatch.setattr("campaigns.audience.measure.MANY", 2)
    monkeypatch.setattr("campaigns.audience.measure.KEPT_SECONDS", 60)


def test_of_very_many_the_page_stands_first(town: Any, sign_in: Any, many: None) -> None:
    form = {"text.is_ad": "no", "text.text": '{{ user["name"] }}님'}
    one, client = town.made(**form), sign_in("marketer")
    page = client.get(at(one)).content.decode()
    assert "모두의 실제 값으로 길이와 비용을 계산하고 있습니다" in page
    assert 'hx-trigger="load, draft-saved' in page
    assert "가장 긴 수신자 <b>" not in page
    # Without scripts there is a way to them.
    assert f'href="{at(one)}?measure=1#price"' in page
    assert "가장 긴 수신자 <b>21</b>" in client.get(at(one), {"measure": "1"}).content.decode()
    # Whoever has asked once has them at once.
    assert "가장 긴 수신자 <b>21</b>" in client.get(at(one)).content.decode()


def test_of_very_many_a_save_measures_nobody(town: Any, sign_in: Any, many: None, monkeypatch: Any) -> None:
    one, client = town.made(**{"text.is_ad": "no"}), sign_in("marketer")

    def never(*_args: Any) -> Any:
        raise AssertionError("somebody was measured")

    monkeypatch.setattr("campaigns.audience.measure._sorts", never)
    form = FORM | {"audience": "cohort", "cohort": "2785620", "checked": "1", "text.sender": "16600412"}
    form |= {"text.is_ad": "no", "text.text": '{{ user["name"] }}님, 새로', "version": "1"}
    for do in ("", "review"):
        answer = client.post(at(one), form | {"do": do, "version": str(1 + (do == "review"))}, headers=HTMX)
        assert answer.status_code == 200


def test_of_very_many_the_review_stands_first(town: Any, sign_in: Any, many: None) -> None:
    form = {"text.is_ad": "no", "text.text": '{{ user["name"] }}님'}
    one, client = town.made(**form), sign_in("marketer")
    page = client.get(at(one, "review")).content.decode()
    assert f'hx-get="{at(one, "review/price")}"' in page
    assert "disabled>캠페인 생성하기 <small>비용 계산 중" in page
    assert 'href="?price=1"' in page
    later = client.get(at(one, "review/price"), headers=PART).content.decode()
    assert 'id="price" hx-swap-oob="true"' in later
    assert 'id="problems" hx-swap-oob="true"' in later
    assert 'id="launch" hx-swap-oob="true">캠페인 생성하기 <small>8명' in later
    assert 'id="launch">캠페인 생성하기 <small>8명' in client.get(at(one, "review"), {"price": "1"}).content.decode()


def test_the_review_looks_through_people_once(town: Any, sign_in: Any, monkeypatch: Any) -> None:
    from campaigns.audience import price

    asked: list[Any] = []
    real = price.measure
    monkeypatch.setattr(price, "measure", lambda *args: asked.append(args) or real(*args))
    one = town.made(**{"text.is_ad": "no", "text.text": '{{ user["name"] }}님'})
    sign_in("marketer").get(at(one, "review"))
    assert len(asked) == 1

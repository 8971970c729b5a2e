"""Every rule that the form of a message has to meet, at its limit and one beyond (channels-kr §1.2, §1.3, §2, §4.2)."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.message.check import Facts, PictureFacts, check, content_of, is_ad, warnings
from integrations.messaging import Button, Channel, Template, TemplateStatus

RULES = SimpleNamespace(sender_name="하루식탁", opt_out_number="080-870-1234")
NO_RULES = SimpleNamespace(sender_name="", opt_out_number="")

MARKS = len("(광고)하루식탁\n\n무료수신거부 0808701234".encode("cp949"))
"""Bytes that the marks of an ad take."""

SMS = {"sender": "16600412", "kind": "sms", "is_ad": False, "text": "안녕하세요"}
LMS = SMS | {"kind": "lms"}
MMS = SMS | {"kind": "mms", "picture": "p"}
FRIENDTALK = {"profile": "KA01PF1", "text": "겨울 박스가 나왔습니다"}
ALIMTALK = {
    "profile": "KA01PF1",
    "template": "KA01TP1",
    "template_name": "출발",
    "template_text": "#{고객명}님, 출발했습니다.",
    "template_variables": ["고객명"],
    "variables": [{"name": "고객명", "text": '{{ user["name"] | default: "고객" }}'}],
}
TEMPLATE = Template(
    id="KA01TP1",
    profile_id="KA01PF1",
    name="출발",
    content="#{고객명}님, 출발했습니다.",
    variables=("고객명",),
    buttons=(),
    status=TemplateStatus.APPROVED,
)


def codes(channel, json, rules=RULES, facts=None):
    """{field: code} of what is wrong."""
    return {(problem.field, problem.code) for problem in check(content_of(channel, json), rules, facts or Facts())}


def url(length: int) -> str:
    return "https://hrtb.kr/" + "a" * (length - 16)


def own(text="안녕하세요", kind="sms", subject="", **others):
    return {
        "sender": "16600412",
        "fallback": {"kind": kind, "text": text, "subject": subject, "is_own": True},
        **others,
    }


JPEG = PictureFacts("image/jpeg", 1000, 1000, 200 * 1024)
BANNER = PictureFacts("image/png", 800, 400, 5 * 1024 * 1024)


def pictured(facts):
    return Facts(pictures={"p": facts})


GOOD = [
    ("text", SMS),
    ("text", LMS),
    ("text", MMS),
    ("friendtalk", FRIENDTALK),
    ("alimtalk", ALIMTALK),
    (
        "friendtalk",
        FRIENDTALK | {"buttons": [{"name": "보기", "mobile_url": "https://hrtb.kr", "pc_url": "http://hrtb.kr:8/"}]},
    ),
    ("friendtalk", FRIENDTALK | own()),
    ("alimtalk", ALIMTALK | own()),
    ("alimtalk", ALIMTALK | {"sender": "16600412", "fallback": {"kind": "sms", "is_own": False}}),
]


@pytest.mark.parametrize(("channel", "json"), GOOD)
def test_a_good_message_has_no_problem(channel, json):
    assert codes(channel, json) == set()


TEXT = [
    # 90 bytes of an SMS, 2,000 of an LMS or MMS; the marks of an ad count
    (SMS, "text", "가" * 45, "가" * 45 + "a", "too_long"),
    (SMS, "text", "가" * 44 + "\n1", "가" * 44 + "\n12", "too_long"),
    (SMS, "text", "뷁" * 45, "뷁" * 46, "too_long"),
    (SMS | {"is_ad": True}, "text", "a" * (90 - MARKS), "a" * (91 - MARKS), "too_long"),
    (LMS, "text", "가" * 1000, "가" * 1000 + "a", "too_long"),
    (LMS | {"is_ad": True}, "text", "a" * (2000 - MARKS), "a" * (2001 - MARKS), "too_long"),
    (MMS, "text", "가" * 1000, "가" * 1000 + "a", "too_long"),
    (SMS, "text", '{{ user["x"] }}' * 20 + "가" * 45, '{{ user["x"] }}' + "가" * 45 + "a", "too_long"),
    (SMS, "text", "가", "", "required"),
    (SMS, "text", "가", " \n ", "required"),
    # a title on LMS and MMS only, 40 bytes with the mark
    (LMS, "title", "가" * 20, "가" * 20 + "a", "too_long"),
    (MMS, "title", "가" * 20, "가" * 20 + "a", "too_long"),
    (LMS | {"is_ad": True}, "title", "가" * 17, "가" * 17 + "a", "too_long"),
    (LMS, "title", "제목", "제목🌸", "character"),
    (SMS, "title", "", "제목", "title_on_sms"),
    # a registered sender: 8 to 11 digits, 15XX exactly 8, no area code of its own, no emergency number
    (SMS, "sender", "16600412", "1660041", "sender_format"),
    (SMS, "sender", "16600412", "166004123", "sender_format"),
    (SMS, "sender", "15001234", "0215001234", "sender_format"),
    (SMS, "sender", "0212345678", "02-1234-5678", "sender_format"),
    (SMS, "sender", "01023456789", "010023456789", "sender_format"),
    (SMS, "sender", "01023456789", "01003456789", "sender_format"),
    (SMS, "sender", "07080001234", "07010001234", "sender_format"),
    (SMS, "sender", "030123456789", "0301234567890", "sender_format"),
    (SMS, "sender", "022123456", "112", "sender_format"),
    (SMS, "sender", "022123456", "119", "sender_format"),
    (SMS, "sender", "022123456", "", "required"),
    # the author's choices have no default
    (SMS, "kind", "sms", "", "required"),
    (SMS, "kind", "sms", "rcs", "required"),
    (SMS, "is_ad", False, None, "ad_undecided"),
    (SMS, "is_ad", True, "yes", "ad_undecided"),
    # pictures
    (SMS, "picture", "", "p", "picture_not_mms"),
    (SMS | {"picture": "p"}, "kind", "", "sms", "picture_not_mms"),
    (LMS, "picture", "", "p", "picture_not_mms"),
    (MMS, "picture", "p", "", "required"),
    # marks are drawn by us, once, and in no disguise
    (SMS | {"is_ad": True}, "text", "광고 아님", "(광고)", "ad_mark_typed"),
    (SMS | {"is_ad": True}, "text", "세일", "세일 무료거부", "opt_out_typed"),
    (SMS | {"is_ad": True}, "text", "세일", "무료 수신거부 080", "opt_out_typed"),
    (LMS | {"is_ad": True}, "title", "세일", "(광고)세일", "ad_mark_typed"),
    (SMS, "text", "안내", "(광고)안내", "ad_mark_without_ad"),
    (SMS, "text", "수신거부 방법", "(광 고) 세일", "ad_mark_disguised"),
    (SMS, "text", "(영광 고교)", "[광고] 세일", "ad_mark_disguised"),
    (SMS | {"is_ad": True}, "text", "세일", "(광/고)", "ad_mark_disguised"),
    (SMS | {"is_ad": True}, "text", "세일", "（광고）", "ad_mark_disguised"),
    (SMS | {"is_ad": True}, "text", "세일", "【광.고】", "ad_mark_disguised"),
    (LMS, "title", "세일", "<광고>세일", "ad_mark_disguised"),
    # what carriers can't carry
    (SMS, "text", "“인용”…·①㈜™€★♥☎", "안녕 🌸", "character"),
    (SMS, "text", "￦5,000", "₩5,000", "character"),
    (SMS, "text", '{{ user["n"] | default: "고객" }}', '{{ user["n"] | default: "고객🌸" }}', "character"),
    # the language
    (SMS, "text", '{{ user["n"] }}', "{{ user.n }}", "variable_dotted"),
    (LMS, "title", '{{ user["n"] }}', "{{ n }}", "variable_unknown_category"),
]


@pytest.mark.parametrize(("json", "field", "good", "bad", "code"), TEXT)
def test_text(json, field, good, bad, code):
    assert code not in {found for _at, found in codes("text", json | {field: good})}
    assert code in {found for at, found in codes("text", json | {field: bad}) if at in (field, "picture")}


FRIEND = [
    (FRIENDTALK, "text", "가" * 1300, "가" * 1301, "too_long"),
    (FRIENDTALK, "text", "🌸" * 650, "🌸" * 650 + "a", "too_long"),
    (FRIENDTALK, "text", "a" + "\n" * 99 + "a", "a" + "\n" * 100 + "a", "too_many_breaks"),
    (FRIENDTALK, "text", "a", "", "required"),
    (FRIENDTALK, "text", "세일", "(광고) 세일", "ad_mark_typed"),
    (FRIENDTALK, "text", "세일", "(광 고) 세일", "ad_mark_disguised"),
    (FRIENDTALK, "text", "세일", "무료수신거부 0808701234", "opt_out_typed"),
    (FRIENDTALK, "profile", "KA01PF1", "", "required"),
    (FRIENDTALK, "buttons", [Button("a", url(20))] * 5, [Button("a", url(20))] * 6, "too_many_buttons"),
]


@pytest.mark.parametrize(("json", "field", "good", "bad", "code"), FRIEND)
def test_friendtalk(json, field, good, bad, code):
    assert (field, code) not in codes("friendtalk", json | {field: plain(good)})
    assert (field, code) in codes("friendtalk", json | {field: plain(bad)})


def plain(value):
    if not isinstance(value, list):
        return value
    return [{"name": one.name, "mobile_url": one.mobile_url, "pc_url": one.pc_url} for one in value]


BUTTONS = [
    ("name", "가" * 14, "가" * 15, "too_long"),
    ("name", "보러 가기", "", "required"),
    ("name", "보러 가기", '{{ user["n"] }}', "button_variable"),
    ("name", "보러 가기", "#{이름}", "button_variable"),
    ("mobile_url", url(1000), url(1001), "too_long"),
    ("mobile_url", url(30), "", "required"),
    ("mobile_url", "http://hrtb.kr", "ftp://hrtb.kr", "link"),
    ("mobile_url", "HTTPS://hrtb.kr", "javascript:alert(1)", "link"),
    ("mobile_url", "https://한글.kr", "hrtb.kr", "link"),
    ("mobile_url", "https://hrtb.kr", "https://", "link"),
    ("mobile_url", "https://hrtb.kr", "https://hrtb", "link"),
    ("mobile_url", "https://hrtb.kr/@a", "https://hrtb.kr@evil.kr", "link_host"),
    ("mobile_url", "https://hrtb.kr/a%20b", "https://hrtb.kr/a b", "link_blank"),
    ("mobile_url", 'https://hrtb.kr/{{ user["n"] }}', '{{ csv["url"] }}', "link"),
    ("mobile_url", 'https://hrtb.kr?u={{ user["n"] }}', 'https://hrtb.kr{{ user["n"] }}', "link_host"),
    ("mobile_url", 'https://hrtb.kr/{{ user["n"] }}', "https://hrtb.kr/{{ user.n }}", "variable_dotted"),
    ("pc_url", "", "hrtb.kr", "link"),
    ("pc_url", url(1000), url(1001), "too_long"),
]


@pytest.mark.parametrize(("field", "good", "bad", "code"), BUTTONS)
def test_buttons(field, good, bad, code):
    button = {"name": "보러 가기", "mobile_url": "https://hrtb.kr", "pc_url": ""}
    at = f"buttons.0.{field}"
    assert (at, code) not in codes("friendtalk", FRIENDTALK | {"buttons": [button | {field: good}]})
    assert (at, code) in codes("friendtalk", FRIENDTALK | {"buttons": [button | {field: bad}]})


ALIM = [
    ("profile", "KA01PF1", "", "profile", "required"),
    ("template", "KA01TP1", "", "template", "required"),
    ("template_text", "가" * 1000, "가" * 1001, "template", "too_long"),
    ("template_text", "#{고객명}" * 50, "", "template", "required"),
    (
        "template_variables",
        [f"v{n}" for n in range(40)],
        [f"v{n}" for n in range(41)],
        "template",
        "too_many_variables",
    ),
    ("template_variables", ["고객 이름"], ["고객.이름"], "template", "variable_name"),
]


@pytest.mark.parametrize(("field", "good", "bad", "at", "code"), ALIM)
def test_alimtalk(field, good, bad, at, code):
    assert (at, code) not in codes("alimtalk", ALIMTALK | {field: good})
    assert (at, code) in codes("alimtalk", ALIMTALK | {field: bad})


VARIABLES = [
    ({"text": "서연"}, {"text": ""}, "required"),
    ({"text": "서연"}, {"text": "  "}, "required"),
    ({"text": "서연 님"}, {"text": "서연\n님"}, "variable_break"),
    ({"text": '{{ user["n"] }}', "default": "고객"}, {"text": '{{ user["n"] }}'}, "variable_default"),
    ({"text": '{{ user["n"] }}', "skips_missing": True}, {"text": '{{ user["n"] }}님'}, "variable_default"),
    ({"text": '{{ user["n"] | default: "고객" }}'}, {"text": '{{ user["n"] | default: "" }}'}, "variable_default"),
    ({"text": '{{ user["n"] | default: "고객" }}'}, {"text": "{{ user.n }}"}, "variable_dotted"),
]


@pytest.mark.parametrize(("good", "bad", "code"), VARIABLES)
def test_variables_of_a_template(good, bad, code):
    at = "variables.고객명"
    assert (at, code) not in codes("alimtalk", ALIMTALK | {"variables": [{"name": "고객명"} | good]})
    assert (at, code) in codes("alimtalk", ALIMTALK | {"variables": [{"name": "고객명"} | bad]})


def test_a_variable_that_was_not_given_is_missed():
    assert codes("alimtalk", ALIMTALK | {"variables": []}) == {("variables.고객명", "required")}


def test_the_length_of_an_alimtalk_counts_what_is_filled_in():
    template = {"template_text": "#{a}" * 10, "template_variables": ["a"]}
    assert codes("alimtalk", ALIMTALK | template | {"variables": [{"name": "a", "text": "가" * 100}]}) == set()
    over = codes("alimtalk", ALIMTALK | template | {"variables": [{"name": "a", "text": "가" * 101}]})
    assert over == {("template", "too_long")}


@pytest.mark.parametrize(
    ("button", "at", "code"),
    [
        (Button("이름", url(500)), None, None),
        (Button("이름", url(501)), "template_buttons.0.mobile_url", "too_long"),
        (Button("이름", url(20), url(501)), "template_buttons.0.pc_url", "too_long"),
        (Button("이름", "app://x"), "template_buttons.0.mobile_url", "link"),
        (Button("가" * 15, url(20)), "template_buttons.0.name", "too_long"),
        (Button("#{이름}", url(20)), "template_buttons.0.name", "button_variable"),
    ],
)
def test_buttons_of_a_template(button, at, code):
    expected = {(at, code)} if at else set()
    assert codes("alimtalk", ALIMTALK | {"template_buttons": plain([button])}) == expected


# -- What goes out instead --------------------------------------------------------------------------------------------
FALLBACKS = [
    ("alimtalk", ALIMTALK, own("가" * 45), own("가" * 46), "fallback.text", "too_long"),
    ("alimtalk", ALIMTALK, own("가" * 1000, "lms"), own("가" * 1001, "lms"), "fallback.text", "too_long"),
    ("alimtalk", ALIMTALK, own("안내"), own(""), "fallback.text", "required"),
    ("alimtalk", ALIMTALK, own("안내"), own("안내🌸"), "fallback.text", "character"),
    ("alimtalk", ALIMTALK, own("안내"), own("(광고)안내"), "fallback.text", "ad_mark_without_ad"),
    ("alimtalk", ALIMTALK, own("안내"), own("{{ user.n }}"), "fallback.text", "variable_dotted"),
    ("alimtalk", ALIMTALK, own("안내"), own("안내", sender=""), "sender", "required"),
    ("alimtalk", ALIMTALK, own("a", "lms", "가" * 20), own("a", "lms", "가" * 21), "fallback.subject", "too_long"),
    ("alimtalk", ALIMTALK, own("a", "lms", "제목"), own("a", "sms", "제목"), "fallback.subject", "title_on_sms"),
    ("friendtalk", FRIENDTALK, own("a" * (90 - MARKS)), own("a" * (91 - MARKS)), "fallback.text", "too_long"),
    ("friendtalk", FRIENDTALK, own("a", "lms", "가" * 17), own("a", "lms", "가" * 18), "fallback.subject", "too_long"),
    ("friendtalk", FRIENDTALK, own("세일"), own("(광고)세일"), "fallback.text", "ad_mark_typed"),
    (
        "friendtalk",
        FRIENDTALK,
        own("a", "lms", "세일"),
        own("a", "lms", "(광고)세일"),
        "fallback.subject",
        "ad_mark_typed",
    ),
    ("alimtalk", ALIMTALK, own("a", "lms", "안내"), own("a", "lms", "[광고]"), "fallback.subject", "ad_mark_disguised"),
    ("friendtalk", FRIENDTALK, own("세일"), own("세일 무료거부"), "fallback.text", "opt_out_typed"),
]


@pytest.mark.parametrize(("channel", "json", "good", "bad", "at", "code"), FALLBACKS)
def test_fallback(channel, json, good, bad, at, code):
    assert (at, code) not in codes(channel, json | good)
    assert (at, code) in codes(channel, json | bad)


def test_the_kakao_text_as_fallback_must_be_one_that_carriers_carry():
    json = FRIENDTALK | {"sender": "16600412", "fallback": {"kind": "sms", "is_own": False}}
    assert codes("friendtalk", json | {"text": "가" * 900}) == set()
    assert codes("friendtalk", json | {"text": "가" * 1000}) == {("fallback.text", "kakao_too_long")}
    assert codes("friendtalk", json | {"text": "가🌸"}) == {("fallback.text", "kakao_character")}


# -- What a project must have for ads ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("channel", "json", "needs"),
    [
        ("text", SMS | {"is_ad": True}, True),
        ("text", SMS, False),
        ("friendtalk", FRIENDTALK, False),
        ("friendtalk", FRIENDTALK | own(), True),
        ("alimtalk", ALIMTALK | own(), False),
    ],
)
def test_an_advertising_text_needs_a_name_and_an_080_number(channel, json, needs):
    missing = {("rules.sender_name", "required"), ("rules.opt_out_number", "required")}
    assert codes(channel, json, NO_RULES) == (missing if needs else set())


@pytest.mark.parametrize("number", ["0808701234", "080-870-1234", "08012345678", "080 870 1234"])
def test_an_080_number(number):
    rules = SimpleNamespace(sender_name="하루식탁", opt_out_number=number)
    assert codes("text", SMS | {"is_ad": True}, rules) == set()


@pytest.mark.parametrize("number", ["080870123", "080123456789", "0218701234", "16600412", "+82808701234", "수신거부"])
def test_no_080_number(number):
    rules = SimpleNamespace(sender_name="하루식탁", opt_out_number=number)
    assert ("rules.opt_out_number", "opt_out_format") in codes("text", SMS | {"is_ad": True}, rules)


def test_a_sender_name_that_carriers_cant_carry():
    rules = SimpleNamespace(sender_name="하루🌸", opt_out_number="0808701234")
    assert ("rules.sender_name", "character") in codes("text", SMS | {"is_ad": True}, rules)


def test_who_is_an_ad():
    assert is_ad(content_of("friendtalk", FRIENDTALK))
    assert not is_ad(content_of("alimtalk", ALIMTALK))
    assert not is_ad(content_of("text", SMS))
    assert is_ad(content_of("text", SMS | {"is_ad": True}))
    assert is_ad(content_of("text", SMS | {"is_ad": None}))


# -- What the world knows ---------------------------------------------------------------------------------------------
PICTURES = [
    ("text", MMS, JPEG, replace(JPEG, size=200 * 1024 + 1), "picture_size"),
    ("text", MMS, JPEG, replace(JPEG, width=1001), "picture_side"),
    ("text", MMS, JPEG, replace(JPEG, height=1001), "picture_side"),
    ("text", MMS, JPEG, replace(JPEG, media_type="image/png"), "picture_type"),
    ("text", MMS, JPEG, replace(JPEG, is_progressive=True), "picture_progressive"),
    ("friendtalk", FRIENDTALK | {"picture": "p"}, BANNER, replace(BANNER, size=5 * 1024 * 1024 + 1), "picture_size"),
    ("friendtalk", FRIENDTALK | {"picture": "p"}, BANNER, replace(BANNER, width=801), "picture_ratio"),
    ("friendtalk", FRIENDTALK | {"picture": "p"}, BANNER, replace(BANNER, media_type="image/gif"), "picture_type"),
    (
        "friendtalk",
        FRIENDTALK | {"picture": "p"},
        replace(BANNER, width=500, height=250),
        replace(BANNER, width=499, height=250),
        "picture_side",
    ),
    (
        "friendtalk",
        FRIENDTALK | {"picture": "p"},
        replace(BANNER, width=750, height=1000),
        replace(BANNER, width=750, height=1001),
        "picture_ratio",
    ),
]


@pytest.mark.parametrize(("channel", "json", "good", "bad", "code"), PICTURES)
def test_pictures(channel, json, good, bad, code):
    assert codes(channel, json, facts=pictured(good)) == set()
    assert ("picture", code) in codes(channel, json, facts=pictured(bad))


def test_an_information_may_say_how_to_refuse():
    assert codes("text", SMS | {"text": "무료수신거부 신청이 끝났습니다"}) == set()


def test_a_picture_that_was_not_chosen_is_not_gone():
    assert codes("text", MMS | {"picture": ""}, facts=Facts(pictures={})) == {("picture", "required")}
    assert codes("friendtalk", FRIENDTALK, facts=Facts(pictures={})) == set()


def test_a_picture_that_is_gone():
    assert codes("text", MMS, facts=Facts(pictures={})) == {("picture", "picture_gone")}


@pytest.mark.parametrize(
    ("channel", "json", "facts", "expected"),
    [
        ("text", SMS, Facts(numbers={"16600412"}), set()),
        ("text", SMS, Facts(numbers=set()), {("sender", "sender_unregistered")}),
        ("friendtalk", FRIENDTALK, Facts(profiles={"KA01PF1"}), set()),
        ("friendtalk", FRIENDTALK, Facts(profiles={"other"}), {("profile", "profile_unregistered")}),
        ("alimtalk", ALIMTALK, Facts(profiles=()), {("profile", "profile_unregistered")}),
        ("alimtalk", ALIMTALK | own(), Facts(numbers=()), {("sender", "sender_unregistered")}),
    ],
)
def test_senders_are_those_that_the_provider_lists(channel, json, facts, expected):
    assert codes(channel, json, facts=facts) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (TEMPLATE, set()),
        (None, {("template", "template_gone")}),
        (replace(TEMPLATE, status=TemplateStatus.BLOCKED), {("template", "template_unsendable")}),
        (replace(TEMPLATE, status=TemplateStatus.DORMANT), {("template", "template_unsendable")}),
        (replace(TEMPLATE, status=TemplateStatus.IN_REVIEW), {("template", "template_unsendable")}),
        (replace(TEMPLATE, profile_id="other"), {("template", "template_other_profile")}),
        (replace(TEMPLATE, content="#{고객명}님,  출발했습니다."), {("template", "template_changed")}),
        (replace(TEMPLATE, buttons=(Button("a", "https://b.kr"),)), {("template", "template_changed")}),
        (replace(TEMPLATE, variables=("고객명", "b")), {("template", "template_changed")}),
    ],
)
def test_a_template_is_approved_and_reads_as_it_did(template, expected):
    templates = {template.id: template} if template else {}
    assert codes("alimtalk", ALIMTALK, facts=Facts(templates=templates)) == expected


def test_a_content_takes_over_a_changed_template_and_keeps_what_was_filled_in():
    content = content_of("alimtalk", ALIMTALK)
    changed = replace(TEMPLATE, content="#{고객명}님께", buttons=(Button("a", "https://b.kr"),))
    after = content.with_template(changed)
    assert check(after, RULES, Facts(templates={"KA01TP1": changed})) == []
    assert after.variables == content.variables


@pytest.mark.parametrize(
    ("text", "facts", "code"),
    [
        ('{{ csv["x"] }}', Facts(category="csv", columns=["x"]), None),
        ('{{ csv["x"] }}', Facts(category="csv", columns=["y"]), "variable_column"),
        ('{{ user["x"] }}', Facts(category="csv", columns=["x"]), "variable_category"),
        ('{{ csv["x"] }}', Facts(category="user"), "variable_category"),
        ('{{ user["x"] }}', Facts(category="user"), None),
        ('{{ csv["x"] }}', Facts(), None),
    ],
)
def test_a_variable_is_one_that_the_audience_has(text, facts, code):
    expected = {("text", code)} if code else set()
    assert codes("text", SMS | {"text": text}, facts=facts) == expected


def test_a_problem_says_where_it_is():
    (problem,) = check(content_of("text", SMS | {"text": "안녕 — 하세요"}), RULES)
    assert (problem.position, problem.code) == (3, "character")
    assert "‘-’" in problem.text
    (problem,) = check(content_of("text", SMS | {"text": '가{{ user["n"] }}나🌸'}), RULES)
    assert problem.position == 17


# -- Warnings ---------------------------------------------------------------------------------------------------------
WARNINGS = [
    ("text", SMS | {"text": '{{ user["n"] | default: "a" }}'}, set()),
    ("text", SMS | {"text": '{{ user["n"] }}'}, {("text", "no_default")}),
    ("text", SMS | {"text": '{{ user["n"] }}', "skips_missing": True}, set()),
    ("text", SMS | {"text": "뷁"}, {("text", "rare_character")}),
    ("text", SMS | {"text": "#{이름}님"}, {("text", "template_variable")}),
    ("text", SMS | {"text": "가" * 43 + "\na"}, set()),
    ("text", SMS | {"text": "가" * 44 + "\n"}, {("text", "near_the_edge")}),
    ("text", SMS | {"text": "가" * 45}, set()),
    ("text", SMS | {"text": "a" * (90 - MARKS), "is_ad": True}, {("text", "near_the_edge")}),
    ("alimtalk", ALIMTALK | own("똠"), {("fallback.text", "rare_character")}),
    ("alimtalk", ALIMTALK | {"variables": [{"name": "고객명", "text": "가" * 20}]}, set()),
    (
        "alimtalk",
        ALIMTALK | {"variables": [{"name": "고객명", "text": "가" * 21}]},
        {("variables.고객명", "long_variable")},
    ),
]


@pytest.mark.parametrize(("channel", "json", "expected"), WARNINGS)
def test_warnings(channel, json, expected):
    content = content_of(channel, json)
    assert {(found.field, found.code) for found in warnings(content, RULES)} == expected
    assert check(content, RULES) == []


# -- Whatever is posted -----------------------------------------------------------------------------------------------
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["sms", "{{", "#{a}"])
NAMES = [
    *("sender", "kind", "is_ad", "title", "text", "picture", "profile", "buttons", "name", "mobile_url", "fallback"),
    *("template", "template_text", "template_variables", "variables", "default", "skips_missing", "subject", "is_own"),
]
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=30,
)


@given(channel=st.sampled_from(Channel.values), json=JSON | st.dictionaries(st.sampled_from(NAMES), JSON))
def test_no_json_breaks_the_reader_or_the_rules(channel, json):
    content = content_of(channel, json)
    assert all(problem.text for problem in check(content, RULES, Facts(templates={}, pictures={}, numbers=())))
    warnings(content, RULES)
    assert content_of(channel, content.as_json()) == content


@pytest.mark.parametrize(
    ("channel", "json", "at"),
    [
        ("text", [], ""),
        ("text", {"text": 5}, "text"),
        ("text", {"is_ad": "true"}, "is_ad"),
        ("friendtalk", {"buttons": "x"}, "buttons"),
        ("friendtalk", {"buttons": [3]}, "buttons.0"),
        ("friendtalk", {"buttons": [{"name": []}]}, "buttons.0.name"),
        ("friendtalk", {"fallback": 1}, "fallback"),
        ("friendtalk", {"fallback": {"kind": "mms"}}, "fallback.kind"),
        ("alimtalk", {"template_variables": [1]}, "template_variables"),
        ("alimtalk", {"variables": {}}, "variables"),
    ],
)
def test_what_has_the_wrong_type_is_named(channel, json, at):
    assert (at, "unreadable") in codes(channel, json)


def test_text_is_tidied_when_it_is_read():
    content = content_of("text", SMS | {"text": "가\r\n나\x00\x07\ttab\ud800"})
    assert content.text == "가\n나 tab"
    assert content_of("text", SMS | {"text": "\u1112\u1161\u11ab"}).text == "한"

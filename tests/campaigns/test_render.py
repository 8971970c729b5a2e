"""What each recipient reads, and how long it is."""

from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.message.characters import byte_length, character_length, unencodable
from campaigns.message.content import content_of
from campaigns.message.personalise import BadVariable
from campaigns.message.render import Left, Person, message_for, render, renderer, with_marks, worst
from campaigns.models import SkipReason
from integrations.messaging import Button, Fallback, Kind

RULES = SimpleNamespace(sender_name="하루식탁", opt_out_number="080-870-1234")
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # 2026-11-21 00:30 in Seoul


def text(body, kind="sms", **others):
    return content_of("text", {"sender": "16600412", "kind": kind, "is_ad": False, "text": body} | others)


def friendtalk(body, **others):
    return content_of("friendtalk", {"profile": "pf", "text": body, "sender": "16600412"} | others)


def alimtalk(body, variables, fallback=None, buttons=(), **options):
    names = list(variables)
    given = [{"name": name, **(one if isinstance(one, dict) else {"text": one})} for name, one in variables.items()]
    return content_of(
        "alimtalk",
        {
            "profile": "pf",
            "template": "tp",
            "template_text": body,
            "template_variables": names,
            "template_buttons": list(buttons),
            "variables": given,
            "sender": "16600412",
            "fallback": fallback,
        }
        | options,
    )


def fallback(body="", kind="sms", subject="", is_own=True):
    return {"kind": kind, "text": body, "subject": subject, "is_own": is_own}


def do(content, values=None):
    return render(content, values or {}, RULES, NOW)


# -- 문자 -------------------------------------------------------------------------------------------------------------
NAME = '{{ user["name"] | default: "고객" }}'


@pytest.mark.parametrize(
    ("content", "values", "kind", "body", "length"),
    [
        (text(f"{NAME}님"), {"name": "서연"}, Kind.SMS, "서연님", 6),
        (text(f"{NAME}님"), {}, Kind.SMS, "고객님", 6),
        (text('{{ user["x"] }}!'), {}, Kind.SMS, "!", 1),
        (text('{{ user["x"] }}'), {"x": "가" * 45}, Kind.SMS, "가" * 45, 90),
        (text('{{ user["x"] }}'), {"x": "가" * 45 + "a"}, Kind.LMS, "가" * 45 + "a", 91),
        (text('{{ user["x"] }}', "lms"), {"x": "a"}, Kind.LMS, "a", 1),
        (text('{{ user["x"] }}', "mms"), {"x": "a"}, Kind.MMS, "a", 1),
        (text('{{ user["x"] }}', "mms"), {"x": "a" * 2000}, Kind.MMS, "a" * 2000, 2000),
        (text(NAME), {"name": "뷁"}, Kind.SMS, "뷁", 2),
        (text(NAME), {"name": "\u1112\u1161\u11ab"}, Kind.SMS, "한", 2),
        (text(f"{NAME}!"), {"name": "가\r\n나"}, Kind.SMS, "가\n나!", 6),
        (text(f"{NAME}!"), {"name": '{{ user["name"] }}#{x}'}, Kind.SMS, '{{ user["name"] }}#{x}!', 23),
        (text('{{ "now" | date: "%Y-%m-%d", "Asia/Seoul" }}'), {}, Kind.SMS, "2026-11-21", 10),
    ],
)
def test_a_text_message(content, values, kind, body, length):
    rendered = do(content, values)
    assert (rendered.kind, rendered.text, rendered.length) == (kind, body, length)
    assert not rendered.is_altered


@pytest.mark.parametrize(
    ("content", "values", "reason"),
    [
        (text('{{ user["x"] }}', "lms"), {"x": "a" * 2001}, SkipReason.TOO_LONG),
        (text('{{ user["x"] }}'), {"x": "a" * 2001}, SkipReason.TOO_LONG),
        (text('{{ user["x"] }}'), {}, SkipReason.NO_VALUE),
        (text('{{ user["x"] }}', is_ad=True), {"x": None}, SkipReason.NO_VALUE),
        (text('안녕 {{ user["x"] }}', skips_missing=True), {"x": " "}, SkipReason.NO_VALUE),
        (text("안녕", "lms", title='{{ user["x"] }}', skips_missing=True), {}, SkipReason.NO_VALUE),
        (text("안녕", "lms", title='{{ user["x"] }}'), {"x": "가" * 21}, SkipReason.TOO_LONG),
        (text("안녕", "lms", title='{{ user["x"] }}'), {"x": "々"}, SkipReason.CHARACTERS),
        (text(NAME), {"name": "佐々木"}, SkipReason.CHARACTERS),
        (text(f"🌸{NAME}"), {"name": "서연"}, SkipReason.CHARACTERS),
    ],
)
def test_who_is_left_out_and_why(content, values, reason):
    assert do(content, values) == Left(reason)


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("서연🌸", "서연님"),
        ("José", "Jose님"),
        ("서연—혜", "서연-혜님"),
        ("🌸", "고객님"),
        ("👨‍👩‍👧 ", "고객님"),
    ],
)
def test_a_value_that_carriers_cant_carry_is_mended_and_said_so(value, body):
    rendered = do(text(f"{NAME}님"), {"name": value})
    assert (rendered.text, rendered.is_altered) == (body, True)
    assert rendered.length == len(body.encode("cp949"))


def test_an_ad_begins_and_ends_as_the_law_wants():
    rendered = do(text(f"{NAME}님 세일", is_ad=True), {"name": "서연"})
    assert rendered.text == "(광고)하루식탁\n서연님 세일\n무료수신거부 0808701234"
    assert rendered.length == len(rendered.text.encode("cp949"))
    assert rendered.text == with_marks("서연님 세일", Kind.SMS, RULES)


def test_the_marks_count_when_an_sms_grows():
    room = 90 - len(with_marks("", Kind.SMS, RULES).encode("cp949"))
    content = text('{{ user["x"] }}', is_ad=True)
    assert do(content, {"x": "a" * room}).kind == Kind.SMS
    assert do(content, {"x": "a" * (room + 1)}).kind == Kind.LMS


def test_the_title_of_an_ad_is_marked_too():
    content = text("세일", "lms", title='{{ user["x"] }}', is_ad=True)
    assert do(content, {"x": "특가"}).subject == "(광고)특가"
    assert do(content, {}).subject == ""
    assert isinstance(do(content, {"x": "가" * 17}), tuple)
    assert do(content, {"x": "가" * 18}) == Left(SkipReason.TOO_LONG)


def test_a_title_is_one_line():
    assert do(text("세일", "lms", title='{{ user["x"] }}'), {"x": "가\n나"}).subject == "가 나"


def test_an_sms_has_no_title_even_when_it_grows():
    rendered = do(text('{{ user["x"] }}', title="제목"), {"x": "a" * 91})
    assert (rendered.kind, rendered.subject) == (Kind.LMS, "")


def test_marks_are_not_for_kakao():
    assert with_marks("세일", Kind.FRIENDTALK, RULES) == "세일"
    assert with_marks("안내", Kind.ALIMTALK, RULES) == "안내"


# -- 친구톡 -----------------------------------------------------------------------------------------------------------
def test_a_friendtalk():
    button = {"name": "보기", "mobile_url": 'https://hrtb.kr/{{ user["id"] }}?n={{ user["name"] }}', "pc_url": ""}
    content = friendtalk(f"{NAME}님\n🌸", buttons=[button])
    rendered = do(content, {"name": "서 연&x=1", "id": "../a#b"})
    assert (rendered.kind, rendered.text, rendered.length) == (Kind.FRIENDTALK, "서 연&x=1님\n🌸", 11)
    link = "https://hrtb.kr/..%2Fa%23b?n=%EC%84%9C%20%EC%97%B0%26x%3D1"
    assert rendered.buttons == (Button("보기", link, ""),)
    assert rendered.fallback is None


@pytest.mark.parametrize(
    ("content", "values", "reason"),
    [
        (friendtalk('{{ user["x"] }}'), {"x": "a" * 1300}, None),
        (friendtalk('{{ user["x"] }}'), {"x": "a" * 1301}, SkipReason.TOO_LONG),
        (friendtalk('{{ user["x"] }}'), {"x": "🌸" * 651}, SkipReason.TOO_LONG),
        (friendtalk('a{{ user["x"] }}'), {"x": "a" + "\n" * 99 + "b"}, None),
        (friendtalk('a{{ user["x"] }}'), {"x": "a" + "\n" * 100 + "b"}, SkipReason.TOO_LONG),
        (friendtalk('{{ user["x"] }}'), {}, SkipReason.NO_VALUE),
        (friendtalk('a{{ user["x"] }}'), {}, None),
        (friendtalk('a{{ user["x"] }}', skips_missing=True), {}, SkipReason.NO_VALUE),
        (friendtalk("々 é —"), {}, None),
    ],
)
def test_friendtalks_at_their_limits(content, values, reason):
    rendered = do(content, values)
    assert rendered == Left(reason) if reason else not isinstance(rendered, Left)


@pytest.mark.parametrize(
    ("value", "skips", "reason"),
    [
        ("a" * 984, False, None),
        ("a" * 985, False, SkipReason.TOO_LONG),
        ("", False, None),
        ("", True, SkipReason.NO_VALUE),
    ],
)
def test_personal_links_at_their_limits(value, skips, reason):
    button = {"name": "보기", "mobile_url": 'https://hrtb.kr/{{ user["x"] }}'}
    rendered = do(friendtalk("a", buttons=[button], skips_missing=skips), {"x": value})
    assert rendered == Left(reason) if reason else not isinstance(rendered, Left)


def test_the_fallback_of_an_ad_is_an_ad():
    rendered = do(friendtalk("🌸", fallback=fallback(f"{NAME}님 세일", "lms", "특가")), {"name": "서연"})
    expected = "(광고)하루식탁\n서연님 세일\n무료수신거부 0808701234"
    assert rendered.fallback == Fallback(Kind.LMS, expected, "(광고)특가")
    assert rendered.fallback_length == byte_length(expected)
    assert rendered.text == "🌸"


def test_a_fallback_that_cant_be_carried_leaves_the_kakao_message():
    rendered = do(friendtalk(f"{NAME}님", fallback=fallback(is_own=False)), {"name": "佐々木"})
    assert (rendered.text, rendered.fallback, rendered.fallback_left) == ("佐々木님", None, SkipReason.CHARACTERS)


# -- 알림톡 -----------------------------------------------------------------------------------------------------------
def test_an_alimtalk():
    content = alimtalk(
        "#{고객명}님 #{상품} {{ x }} #{모름}",
        {"고객명": NAME, "상품": "[{{ user['item'] | default: '상품' }}]"},
        buttons=[{"name": "조회", "mobile_url": "https://hrtb.kr/#{상품}"}],
    )
    rendered = do(content, {"name": "서연\n#{상품}{{ y }}", "item": "박스"})
    assert rendered.text == "서연 #{상품}{{ y }}님 [박스] {{ x }} #{모름}"
    assert rendered.variables == {"고객명": "서연 #{상품}{{ y }}", "상품": "[박스]"}
    assert rendered.buttons == (Button("조회", "https://hrtb.kr/[박스]", ""),)
    assert rendered.length == character_length(rendered.text)


@pytest.mark.parametrize(
    ("variable", "values", "expected"),
    [
        ({"text": '{{ user["n"] }}', "default": "고객"}, {"n": "서연"}, "서연"),
        ({"text": '{{ user["n"] }}', "default": "고객"}, {}, "고객"),
        ({"text": '{{ user["n"] }}님', "default": "고객"}, {}, "고객"),
        ({"text": '{{ user["n"] }}', "default": "고객", "skips_missing": True}, {}, SkipReason.NO_VALUE),
        ({"text": '{{ user["n"] }}', "skips_missing": True}, {"n": "\n"}, SkipReason.NO_VALUE),
        ({"text": '{{ user["n"] | default: "고객" }}', "skips_missing": True}, {}, "고객"),
        ({"text": '{{ user["n"] }}'}, {}, SkipReason.NO_VALUE),
        ({"text": ""}, {}, SkipReason.NO_VALUE),
    ],
)
def test_a_variable_without_a_value(variable, values, expected):
    rendered = do(alimtalk("#{v}", {"v": variable}), values)
    if isinstance(expected, SkipReason):
        assert rendered == Left(expected)
    else:
        assert rendered.variables == {"v": expected}


@pytest.mark.parametrize(("length", "reason"), [(1000, None), (1001, SkipReason.TOO_LONG)])
def test_an_alimtalk_at_its_limit(length, reason):
    rendered = do(alimtalk("#{v}", {"v": '{{ user["x"] }}'}), {"x": "가" * length})
    assert rendered == Left(reason) if reason else rendered.length == length


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a" * 484, None),
        ("a" * 485, SkipReason.TOO_LONG),
        ("a b", SkipReason.CHARACTERS),
        ("a\u3000b", SkipReason.CHARACTERS),
    ],
)
def test_a_link_of_a_template_must_stay_one(value, reason):
    content = alimtalk("a", {"v": '{{ user["x"] }}'}, buttons=[{"name": "a", "mobile_url": "https://hrtb.kr/#{v}"}])
    rendered = do(content, {"x": value})
    assert rendered == Left(reason) if reason else not isinstance(rendered, Left)


def test_the_fallback_of_an_alimtalk_is_no_ad_and_may_be_the_same_text():
    content = alimtalk("#{v}님", {"v": NAME}, fallback(is_own=False))
    assert do(content, {"name": "서연"}).fallback == Fallback(Kind.SMS, "서연님")
    rendered = do(content, {"name": "서연🌸"})
    assert (rendered.text, rendered.fallback, rendered.is_altered) == ("서연🌸님", Fallback(Kind.SMS, "서연님"), True)
    assert do(content, {"name": "가" * 60}).fallback.kind == Kind.LMS


def test_an_own_fallback_asks_for_its_own_values():
    content = alimtalk("#{v}님", {"v": NAME}, fallback('[하루식탁] {{ user["no"] }}'))
    rendered = do(content, {"name": "서연", "no": 6402})
    assert rendered.fallback == Fallback(Kind.SMS, "[하루식탁] 6402")
    assert do(content, {"name": "서연"}).fallback == Fallback(Kind.SMS, "[하루식탁] ")


# -- Messages ---------------------------------------------------------------------------------------------------------
PERSON = Person("+821012345678", {"name": "서연"})


def test_the_message_of_a_text():
    message = message_for(PERSON, text(f"{NAME}님", is_ad=True), RULES, "r1", {}, NOW)
    assert (message.reference, message.to, message.kind, message.sender) == ("r1", "+821012345678", "sms", "16600412")
    assert message.text.startswith("(광고)하루식탁")
    assert message.is_ad
    assert (message.profile, message.template, message.fallback) == ("", "", None)


def test_the_message_of_an_mms_has_the_providers_picture():
    message = message_for(PERSON, text("a", "mms", picture="p", title="제목"), RULES, "r1", {"p": "FL1"}, NOW)
    assert (message.kind, message.image, message.subject) == (Kind.MMS, "FL1", "제목")
    with pytest.raises(KeyError):
        message_for(PERSON, text("a", "mms", picture="p"), RULES, "r1", {}, NOW)


def test_the_message_of_an_alimtalk_has_template_and_variables():
    message = message_for(PERSON, alimtalk("#{v}", {"v": NAME}, fallback("안내")), RULES, "r1", {}, NOW)
    assert (message.profile, message.template, message.variables) == ("pf", "tp", {"v": "서연"})
    assert (message.text, message.sender, message.is_ad) == ("서연", "16600412", False)
    assert message.fallback == Fallback(Kind.SMS, "안내")
    assert message_for(PERSON, alimtalk("#{v}", {"v": NAME}), RULES, "r1", {}, NOW).sender == ""


def test_the_message_of_a_friendtalk_is_an_ad_with_buttons():
    content = friendtalk("a", buttons=[{"name": "보기", "mobile_url": "https://hrtb.kr"}], picture="p")
    message = message_for(PERSON, content, RULES, "r1", {"p": "FL1"}, NOW)
    assert (message.is_ad, message.image, message.profile) == (True, "FL1", "pf")
    assert message.buttons == (Button("보기", "https://hrtb.kr", ""),)


def test_whoever_is_left_out_has_no_message():
    assert message_for(PERSON, text('{{ user["x"] }}'), RULES, "r1", {}, NOW) == Left(SkipReason.NO_VALUE)


def test_a_reference_has_its_limit():
    message_for(PERSON, text("a"), RULES, "r" * 100, {}, NOW)
    with pytest.raises(ValueError, match="reference"):
        message_for(PERSON, text("a"), RULES, "r" * 101, {}, NOW)


@pytest.mark.parametrize(
    "content",
    [
        text("{{ user.name }}"),
        text("a", "lms", title="{{ x"),
        friendtalk("{% if %}"),
        friendtalk("a", buttons=[{"name": "a", "mobile_url": "https://hrtb.kr/{{"}]),
        friendtalk("a", fallback=fallback("{{ x }}")),
        alimtalk("#{v}", {"v": "{{ x }}"}),
    ],
)
def test_nothing_goes_out_with_its_braces(content):
    with pytest.raises(BadVariable):
        render(content, {}, RULES)


def test_rules_that_change_change_the_marks():
    content = text("세일", is_ad=True)
    other = SimpleNamespace(sender_name="아침식탁", opt_out_number="0800000000")
    assert "아침식탁" in render(content, {}, other).text
    assert "하루식탁" in render(content, {}, RULES).text


# -- The worst real recipient -----------------------------------------------------------------------------------------
def test_the_worst_real_recipient():
    rows = [
        ("a", {"name": "서연"}, 3),
        ("b", {"name": "가" * 50}, 2),
        ("c", {"name": "가" * 70}, 1),
        ("d", {"name": "佐々木"}, 4),
        ("e", {"name": "서연🌸"}, 5),
        ("f", {"name": "a" * 3000}, 1),
    ]
    found = worst(text(f"{NAME}님"), RULES, iter(rows), NOW)
    assert (found.longest_id, found.longest_bytes) == ("c", 142)
    assert found.by_kind == {Kind.SMS: 8, Kind.LMS: 3}
    assert found.left == {SkipReason.CHARACTERS: 4, SkipReason.TOO_LONG: 1}
    assert found.ids[Kind.LMS] == ["b", "c"]
    assert found.ids[SkipReason.CHARACTERS] == ["d"]
    assert (found.altered, found.fallback) == (5, None)


def test_the_worst_of_a_fallback():
    content = alimtalk("#{v}님", {"v": NAME}, fallback(f"{NAME}님 안내"))
    rows = [("a", {"name": "서연"}, 3), ("b", {"name": "가" * 50}, 2), ("c", {"name": "佐々木"}, 1)]
    found = worst(content, RULES, rows, NOW)
    assert (found.by_kind, found.longest_id, found.longest_bytes) == ({Kind.ALIMTALK: 6}, "b", 51)
    assert found.fallback.by_kind == {Kind.SMS: 3, Kind.LMS: 2}
    assert found.fallback.left == {SkipReason.CHARACTERS: 1}
    assert (found.fallback.longest_id, found.fallback.longest_bytes) == ("b", 107)


def test_nobody():
    found = worst(text("a"), RULES, [], NOW)
    assert (found.longest_id, found.longest_bytes, found.by_kind, found.left) == (None, 0, {}, {})


VALUES = (
    st.none() | st.integers() | st.text(max_size=30) | st.text(alphabet="가뷁é—🌸々\u1161\u0301 \n{#}", max_size=60)
)
BODIES = st.sampled_from(
    [
        NAME,
        f"{NAME}님 {{{{ user['x'] }}}}",
        "{{ user['x'] }}{{ user['name'] }}",
        "a" * 80 + NAME,
        "\u1112{{ user['x'] }}",
    ]
)


@given(
    body=BODIES,
    kind=st.sampled_from(["sms", "lms", "mms"]),
    is_ad=st.booleans(),
    skips=st.booleans(),
    people=st.lists(st.fixed_dictionaries({}, optional={"name": VALUES, "x": VALUES}), max_size=8),
)
@settings(deadline=None)
def test_what_is_measured_is_what_is_sent(body, kind, is_ad, skips, people):
    """The bytes of pieces add up to those of the whole, and the worst is the worst of what `message_for` makes."""
    content = text(body, kind, is_ad=is_ad, skips_missing=skips)
    kinds, left, longest = Counter(), Counter(), 0
    for values in people:
        message = message_for(Person("+8210", values), content, RULES, "r", {}, NOW)
        if isinstance(message, Left):
            left[message.reason] += 1
            continue
        length = len(message.text.encode("cp949"))
        assert unencodable(message.text) == []
        assert length <= (90 if message.kind == Kind.SMS else 2000)
        assert renderer(content, RULES).render(values, NOW).length == length
        kinds[message.kind] += 1
        longest = max(longest, length)
    found = worst(content, RULES, [(n, values, 1) for n, values in enumerate(people)], NOW)
    assert (found.by_kind, found.left, found.longest_bytes) == (kinds, left, longest)


@given(st.dictionaries(st.sampled_from(["name", "x"]), VALUES))
@settings(deadline=None)
def test_a_kakao_message_is_measured_as_it_is_sent(values):
    content = alimtalk(
        "#{a}#{b}님", {"a": NAME, "b": {"text": '{{ user["x"] }}', "default": "-"}}, fallback(is_own=False)
    )
    rendered = do(content, values)
    assert rendered.length == character_length(rendered.text)
    assert rendered.text == f"{rendered.variables['a']}{rendered.variables['b']}님"
    assert "\n" not in rendered.text
    if rendered.fallback:
        assert rendered.fallback_length == len(rendered.fallback.text.encode("cp949"))

"""The language of personalisation: what it knows, and that it knows nothing else."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.message.content import content_of
from campaigns.message.personalise import BadVariable, parse, parse_template_text, used_fields
from campaigns.message.values import as_text, one_line

NOW = datetime(2026, 11, 20, 15, 5, tzinfo=UTC)  # 2026-11-21 00:05 in Seoul, a Saturday

READ = [
    ("", {}, ""),
    ("plain", {}, "plain"),
    ('{{ user["name"] | default: "고객" }}님', {"name": "서연"}, "서연님"),
    ('{{ user["name"] | default: "고객" }}님', {}, "고객님"),
    ('{{ user["name"] | default: "고객" }}님', {"name": "  "}, "고객님"),
    ('{{ user["name"] }}님', {}, "님"),
    ("{{user['name']}}", {"name": "서연"}, "서연"),
    ("{{ user [ 'name' ]|default:'a' }}", {}, "a"),
    ("{{\n user['name']\n}}", {"name": "서연"}, "서연"),
    ('{{ csv["쿠폰 번호"] }}', {"쿠폰 번호": "A-1"}, "A-1"),
    ("""{{ user["it's"] }}{{ user['say "hi"'] }}""", {"it's": "1", 'say "hi"': "2"}, "12"),
    ('{{ user["}}"] }}', {"}}": "x"}, "x"),
    ('{{ user["name"] | default: "{{ x }}" }}', {}, "{{ x }}"),
    ('{{ user["name"] }}', {"name": '{{ user["name"] }} #{x} %s {0}'}, '{{ user["name"] }} #{x} %s {0}'),
    ('{{ user["$user_id"] }}', {"$user_id": "u-1"}, "u-1"),
    ('{{ user["$email"] }}', {"$email": "a@b.kr"}, "a@b.kr"),
    ('{{ user["$phone_number"] }}', {"$phone_number": "+821012345678"}, "01012345678"),
    ('{{ user["a"] }}{{ user["a"] }}', {"a": 3.0}, "33"),
    ("a }} b { c } #{d} %s {0}", {}, "a }} b { c } #{d} %s {0}"),
    ('{{ "now" | date: "%Y-%m-%d", "Asia/Seoul" }}', {}, "2026-11-21"),
    ('{{ "now" | date: "%Y-%m-%d", "UTC" }}', {}, "2026-11-20"),
    ('{{ "now" | date: "%y년 %-m월 %-d일 (%a) %H:%M, %-H시 100%%" }}', {}, "26년 11월 21일 (토) 00:05, 0시 100%"),
]


@pytest.mark.parametrize(("text", "values", "expected"), READ)
def test_a_text_is_filled_in(text, values, expected):
    assert parse(text).render(values, NOW) == expected


REFUSED = [
    ("{{ user.name }}", "dotted", 3, 'user["name"]'),
    ("안녕 {{ name }}", "unknown_category", 6, 'user["name"]'),
    ('{{ profile["x"] }}', "unknown_category", 3, "user["),
    ('{{ user["x"', "unclosed", 0, "}}"),
    ('가{{ user["x"] }', "unclosed", 1, "}}"),
    ("{{", "unclosed", 0, "}}"),
    ("{{ }}", "expected_variable", 3, "user["),
    ("{{ 7*7 }}", "unknown_category", 3, "user["),
    ('{{ "text" }}', "expected_variable", 3, "user["),
    ("{% if x %}", "tag", 0, "default"),
    ("{{ user[“x”] }}", "curly_quotes", 8, '"'),
    ("{{ user[name] }}", "unquoted", 8, 'user["name"]'),
    ("{{ user[0] }}", "unquoted", 8, 'user["0"]'),
    ('{{ user[""] }}', "no_name", 8, "255"),
    ('{{ user["' + "a" * 256 + '"] }}', "no_name", 8, "255"),
    ('{{ user["x" }}', "syntax", 12, "]"),
    ("{{ user }}", "syntax", 8, "user"),
    ('{{ user["x"] | upcase }}', "unknown_filter", 15, "default"),
    ('{{ user["x"] | default }}', "syntax", 23, "default"),
    ('{{ user["x"] | default: 고객 }}', "unquoted", 24, 'default: "고객"'),
    ('{{ user["x"] | }}', "syntax", 15, "default"),
    ('{{ user["x"] | default: "a" | default: "b" }}', "default_twice", 30, "default"),
    ('{{ user["x"] | date: "%Y" }}', "unknown_filter", 15, "default"),
    ('{{ user["x"] "y" }}', "unexpected", 13, "}}"),
    ('{{ device["a"] }}', "unsupported", 3, "device"),
    ('{{ event["a"] }}', "unsupported", 3, "event"),
    ('{{ user["x"].__class__ }}', "unexpected", 12, "}}"),
    ('{{ user["x"]["y"] }}', "unexpected", 12, "}}"),
    ("{{ user['x'] + user['y'] }}", "unexpected", 13, "}}"),
    ("{{ user.__class__.__mro__ }}", "dotted", 3, "user["),
    ("{{- user['x'] -}}", "unknown_category", 2, "user["),
    ('{{ "now" }}', "expected_variable", 9, "date"),
    ('{{ "now" | default: "x" }}', "unknown_filter", 11, "date"),
    ('{{ "now" | date: "%Q" }}', "date_pattern", 17, "%Q"),
    ('{{ "now" | date: "%" }}', "date_pattern", 17, "%"),
    ('{{ "now" | date: "%Y", "Mars" }}', "zone", 23, "Mars"),
    ('{{ "now" | date: "%Y", "../../etc/passwd" }}', "zone", 23, "Asia/Seoul"),
    ('{{ "now" | date: "%Y", "America" }}', "zone", 23, "Asia/Seoul"),
    ('{{ "now" | date: "%Y" | date: "%m" }}', "unexpected", 22, "}}"),
]


@pytest.mark.parametrize(("text", "code", "position", "advice"), REFUSED)
def test_anything_else_is_refused_with_its_place_and_what_to_write(text, code, position, advice):
    with pytest.raises(BadVariable) as caught:
        parse(text)
    assert (caught.value.code, caught.value.position) == (code, position)
    assert advice in str(caught.value)


SNIPPETS = st.sampled_from(
    [
        "{{",
        "}}",
        "{%",
        "user",
        "csv",
        "[",
        "]",
        '"',
        "'",
        "|",
        "default",
        ":",
        ",",
        "now",
        "date",
        "%Y",
        " ",
        "\n",
        "“",
        ".",
        "가",
    ]
)


@given(st.lists(SNIPPETS | st.text(max_size=3), max_size=25).map("".join))
@example("{{ user['" + "x" * 100_000)
@example("{{" * 10_000)
@example("{{ user" + " " * 50_000)
def test_any_text_is_read_or_refused(text):
    try:
        template = parse(text)
    except BadVariable as refusal:
        error = refusal
    else:
        error = None
    if error:
        assert 0 <= error.position <= len(text)
        return
    template.render({}, NOW)
    assert all(slot.category in ("user", "csv") for slot in template.slots)


@given(st.text().filter(lambda text: "{{" not in text and "{%" not in text))
def test_a_text_without_braces_stays_as_it_is(text):
    assert parse(text).render({}, NOW) == text


NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name.strip() and '"' not in name and "\n" not in name)
WORDS = st.text(max_size=20).filter(lambda text: '"' not in text and "\n" not in text)


@given(name=NAMES, default=WORDS, value=st.text(), before=WORDS, after=WORDS)
def test_a_value_goes_in_as_it_is_and_is_never_read_again(name, default, value, before, after):
    for brace in ("{{", "{%"):
        before, after = before.replace(brace, ""), after.replace(brace, "")
    before, after = before.rstrip("{"), after.lstrip("{")
    template = parse(f'{before}{{{{ user["{name}"] | default: "{default}" }}}}{after}')
    given_value = as_text(value) if name != "$phone_number" else as_text(value).replace("+82", "0", 1)
    if name != "$phone_number":
        assert template.render({name: value}) == before + (given_value or default) + after
    assert template.render({}) == before + default + after
    assert {(slot.category, slot.field) for slot in template.slots} == {("user", name)}


@given(st.text())
def test_a_value_with_braces_stays_text(value):
    template = parse('{{ user["a"] }}|{{ user["b"] }}')
    hostile = '{{ user["b"] }}#{b}' + value
    assert template.render({"a": hostile, "b": "!"}) == f"{as_text(hostile)}|!"


def test_values_can_be_shaped_without_touching_the_text():
    template = parse('가\n{{ user["x"] }}')
    assert template.render({"x": "나\n다"}, shape=one_line) == "가\n나 다"


def test_what_is_missing_is_told():
    template = parse('{{ user["a"] }}{{ user["b"] | default: "c" }}{{ user["d"] | default: "" }}')
    assert template.missing({}) == ("a", "d")
    assert template.missing({"a": 1, "d": []}) == ("d",)
    assert template.may_miss
    assert not parse('{{ user["b"] | default: "c" }}').may_miss
    assert template.fixed == ""


def test_places_are_known():
    (before, slot, after) = parse('가나{{ csv["x"] }}다').parts
    assert (before.start, slot.start, slot.end, after.start) == (0, 2, 16, 16)


# -- Texts of a template ----------------------------------------------------------------------------------------------
def test_a_templates_places_are_filled_once():
    template = parse_template_text("#{이름}님 #{번호} #{모름} {{ x }}", ["이름", "번호"])
    filled = template.render({"이름": "#{번호}", "번호": "6402", "모름": "?"})
    assert filled == "#{번호}님 6402 #{모름} {{ x }}"


@given(st.text(alphabet="#{}가 "))
def test_any_text_of_a_template_is_read(text):
    assert parse_template_text(text, []).render({}) == text


# -- What a message asks for ------------------------------------------------------------------------------------------
def test_used_fields():
    friendtalk = content_of(
        "friendtalk",
        {
            "text": '{{ user["b"] }} {{ user.broken }}',
            "buttons": [{"name": "{{ user['no'] }}", "mobile_url": "https://a.kr/{{ user['$user_id'] }}"}],
            "fallback": {"kind": "lms", "text": "{{ csv['c'] }}", "subject": "{{ user['s'] }}"},
        },
    )
    assert used_fields(friendtalk) == ("$user_id", "c", "s")
    alimtalk = {"variables": [{"name": "v", "text": "{{ user['x'] }}"}]}
    assert used_fields(content_of("alimtalk", alimtalk)) == ("x",)
    kakao_text = {"text": "{{ user['a'] }}", "fallback": {"is_own": False, "text": "{{ user['kept'] }}"}}
    assert used_fields(content_of("friendtalk", kakao_text)) == ("a",)
    assert used_fields(content_of("text", {"kind": "sms", "text": "{{ user['a'] }}", "title": "{{ user['t'] }}"})) == (
        "a",
    )
    assert used_fields(content_of("text", {"kind": "lms", "text": "a", "title": "{{ user['t'] }}"})) == ("t",)

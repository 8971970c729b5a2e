"""The language of personalisation."""

import pytest

from campaigns.personalise import BadVariable, parse

READ = [
    ("plain", {}, "plain"),
    ('{{ user["name"] | default: "고객" }}님', {"name": "서연"}, "서연님"),
    ('{{ user["name"] | default: "고객" }}님', {}, "고객님"),
    ("{{user['name']}}", {"name": "서연"}, "서연"),
    ('{{ csv["쿠폰 번호"] }}', {"쿠폰 번호": "A-1"}, "A-1"),
    ('{{ user["name"] }}', {"name": '{{ user["name"] }} #{x} %s {0}'}, '{{ user["name"] }} #{x} %s {0}'),
    ('{{ user["$phone_number"] }}', {"$phone_number": "+821012345678"}, "01012345678"),
]


@pytest.mark.parametrize(("text", "values", "expected"), READ)
def test_a_text_is_filled_in(text, values, expected):
    assert parse(text).render(values) == expected


REFUSED = [
    ("{{ user.name }}", "dotted", 3),
    ("안녕 {{ name }}", "unknown_category", 6),
    ('{{ user["x"', "unclosed", 0),
    ("{% if x %}", "tag", 0),
    ("{{ user[“x”] }}", "curly_quotes", 8),
    ("{{ user[name] }}", "unquoted", 8),
    ('{{ user["x"] | upcase }}', "unknown_filter", 15),
    ('{{ device["a"] }}', "unsupported", 3),
    ('{{ user["x"].__class__ }}', "unclosed", 0),
]


@pytest.mark.parametrize(("text", "code", "position"), REFUSED)
def test_anything_else_is_refused_with_its_place(text, code, position):
    with pytest.raises(BadVariable) as caught:
        parse(text)
    assert (caught.value.code, caught.value.position) == (code, position)

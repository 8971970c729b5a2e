"""A person's value as it reads in a message."""

import unicodedata
from decimal import Decimal
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.message.values import as_text, national, one_line, url_part


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("서연", "서연"),
        ("  서연 ", "서연"),
        ("", ""),
        (" \n ", ""),
        (None, ""),
        (3, "3"),
        (3.0, "3"),
        (3.50, "3.5"),
        (-0.0, "0"),
        (12480, "12480"),
        (1e20, "100000000000000000000"),
        (1.5e-7, "0.00000015"),
        (0, "0"),
        (True, "예"),
        (False, "아니요"),
        (Decimal("2.10"), "2.1"),
        (float("nan"), ""),
        (float("inf"), ""),
        ({"a": 1}, ""),
        ([], ""),
        (["빵", "우유"], "빵, 우유"),
        (["빵", None, "", 2.0, ["x"], {"y": 1}], "빵, 2"),
        ("가\r\n나\u2028다", "가\n나\n다"),
        ("가\t나", "가 나"),
        ("가\x00\x1b[31m나", "가[31m나"),
        ("\u202e가\u200b나\ufeff", "가나"),
        ("가\ud800", "가"),
        ("\u1112\u1161\u11ab", "한"),
        ('{{ user["x"] }} #{y} %s {0}', '{{ user["x"] }} #{y} %s {0}'),
    ],
)
def test_a_value_as_text(value, expected):
    assert as_text(value) == expected


def test_a_number_that_nobody_can_read_says_nothing():
    assert as_text(10**5000) == ""
    assert as_text(-(10**30)) == "-1" + "0" * 30


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(alphabet="e\u0301\u200b\u202e \n\x00가\u11a8"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_any_value_becomes_text_fit_to_send(value):
    text = as_text(value)
    assert as_text(text) == text
    assert unicodedata.is_normalized("NFC", text)
    assert not any(unicodedata.category(character) == "Cc" and character != "\n" for character in text)
    text.encode()


@given(st.text())
def test_a_value_stays_in_its_place_in_a_link(text):
    value = as_text(text)
    link = urlsplit(f"https://hrtb.kr/p/{url_part(value)}?a=1#end")
    assert (link.netloc, link.query, link.fragment) == ("hrtb.kr", "a=1", "end")
    assert unquote(link.path) == f"/p/{value}"


def test_one_line():
    assert one_line("가\n 나") == "가 나"
    assert one_line("가  나") == "가  나"


def test_a_phone_number_reads_as_people_write_it():
    assert national("+821012345678") == "01012345678"
    assert national("+4912345") == "+4912345"

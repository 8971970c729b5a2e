"""What Mixpanel may say, and what we make of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.http import BadAnswer
from integrations.mixpanel import schemas
from integrations.mixpanel.schemas import (
    MeProject,
    PropertyInfo,
    Region,
    Row,
    ServiceAccountInfo,
    parse_cohorts,
    parse_count,
    parse_me,
    parse_page,
    parse_properties,
    parse_service_account,
    read_json,
)


def raw(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'{"a": "x\u0000y", "b\u0000": ["\u0000"]}', {"a": "xy", "b": [""]}),
        (rb'["\ud800", "a\udfffb", "\ud83d\ude00"]', ["\ufffd", "a\ufffdb", "😀"]),
        (rb'["\ud800\u0000"]', ["\ufffd"]),
        (rb'["\\u0000", "\u0000", "\\ud800"]', [r"\u0000", "", r"\ud800"]),
        (rb'["\\ud83d\ude00", "\\\ud800"]', ["\\ud83d\ufffd", "\\\ufffd"]),
        (rb'["\ud83d\u0000\ude00", "\uD83D\uDE00\uDE00"]', ["\ufffd\ufffd", "😀\ufffd"]),
        (b"[NaN, Infinity, -Infinity, 1e999]", [None, None, None, None]),
        (
            b"[12345678901234567890123, -12345678901234567890123]",
            ["12345678901234567890123", "-12345678901234567890123"],
        ),
        (b'{"a":99999999999999999999}', {"a": "99999999999999999999"}),
        (b"[9223372036854775807, 821012345678]", [9223372036854775807, 821012345678]),
        (b"[" + b"7" * 5000 + b"]", ["7" * 5000]),
        (b'["12345678901234567890123"]', ["12345678901234567890123"]),
        (b'["\xff\xfe"]', ["\ufffd\ufffd"]),
        (b'["a\x00b\nc"]', ["ab\nc"]),
        (b"\xef\xbb\xbf[1]", [1]),
        ('["김민수"]'.encode(), ["김민수"]),
    ],
)
def test_values_come_out_clean(body: bytes, value: Any) -> None:
    assert read_json(body) == value


PIECES = ["\\\\", "\\n", "u0000", "\\u0000", "\\ud83d", "\\ude00", "\\uDBFF", "\\uac00", "ud800", "김", "a", '\\"']


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_the_fast_reader_reads_what_the_careful_one_reads(pieces: list[str]) -> None:
    body = '{{"k": ["{}", 1]}}'.format("".join(pieces)).encode()
    value = read_json(body)
    assert value == schemas._read_carefully(body)
    text = value["k"][0]
    assert "\x00" not in text
    text.encode()  # No half of a pair is left.


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b'{"a": ', b"OK", b"[" * 100_000, b"{}{}"])
def test_what_is_no_json_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_json(body)


def test_a_cohort_list() -> None:
    long_name = "<b>" + "가" * 10_000
    cohorts = parse_cohorts(
        raw(
            [
                {"id": 7001, "name": "Trial, day 3", "description": "d", "count": 412,
                 "created": "2026-02-03 09:15:27", "is_visible": 1, "project_id": 1, "data_group_id": None},
                {"id": "7002", "name": None, "description": None, "count": None, "is_visible": False},
                {"id": 7003, "name": long_name, "count": -1, "is_visible": 0, "data_group_id": "99"},
                {"id": 7004, "name": 5, "count": "17", "is_visible": True, "data_group_id": 0},
                {"id": 7001, "name": "again"},
                {"id": True}, {"id": None}, {"name": "no id"}, "text", None, {"id": "abc"}, {"id": 10**30},
            ]
        )
    )  # fmt: skip
    assert [cohort.id for cohort in cohorts] == [7001, 7002, 7003, 7004]
    assert [cohort.name for cohort in cohorts] == ["Trial, day 3", "", long_name, "5"]
    assert [cohort.count for cohort in cohorts] == [412, None, None, 17]
    assert [cohort.is_visible for cohort in cohorts] == [True, False, False, True]
    assert [cohort.is_group for cohort in cohorts] == [False, False, True, True]
    assert (cohorts[0].description, cohorts[0].created) == ("d", "2026-02-03 09:15:27")
    assert parse_cohorts(b"[]") == []


@pytest.mark.parametrize("body", [b"{}", b'{"results": []}', b"null", b'"x"'])
def test_a_cohort_list_that_is_no_list(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_cohorts(body)


def test_a_page_with_every_kind_of_row() -> None:
    page = parse_page(
        raw(
            {
                "page": 0, "page_size": 1000, "session_id": "s-1", "status": "ok", "total": 14,
                "results": [
                    {"$distinct_id": "user-17", "$properties": {"$phone": 15550100018, "tags": ["a"], "$email": None}},
                    {"$distinct_id": 42, "$properties": {}},
                    {"$distinct_id": 42.0},
                    {"$distinct_id": "$device:1f2e", "$properties": "odd"},
                    {"$distinct_id": "x" * 255, "$properties": [1]},
                    {"$distinct_id": 10**25, "$properties": None},
                    {"$properties": {"$email": "a@example.com"}},
                    {"$distinct_id": ""}, {"$distinct_id": "  "}, {"$distinct_id": "\u0000"},
                    {"$distinct_id": None}, {"$distinct_id": True}, {"$distinct_id": ["a"]}, "row",
                ],
            }
        ),
        asked=0,
    )  # fmt: skip
    assert page.rows == [
        Row("user-17", {"$phone": 15550100018, "tags": ["a"], "$email": None}),
        Row("42", {}),
        Row("42", {}),
        Row("$device:1f2e", {}),
        Row("x" * 255, {}),
        Row("1" + "0" * 25, {}),
    ]
    assert (page.refused, page.received) == (8, 14)
    assert (page.page, page.page_size, page.session_id, page.total) == (0, 1000, "s-1", 14)


def test_a_later_page_may_leave_out_nearly_everything() -> None:
    page = parse_page(b'{"results": [], "session_id": "", "page_size": 0}', asked=3)
    assert (page.page, page.page_size, page.session_id, page.total, page.rows) == (3, None, None, None, [])


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"results": {}}', b'{"results": null}', b'{"error": "x"}', b'{"page": 0, "results": []}'],
)
def test_a_page_that_is_none_or_another(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_page(body, asked=1)


def test_deep_properties_end_somewhere() -> None:
    body = (
        b'{"results": [{"$distinct_id": "a\\u0000", "$properties": {"n": NaN, "p": ' + b"[" * 400 + b"]" * 400 + b"}}]}"
    )
    value: Any = parse_page(body, asked=0).rows[0].properties["p"]
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth < 100


def test_me() -> None:
    me = parse_me(
        raw(
            {
                "status": "ok",
                "results": {
                    "projects": {
                        "1000001": {"name": "Prod", "domain": "eu.mixpanel.com", "type": "PROJECT", "role": "Analyst"},
                        "1000002": {"name": "Test", "domain": "", "type": 1},
                        "1000003": {"domain": "mars.mixpanel.com", "role": {"id": 3, "name": "consumer"}},
                        "1000004": {"name": "US", "domain": "mixpanel.com"},
                        "1000005": {"name": "IN", "domain": "in.mixpanel.com"},
                        "odd": {"name": "no number"},
                        "1000006": None,
                    }
                },
            }
        )
    )
    assert me.projects == {
        1000001: MeProject("Prod", Region.EU, "analyst", "PROJECT"),
        1000002: MeProject("Test", Region.US, None, "1"),
        1000003: MeProject("", None, "consumer", ""),
        1000004: MeProject("US", Region.US, None, ""),
        1000005: MeProject("IN", Region.IN, None, ""),
    }
    for body in (b"[]", b"{}", b'{"results": []}', b'{"results": {"projects": []}}'):
        with pytest.raises(BadAnswer):
            parse_me(body)


def test_properties_come_most_frequent_first() -> None:
    found = parse_properties(
        raw({"results": {"plan": {"count": 800, "type": "string"}, "$email": {"count": 1200, "type": "string"},
                         "odd": None, "a": {}}})
    )  # fmt: skip
    assert found == [
        PropertyInfo("$email", 1200, "string"),
        PropertyInfo("plan", 800, "string"),
        PropertyInfo("a", 0, "unknown"),
    ]
    with pytest.raises(BadAnswer):
        parse_properties(b'{"results": []}')


def test_a_count() -> None:
    assert parse_count(b'{"results": 412, "status": "ok"}') == 412
    assert parse_count(b'{"results": 412.0}') == 412
    for body in (b'{"results": null}', b'{"results": "many"}', b'{"results": -1}', b'{"results": true}', b"412"):
        with pytest.raises(BadAnswer):
            parse_count(body)


def test_the_own_service_account() -> None:
    body = raw(
        {"results": [
            {"username": "other", "role": "owner"},
            {"username": "me", "role": "analyst", "expires": "2026-03-01T00:00:00", "hasSensitiveAccess": False},
        ]}
    )  # fmt: skip
    own = parse_service_account(body, "me")
    assert own == ServiceAccountInfo("analyst", datetime(2026, 3, 1, tzinfo=UTC), False)
    assert parse_service_account(body, "nobody") is None
    odd = raw({"results": [{"username": "me", "role": None, "expires": "never", "hasSensitiveAccess": 1}]})
    assert parse_service_account(odd, "me") == ServiceAccountInfo(None, None, None)


def test_regions(settings: Any) -> None:
    settings.MIXPANEL_API_URL = ""
    assert [region.base for region in Region] == [
        "https://mixpanel.com/api",
        "https://eu.mixpanel.com/api",
        "https://in.mixpanel.com/api",
    ]
    settings.MIXPANEL_API_URL = "http://127.0.0.1:9400/"
    assert Region.US.base == "http://127.0.0.1:9400/api"
    assert Region.IN.base == "http://127.0.0.1:9400/in/api"

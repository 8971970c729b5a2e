"""The condition language: what is read, what is refused with its place, and how it is said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohorts.groups.conditions import Definition, InCohort, definition_of, in_words

GOOD: list[tuple[dict[str, Any], str]] = [
    ({"kind": "cohort", "cohort": 7}, "코호트 ‘VIP’에 있음"),
    ({"kind": "cohort", "cohort": 7, "is_in": False}, "코호트 ‘VIP’에 없음"),
    ({"kind": "cohort", "cohort": 8}, "코호트 ‘삭제된 코호트’에 있음"),
    ({"kind": "group", "group": "a" * 32}, "유저 그룹 ‘단골’에 있음"),
    ({"kind": "sync", "cohort": 7, "joined": True, "days": 7}, "최근 7일 안에 코호트 ‘VIP’에 들어옴"),
    ({"kind": "contact", "what": "phone", "has": True}, "문자를 받을 수 있는 전화번호 있음"),
    ({"kind": "contact", "what": "email", "has": False}, "이메일 없음"),
    ({"kind": "consent", "what": "night", "given": False}, "야간 광고 수신 동의하지 않음"),
    (
        {"kind": "property", "name": "총 구매액", "type": "number", "operator": ">=", "value": "30,000"},
        "총 구매액 30000 이상",
    ),
    ({"kind": "property", "name": "등급", "type": "text", "operator": "=", "value": "VIP"}, "등급 ‘VIP’ 일치"),
    ({"kind": "property", "name": "가입", "type": "boolean", "operator": "=", "value": True}, "가입 참 일치"),
    ({"kind": "property", "name": "쿠폰", "type": "list", "operator": "missing"}, "쿠폰 존재하지 않음"),
]
BAD: list[tuple[Any, str]] = [
    (None, "unknown_condition"),
    ({"kind": "python"}, "unknown_condition"),
    ({"kind": "cohort"}, "no_cohort"),
    ({"kind": "cohort", "cohort": "7"}, "no_cohort"),
    ({"kind": "cohort", "cohort": True}, "no_cohort"),
    ({"kind": "cohort", "cohort": 2**70}, "no_cohort"),
    ({"kind": "group", "group": "../etc"}, "no_group"),
    ({"kind": "sync", "cohort": 7, "days": 0}, "no_days"),
    ({"kind": "sync", "cohort": 7, "days": 366}, "no_days"),
    ({"kind": "contact", "what": "fax"}, "no_contact"),
    ({"kind": "consent", "what": "tea"}, "no_consent"),
    ({"kind": "property", "name": " \0", "operator": "="}, "no_name"),
    ({"kind": "property", "name": "n" * 256, "operator": "="}, "long_name"),
    ({"kind": "property", "name": "n", "operator": "=", "type": "date"}, "no_type"),
    ({"kind": "property", "name": "n", "operator": ">", "type": "text", "value": "1"}, "no_operator"),
    ({"kind": "property", "name": "n", "operator": "=", "type": "text", "value": " "}, "no_value"),
    ({"kind": "property", "name": "n", "operator": "=", "type": "text", "value": "v" * 256}, "long_value"),
    ({"kind": "property", "name": "n", "operator": "=", "type": "number", "value": "many"}, "no_number"),
    ({"kind": "property", "name": "n", "operator": "=", "type": "number", "value": "NaN"}, "no_number"),
    ({"kind": "property", "name": "n", "operator": "=", "type": "number", "value": "1e99999999"}, "no_number"),
    ({"kind": "property", "name": "n", "operator": "=", "type": "boolean", "value": "maybe"}, "no_boolean"),
]


@pytest.mark.parametrize(("stored", "words"), GOOD)
def test_a_condition_is_said_in_words(stored: dict[str, Any], words: str) -> None:
    definition = definition_of({"segments": [[stored]]})
    assert not definition.problems
    assert in_words(definition.segments[0][0], {7: "VIP", "a" * 32: "단골"}) == words


@pytest.mark.parametrize(("stored", "words"), GOOD)
def test_a_definition_is_read_as_it_was_stored(stored: dict[str, Any], words: str) -> None:
    definition = definition_of({"segments": [[stored]], "filters": [stored]})
    assert definition_of(definition.as_json()) == definition


@pytest.mark.parametrize(("stored", "code"), BAD)
def test_what_cannot_be_used_is_named_with_its_place(stored: Any, code: str) -> None:
    good = {"kind": "cohort", "cohort": 7}
    definition = definition_of({"segments": [[good], [good, stored]], "filters": [stored]})
    assert [(problem.where, problem.code) for problem in definition.problems] == [
        (("segments", 1, 1), code),
        (("filters", 0), code),
    ]
    assert definition.segments == ((InCohort(7),), (InCohort(7),))


def test_an_empty_definition_asks_for_a_segment() -> None:
    assert [problem.code for problem in definition_of({}).problems] == ["no_segment"]
    assert [problem.code for problem in definition_of({"segments": [[]]}).problems] == ["empty_segment"]


def test_there_is_an_end_to_segments_and_conditions() -> None:
    one = {"kind": "cohort", "cohort": 7}
    assert [problem.code for problem in definition_of({"segments": [[one]] * 11}).problems] == ["too_many_segments"]
    assert [problem.code for problem in definition_of({"segments": [[one] * 31]}).problems] == ["too_many_conditions"]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["kind", "segments", "filters", "name"]), inner),
    max_leaves=12,
)


@given(json)
def test_nothing_that_is_posted_raises(stored: Any) -> None:
    assert isinstance(definition_of(stored), Definition)
    assert isinstance(definition_of({"segments": stored, "filters": [stored]}), Definition)

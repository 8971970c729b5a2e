"""What counts as consent to advertising, and what doesn't."""

import pytest
from hypothesis import given

from notifly_console.lib.consent import is_answer, is_given
from tests.notifly_console.lib.test_phone import JSON


@pytest.mark.parametrize(
    "value",
    [True, 1, 1.0, "true", "True", " TRUE ", "1", "yes", "Y", "y", "Ｙ", "t", "O", "동의", " 동의함 ", "수신 동의",
     "예", "agreed", "opt-in", "subscribed"],
    ids=repr,
)  # fmt: skip
def test_what_plainly_says_yes_is_consent(value):
    assert is_given(value) is True
    assert is_answer(value) is True


@pytest.mark.parametrize(
    "value",
    [False, 0, 0.0, None, "", " ", "false", "N", "no", "미동의", "동의 안 함", "비동의", "거부", "수신거부", "철회",
     "opt-out", "unsubscribed"],
    ids=repr,
)  # fmt: skip
def test_what_says_no_is_none_and_still_an_answer(value):
    assert is_given(value) is False
    assert is_answer(value) is True


@pytest.mark.parametrize(
    "value",
    [2, -1, 1.5, float("nan"), 10**5000, "2", "11", "2026-11-25", "2026-11-25T09:00:00", "yes?", "동의?", "동의 여부",
     "부분 동의", "y" * 41, "확인 필요", [], [True], ["동의"], {}, {"동의": True}, "\ud800"],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) or value < 100 else "huge",
)  # fmt: skip
def test_everything_else_is_neither(value):
    assert is_given(value) is False
    assert is_answer(value) is False


@given(JSON)
def test_whatever_is_consent_is_an_answer(value):
    assert is_answer(value) or not is_given(value)

"""Whether a property says that somebody consented. Only what plainly says yes counts: advertising needs prior, explicit
consent (정보통신망법 제50조 ①), so whatever is missing, empty or in other words is none."""

import unicodedata
from typing import Any

YES = frozenset({
    "true", "1", "yes", "y", "t", "o", "on", "agree", "agreed", "accepted", "consented", "granted",
    "opt-in", "opt_in", "optin", "opted-in", "opted_in", "subscribed",
    "동의", "동의함", "동의합니다", "동의 함", "수신", "수신함", "수신동의", "수신 동의", "허용", "예", "네",
})  # fmt: skip
NO = frozenset({
    "", "false", "0", "no", "n", "f", "x", "off", "none", "null", "disagree", "denied", "refused", "rejected",
    "revoked", "withdrawn", "opt-out", "opt_out", "optout", "opted-out", "opted_out", "unsubscribed",
    "미동의", "동의안함", "동의 안함", "동의 안 함", "동의하지 않음", "비동의", "거부", "수신거부", "수신 거부", "철회",
    "아니오", "아니요", "미수신",
})  # fmt: skip
"""Ways to say no. To consent they mean what any other value outside YES means; they tell a column of answers."""
LONGEST = 40
"""Characters looked at: no answer is longer."""


def is_given(value: Any) -> bool:
    """Whether a JSON value says yes. Never raises; a list, an object, a date and other numbers than 1 don't."""
    if type(value) is str:
        return value in YES or _plain(value) in YES
    return isinstance(value, int | float) and value == 1


def is_answer(value: Any) -> bool:
    """Whether a JSON value reads as a yes or a no at all: what tells a column of consents from others."""
    if type(value) is str:
        return _plain(value) in YES or _plain(value) in NO
    return value is None or (isinstance(value, int | float) and value in (0, 1))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:LONGEST]).strip().casefold()

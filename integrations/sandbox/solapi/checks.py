"""Whether the stand-in SOLAPI takes a message: the code of its documented status table for each that it refuses.

`check` is the hot path of sending: it runs once a message, for up to a million messages.
"""

import re
from collections.abc import Callable
from typing import Any

from integrations.sandbox.solapi.codes import ACCEPTED, ALIMTALK, NUMBER_OF, UNKNOWN_KIND
from integrations.sandbox.solapi.kakao_checks import check_alimtalk, check_brand
from integrations.sandbox.solapi.text_checks import BYTES_OF_SMS, Rules, check_text, text_bytes

RECIPIENT = re.compile(r"0[0-9]{8,10}|1[0-9]{7}")


def check(message: dict[str, Any], rules: Rules) -> tuple[int, int]:
    """The status code that this message is registered with, and the number of its kind.

    2000 means that it is taken. A kind that can't be told, or isn't sent here, is UNKNOWN_KIND.
    """
    to = message.get("to")
    kind = _kind(message)
    if kind == UNKNOWN_KIND:
        return 1025, kind
    if not to:
        return 1010, kind
    if type(to) is not str or RECIPIENT.fullmatch(to) is None:
        return 1011, kind
    if message.get("country", "82") not in ("82", None):
        return 1058, kind
    code = CHECKS[kind](message, rules, kind)
    if code != ACCEPTED:
        return code, kind
    fields = message.get("customFields")
    if fields and not _right_fields(fields):
        return 1032, kind
    account = rules.account
    if to in account.blocked:
        return 1060, kind
    if to.endswith("0004") or (kind != ALIMTALK and to in account.opted_out):
        return 1061, kind
    if rules.broke:
        return 1030, kind
    return ACCEPTED, kind


def _kind(message: dict[str, Any]) -> int:
    """The kind that is asked for, or that `autoTypeDetect` (on unless told) makes of the message."""
    given = message.get("type")
    kind = UNKNOWN_KIND if given is None else NUMBER_OF.get(str(given).upper(), UNKNOWN_KIND)
    if message.get("autoTypeDetect", True) in (False, 0) or (kind != 0 and given is not None):
        return kind
    kakao = message.get("kakaoOptions")
    if given is None and isinstance(kakao, dict) and kakao.get("pfId"):
        return 4 if kakao.get("bms") and not kakao.get("templateId") else 3
    if message.get("imageId"):
        return 2
    text = message.get("text")
    if message.get("subject") and given is None:
        return 1
    return 1 if isinstance(text, str) and text_bytes(text) > BYTES_OF_SMS else 0


def _right_fields(fields: Any) -> bool:
    return isinstance(fields, dict) and all(
        len(name) <= 30 and type(value) is str and len(value) <= 100 for name, value in fields.items()
    )


CHECKS: tuple[Callable[[dict[str, Any], Rules, int], int], ...] = (
    check_text,
    check_text,
    check_text,
    check_alimtalk,
    check_brand,
)

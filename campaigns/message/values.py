"""A person's value as it reads in a message."""

import math
import re
import unicodedata
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from campaigns.message.characters import tidy

YES, NO = "예", "아니요"
"""How true and false are written: a message speaks Korean whatever language the console is read in."""

_SPACES = re.compile(r"[\t\u00a0\u1680\u2000-\u200a\u202f\u205f]")
_UNSEEN = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def as_text(value: Any) -> str:
    """A JSON value as it reads in a message; "" where it says nothing (null, empty, blank, an object, not a number).

    Numbers are written without an exponent and 3.0 as 3, lists joined by commas, true and false as 예 and 아니요.
    Control characters and marks that change the direction of writing are removed, line breaks made one kind."""
    if isinstance(value, str):
        text: str = value
        if not text.isprintable():
            text = tidy(_UNSEEN.sub("", _SPACES.sub(" ", text)))
        elif not text.isascii():
            text = unicodedata.normalize("NFC", text)
        return text.strip()
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, (list, tuple)):
        items = [as_text(item) for item in value if not isinstance(item, (list, tuple))]
        return ", ".join(item for item in items if item)
    return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 128 else ""
    if isinstance(value, Decimal):
        value = float(value)
    if not isinstance(value, float) or not math.isfinite(value):
        return ""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return format(Decimal(repr(value)), "f")


def one_line(text: str) -> str:
    """`text` without line breaks, for where a channel allows none."""
    return " ".join(text.split()) if "\n" in text else text


def url_part(text: str) -> str:
    """`text` as a piece of a link: it can add to a path or a query, never leave its place there."""
    return quote(text, safe="")


def national(phone: str) -> str:
    """A Korean E.164 number as people read it: 01012345678."""
    return "0" + phone[3:] if phone.startswith("+82") else phone

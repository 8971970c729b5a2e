"""How a phone number and an e-mail address look to somebody who may not see them whole."""

import re
import unicodedata
from typing import Any

_EMAIL = re.compile(r"[^\s@<>\"',;:()\[\]]{1,64}@[^\s@<>\"',;:()\[\]]{1,255}\.[^\s@<>\"',;:()\[\].]{2,63}")
_PHONE = re.compile(
    r"(?<![\w.-])(?:\+?82[\s.)-]{0,3}(?:\(0\)|0)?|0)\(?\d{1,3}[\s.)-]{0,2}\d{3,4}[\s.-]{0,2}\d{4}(?![\w-])"
    r"|(?<![\w.])\+\d[\d\s().-]{6,18}\d(?!\w)"
)
DIGITS_SHOWN = 4


def mask_phone(text: str) -> str:
    """`010-****-4821` for a Korean mobile number in any spelling; for others everything but the last four digits is
    hidden. Too little to tell whose it is, enough to compare with what a customer says on the telephone."""
    digits = re.sub(r"\D", "", text)
    if digits.startswith("82") and len(digits) >= 11:
        digits = "0" + digits[2:].removeprefix("0")
    if len(digits) <= DIGITS_SHOWN:
        return "*" * max(len(digits), 1)
    if digits.startswith("01") and len(digits) in (10, 11):
        return f"{digits[:3]}-{'*' * (len(digits) - 7)}-{digits[-DIGITS_SHOWN:]}"
    return "*" * (len(digits) - DIGITS_SHOWN) + digits[-DIGITS_SHOWN:]


def mask_email(text: str) -> str:
    """`s*****n@mail.example`: how long the name is isn't told."""
    name, at, domain = text.rpartition("@")
    if not at:
        return "*****"
    ends = f"{name[0]}*****{name[-1]}" if len(name) > 2 else "*****"
    return f"{ends}@{domain}"


def mask_contacts(text: str) -> str:
    """`text` with whatever reads like a phone number or an e-mail address masked: ids and properties hold them, too."""
    masked = _masked(text)
    if masked == text and not text.isascii():
        # ０１０ is 010 to a reader, and so it is here.
        plain = unicodedata.normalize("NFKC", text)
        if (masked := _masked(plain)) == plain:
            return text
    return masked


def _masked(text: str) -> str:
    text = _EMAIL.sub(lambda found: mask_email(found[0]), text)
    return _PHONE.sub(lambda found: mask_phone(found[0]), text)


def mask_within(value: Any) -> Any:
    """A JSON value with every string and number in it (keys of objects, too) passed through `mask_contacts`."""
    if isinstance(value, str):
        return mask_contacts(value)
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        text = str(value)
        # A column of numbers loses the zero: 1012345678 is 010-1234-5678.
        masked = mask_phone(f"0{text}") if re.fullmatch(r"10\d{8}", text) else mask_contacts(text)
        return value if masked == text else masked
    if isinstance(value, list):
        return [mask_within(item) for item in value]
    return {mask_contacts(key): mask_within(item) for key, item in value.items()}

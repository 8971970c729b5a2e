"""Whether the stand-in SOLAPI takes an SMS, LMS or MMS: sender, characters, bytes, subject and picture."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from integrations.sandbox.solapi.catalogue import Account
from integrations.sandbox.solapi.codes import ACCEPTED, NUMBER_OF

BYTES_OF_SMS, BYTES_OF_LMS, BYTES_OF_SUBJECT = 90, 2_000, 40
SMS, MMS = NUMBER_OF["SMS"], NUMBER_OF["MMS"]
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a check needs to know besides the message: the account, and how strict to be."""

    account: Account
    rare_syllables: bool = False
    """Whether syllables of CP949 outside KS X 1001 pass."""
    broke: bool = False
    """Whether a message is refused for want of money already when it is registered."""


@lru_cache(maxsize=4096)
def text_bytes(text: str) -> int:
    """Length in CP949, which is what carriers count in; of what can't be encoded, one byte a character."""
    return len(text.replace("\r\n", "\n").encode("cp949", "replace"))


@lru_cache(maxsize=4096)
def unsendable(text: str, rare_syllables: bool) -> int:
    """1028 or 1029 when a character can't travel in a text message, else 0."""
    if UNPRINTABLE.search(text):
        return 1028
    try:
        wide = len(text.encode("cp949"))
        # Python's euc_kr spells a syllable outside KS X 1001 in eight bytes instead of failing.
        return 1029 if not rare_syllables and len(text.encode("euc_kr")) != wide else 0
    except UnicodeEncodeError:
        return 1029


def check_text(message: dict[str, Any], rules: Rules, kind: int) -> int:
    """An SMS, LMS or MMS."""
    sender, text = message.get("from"), message.get("text")
    if not sender or not text:
        return 1010
    if message.get("kakaoOptions"):
        return 1033
    if type(sender) is not str or type(text) is not str:
        return 1011
    if sender not in rules.account.numbers:
        return 1062
    subject = message.get("subject")
    refused = (_check_subject(subject, rules, kind) if subject else 0) or unsendable(text, rules.rare_syllables)
    if refused:
        return refused
    if text_bytes(text) > (BYTES_OF_SMS if kind == SMS else BYTES_OF_LMS):
        return 1031
    image = message.get("imageId")
    return ACCEPTED if kind != MMS and not image else _check_image(image, rules, kind)


def _check_subject(subject: Any, rules: Rules, kind: int) -> int:
    """The code of what is wrong with it, or 0."""
    if kind == SMS:
        return 1013
    if type(subject) is not str:
        return 1011
    return unsendable(subject, rules.rare_syllables) or (1014 if text_bytes(subject) > BYTES_OF_SUBJECT else 0)


def _check_image(image: Any, rules: Rules, kind: int) -> int:
    file = rules.account.files.get(str(image))
    return ACCEPTED if kind == MMS and file is not None and file["type"] == "MMS" else 1034


def own_text(text: Any, rules: Rules) -> int:
    if text is None:
        return ACCEPTED
    if type(text) is not str:
        return 1011
    return unsendable(text, rules.rare_syllables) or (1031 if text_bytes(text) > BYTES_OF_LMS else ACCEPTED)

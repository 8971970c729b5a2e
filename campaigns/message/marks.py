"""What the law wants to see on an ad: `(광고)` and the sender's name first, how to refuse for free last.

정보통신망법 제50조 ④ and its decree's 별표 6; the form is the regulator's guide (channels-kr §1.2). Only text messages
carry the marks as text: KakaoTalk draws its own from the ad flag and the channel's data.
"""

import re
from typing import NamedTuple, Protocol

from integrations.messaging import Kind

AD = "(광고)"
OPT_OUT = "무료수신거부"


class SenderRules(Protocol):
    """What is asked of a project's `Rules`."""

    @property
    def sender_name(self) -> str: ...
    @property
    def opt_out_number(self) -> str:
        """Digits."""


class Marks(NamedTuple):
    """The marks of a project's ads."""

    sender_name: str = ""
    opt_out_number: str = ""

    @property
    def head(self) -> str:
        """Stands before an ad's text."""
        return f"{AD}{self.sender_name}\n"

    @property
    def tail(self) -> str:
        """Stands after it."""
        return f"\n{OPT_OUT} {self.opt_out_number}"


def marks_of(rules: SenderRules) -> Marks:
    """A project's marks."""
    return Marks(rules.sender_name.strip(), re.sub(r"[^0-9]", "", rules.opt_out_number))


def with_marks(text: str, kind: str, rules: SenderRules) -> str:
    """The text of an ad as it goes out by `kind`. A Kakao message stays as it is."""
    if kind in (Kind.ALIMTALK, Kind.FRIENDTALK):
        return text
    marks = marks_of(rules)
    return f"{marks.head}{text}{marks.tail}"


def subject_with_mark(subject: str) -> str:
    """The title of an ad; no title stays none."""
    return f"{AD}{subject}" if subject else ""


_DISGUISED = re.compile(r"[(\[{<（［｛＜【〔〈《「『〖]\s*광[^0-9A-Za-z가-힣]*고\s*[)\]}>）］｝＞】〕〉》」』〗]")
_OPT_OUT_TYPED = re.compile(r"무료\s*(?:수신)?\s*거부")


def typed_mark(text: str) -> int | None:
    """Where the author has typed `(광고)`."""
    at = text.find(AD)
    return None if at < 0 else at


def disguised_mark(text: str) -> int | None:
    """Where a mark stands that is spelled to slip through a filter: `(광 고)`, `[광고]`, `(광/고)` (제50조 ⑤)."""
    return next((found.start() for found in _DISGUISED.finditer(text) if found[0] != AD), None)


def typed_opt_out(text: str) -> int | None:
    """Where the author has typed how to refuse."""
    found = _OPT_OUT_TYPED.search(text)
    return found.start() if found else None


def is_opt_out_number(number: str) -> bool:
    """Whether `number` is an 080 number in digits."""
    return re.fullmatch(r"080[0-9]{7,8}", number) is not None

"""What becomes of a message that was sent: decided by the last four digits of the number, so that a test can choose.

| ends in | Kakao message | SMS, LMS, MMS |
|---|---|---|
| 0001 | 4000 | 4000 |
| 0002 | 3104, no user of KakaoTalk | 4000 |
| 0003 | stays at 3000 | stays at 3000 |
| 0004 | refused with 1061 when it is registered | the same |
| 0005 | 3107 | 3040, no answer in time |

Of all others `failure_share` fail, the same ones every time. `Outcomes.of_numbers` overrules all of this.
"""

from datetime import datetime

from integrations.sandbox.chance import scattered
from integrations.sandbox.solapi.ids import KST

DELIVERED, ON_ITS_WAY, OUT_OF_HOURS = 4000, 3000, 3108
NO_MOBILE = 3010
SCRIPTED_KAKAO = {1: DELIVERED, 2: 3104, 3: ON_ITS_WAY, 5: 3107}
SCRIPTED_TEXT = {1: DELIVERED, 2: DELIVERED, 3: ON_ITS_WAY, 5: 3040}
FAILURES = {
    "text": (3040, 3043, 3032, 3047, 3040, 3043),
    "ATA": (3104, 3107, 3104, 3104),
    "BMS_FREE": (3102, 3102, 3102, 3104),
}
OPENS, CLOSES = (8, 0), (20, 50)


def kakao_is_closed(moment: float) -> bool:
    """Whether Kakao delivers no brand messages: before 08:00 and from 20:50, Korean time."""
    at = datetime.fromtimestamp(moment, KST)
    return not OPENS <= (at.hour, at.minute) < CLOSES


def outcome(number: int, kind: str, failure_share: float) -> int:
    """The final status code of a message of this kind to `number`, which is the digits after a 1 (see `packed`)."""
    ending = number % 10_000
    kakao = kind in ("ATA", "BMS_FREE")
    if 0 < ending < 6:
        scripted = (SCRIPTED_KAKAO if kakao else SCRIPTED_TEXT).get(ending)
        if scripted is not None:
            return scripted
    if not is_mobile(number):
        return 3104 if kakao else NO_MOBILE
    if not failure_share or scattered(number) >= failure_share:
        return DELIVERED
    codes = FAILURES[kind if kakao else "text"]
    return codes[number % len(codes)]


def packed(digits: str) -> int:
    """A number as an integer that keeps its leading zeros: 01012345678 becomes 101012345678."""
    return int("1" + digits)


def unpacked(number: int) -> str:
    """The digits again; empty for what was no number."""
    return str(number)[1:] if number else ""


def is_mobile(number: int) -> bool:
    """Whether it is a Korean mobile number."""
    return 101_000_000_000 <= number < 102_000_000_000 or 10_110_000_000 <= number < 10_200_000_000

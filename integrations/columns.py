"""Which properties of real profiles hold phones, e-mail addresses and consents: what the settings page offers."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.mixpanel.schemas import Row
from notifly_console.lib import consent, email, phone

MOST_OFFERED = 5
LEAST_SHARE = 0.01
"""A column that fewer profiles fill is a coincidence, not an offer."""
ANSWERED_SHARE = 0.95
LONGEST_NAME = 255
SHORTEST_PHONE = 9


@dataclass(frozen=True)
class Offer:
    """A column, and on how many of the sampled profiles its value can be used: for a phone column as a reachable
    mobile number, for an e-mail column as an address, for one of consent as a yes."""

    column: str
    filled: int
    sampled: int

    @property
    def percent(self) -> int:
        """0 to 100; 0 and 100 only where it is none and all."""
        if self.filled in (0, self.sampled):
            return 100 if self.filled else 0
        return min(99, max(1, round(100 * self.filled / self.sampled)))


def phone_columns(rows: Sequence[Row], current: str) -> list[Offer]:
    """The columns with reachable mobile numbers, the fullest first; `current` is among them even if nobody has it."""
    return _offers(rows, current, _is_reachable)


def email_columns(rows: Sequence[Row], current: str) -> list[Offer]:
    """The columns with e-mail addresses, the fullest first; `current` is among them even if nobody has it."""
    return _offers(rows, current, _is_address)


_SOUNDS_LIKE_CONSENT = re.compile(r"agree|consent|opt_?-?in|marketing|subscri|동의|수신|마케팅|광고", re.IGNORECASE)
_SOUNDS_LIKE_NIGHT = re.compile(r"night|야간|심야", re.IGNORECASE)


def consent_columns(rows: Sequence[Row], current: str, *, night: bool) -> list[Offer]:
    """The columns that hold hardly anything but answers of yes and no, with how many said yes. Those whose name speaks
    of consent (`night`: of the night) come first; `current`, if there is one, is among them."""
    yes: Counter[str] = Counter()
    given: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for row in rows:
        said = row.properties
        given.update(said.keys())
        answers.update(name for name, value in said.items() if consent.is_answer(value))
        yes.update(name for name, value in said.items() if len(name) <= LONGEST_NAME and consent.is_given(value))
    least = max(1, LEAST_SHARE * len(rows))
    usable = [name for name in yes if yes[name] >= least and answers[name] >= ANSWERED_SHARE * given[name]]

    def rank(name: str) -> tuple[bool, bool, int, str]:
        is_nightly = bool(_SOUNDS_LIKE_NIGHT.search(name))
        return (is_nightly is not night, not _SOUNDS_LIKE_CONSENT.search(name), -yes[name], name)

    offered = sorted(usable, key=rank)[:MOST_OFFERED]
    if current and current not in offered:
        offered.append(current)
    return [Offer(name, yes[name], len(rows)) for name in offered]


def _offers(rows: Sequence[Row], current: str, usable: Callable[[Any], bool]) -> list[Offer]:
    filled: Counter[str] = Counter()
    for row in rows:
        filled.update(name for name, value in row.properties.items() if usable(value) and len(name) <= LONGEST_NAME)
    least = max(1, LEAST_SHARE * len(rows))
    fullest = sorted(filled, key=lambda name: (-filled[name], name != current, name))
    offered = [name for name in fullest if filled[name] >= least][:MOST_OFFERED]
    if current not in offered:
        offered.append(current)
    return [Offer(name, filled[name], len(rows)) for name in offered]


def _is_reachable(value: Any) -> bool:
    # Nothing shorter is a mobile number, and most properties are shorter: the parser needn't see them.
    if isinstance(value, bool) or not isinstance(value, str | int | float | list) or len(str(value)) < SHORTEST_PHONE:
        return False
    return phone.normalise(value).e164 is not None


def _is_address(value: Any) -> bool:
    return isinstance(value, str | list) and "@" in str(value) and email.normalise(value).address is not None

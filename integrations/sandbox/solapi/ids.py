"""Ids and dates in SOLAPI's form. A message's id says which group it is in and where, so that none is looked up."""

import os
import re
from datetime import UTC, datetime, timedelta, timezone

KST = timezone(timedelta(hours=9), "KST")
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
PLACE = {letter: place for place, letter in enumerate(ALPHABET)}
PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
KEY_LENGTH = 11
MESSAGE_ID = re.compile(rf"M4V[0-9]{{14}}([{ALPHABET}]{{{KEY_LENGTH}}})([{ALPHABET}]{{4}})")


class Keys:
    """Keys of groups: one after the other, and others in another sandbox."""

    def __init__(self) -> None:
        self._own = "".join(ALPHABET[byte % 32] for byte in os.urandom(KEY_LENGTH - 6))
        self._last = 0

    def next(self) -> str:
        """The next key. Call it under a lock."""
        self._last += 1
        high, low = divmod(self._last, 1024 * 1024)
        return self._own + PAIRS[high % 1024] + pair_of_pairs(low)


def pair_of_pairs(number: int) -> str:
    """Four letters for a number below 2**20; their order is that of the numbers."""
    return PAIRS[number >> 10] + PAIRS[number & 1023]


def place_in_group(message_id: str) -> tuple[str, int] | None:
    """The key of its group and its place in it; None when it is no id of ours."""
    found = MESSAGE_ID.fullmatch(message_id)
    if found is None:
        return None
    place = 0
    for letter in found[2]:
        place = place * 32 + PLACE[letter]
    return found[1], place


def korean_stamp(moment: float) -> str:
    """`20260105093000`, Korean time, as it is part of every id."""
    return datetime.fromtimestamp(moment, KST).strftime("%Y%m%d%H%M%S")


def as_iso(moment: float | None) -> str | None:
    """`2026-01-05T00:30:00.000Z`."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: object) -> float:
    """Seconds since 1970 of an ISO 8601 date; one without a zone is in UTC. Raises ValueError."""
    moment = datetime.fromisoformat(str(text).replace(" ", "+").replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

"""A crowd of any size from a seed: each person is computed from an index when asked for, and never stored.

Deterministic: the same seed and index give the same person in every process. A person is `(distinct_id, properties)`;
`rows()` renders people as the bytes that go into a page of `/engage`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from integrations.sandbox.accounts import MARKETING_CONSENT, NIGHT_CONSENT
from integrations.sandbox.persona import (
    ANONYMOUS_PLACE,
    CITIES,
    CLOCK_TIMES,
    DAYS,
    FIRST_INTEGER_ID,
    GIVEN_NAMES,
    PLANS,
    QUIRKS,
    SURNAMES,
    TAGS,
    distinct_id,
)
from integrations.sandbox.phones import KINDS, MISSING, SPREAD, PhoneKind

MASK = 0xFFFF_FFFF_FFFF_FFFF
NUMBERS = 80_000_000
"""010-2000-0000 up to 010-9999-9999: numbers that begin with 0 or 1 after 010 aren't assigned."""
NUMBER_STRIDE = 7_368_787
"""A prime that shares no factor with NUMBERS, so that different people get different numbers."""

SHARES_PHONE_EVERY = 67
SHARES_EMAIL_EVERY = 89
SHARES_USER_NO_EVERY = 251
"""Every so-many-th person has the same value as the person just before: families, and merged accounts."""


class Crowd:
    """The people of one sandbox.

    `phone_share` and `mobile_share` say how well the columns `$phone` and `mobile` are filled (0 to 1), to make either
    the better choice. `version` changes with every edit, so that rendered pages can be kept until then.
    """

    def __init__(self, people: int, seed: int, phone_share: float = 1.0, mobile_share: float = 0.35) -> None:
        self.people = people
        self.seed = seed
        self._phone_places = round(phone_share * 1000)
        self._mobile_places = round(mobile_share * 1000)
        self._salt = (seed * 0xD6E8_FEB8_6659_FD93) & MASK
        self._first_number = (seed * 15_485_863) % NUMBERS
        self._edited: dict[int, dict[str, Any]] = {}
        self._edited_ranges: list[tuple[range, dict[str, Any]]] = []
        self._edits = 0
        self.version = (people, seed, self._phone_places, self._mobile_places, 0)

    # -- One person ---------------------------------------------------------------------------------------------------
    def distinct_id(self, index: int) -> str | int:
        """The id as Mixpanel sends it: a string, or for a few people an integer."""
        return distinct_id(index)

    def find(self, wanted: str) -> int | None:
        """Index of the person with this distinct id (integers as text), or None."""
        found = re.search(r"[0-9]{1,12}\Z", wanted)
        if not found:
            return None
        number = int(found[0])
        candidates = (number, number - FIRST_INTEGER_ID)
        return next((i for i in candidates if i >= 0 and str(distinct_id(i)) == wanted), None)

    def phone_kind(self, index: int) -> PhoneKind:
        """How this person's `$phone` is written, before edits."""
        mixed = self._mix(index)
        if index % 100 == ANONYMOUS_PLACE or (mixed >> 44) % 1000 >= self._phone_places:
            return KINDS["missing"]
        return SPREAD[mixed % 1000]

    def e164(self, index: int) -> str | None:
        """The mobile number that `$phone` stands for, before edits; None where it stands for none."""
        return f"+8210{self._digits(index)}" if self.phone_kind(index).mobile else None

    def properties(self, index: int) -> dict[str, Any]:
        """The profile of one person, edits included. A new dict each time."""
        mixed = self._mix(index)
        if index % 100 == ANONYMOUS_PLACE:
            profile = self._anonymous(mixed)
        else:
            profile = self._customer(index, mixed)
            quirk = QUIRKS.get(index % 1000)
            if quirk:
                profile.update(quirk(index))
        return self._with_edits(index, profile) if self._edits else profile

    def _mix(self, index: int) -> int:
        """64 well-spread bits for an index (the finaliser of splitmix64)."""
        mixed = ((index + 1) * 0x9E37_79B9_7F4A_7C15 + self._salt) & MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & MASK
        return mixed ^ (mixed >> 31)

    def _digits(self, index: int) -> str:
        if index % SHARES_PHONE_EVERY == SHARES_PHONE_EVERY - 1:
            index -= 1
        return str(20_000_000 + (self._first_number + index * NUMBER_STRIDE) % NUMBERS)

    def _customer(self, index: int, mixed: int) -> dict[str, Any]:
        high = mixed >> 32
        city = CITIES[high % len(CITIES)]
        orders = (high >> 7) % 48
        has_agreed = (mixed >> 12) % 10 < 7
        profile: dict[str, Any] = {
            "$name": SURNAMES[high % len(SURNAMES)] + GIVEN_NAMES[(high >> 5) % len(GIVEN_NAMES)],
            "$city": city[0],
            "$region": city[1],
            "$country_code": "KR",
            "$last_seen": DAYS[mixed % 60] + CLOCK_TIMES[high % len(CLOCK_TIMES)],
            "$created": DAYS[60 + (mixed >> 8) % 660] + CLOCK_TIMES[(high >> 3) % len(CLOCK_TIMES)],
            "plan": PLANS[(mixed >> 16) % len(PLANS)],
            "last_order_at": DAYS[(mixed >> 20) % 400] if orders else None,
            "order_count": orders,
            "total_spent": orders * (9_900 + (mixed >> 24) % 40 * 1_000),
            MARKETING_CONSENT: has_agreed,
            NIGHT_CONSENT: has_agreed and (mixed >> 9) % 10 < 3,
            "tags": TAGS[(mixed >> 28) % len(TAGS)],
        }
        digits = self._digits(index)
        if (mixed >> 44) % 1000 < self._phone_places:
            phone = SPREAD[mixed % 1000].write(digits)
            if phone is not MISSING:
                profile["$phone"] = phone
        if (mixed >> 34) % 1000 < self._mobile_places:
            profile["mobile"] = f"010-{digits[:4]}-{digits[4:]}"
        if (mixed >> 40) % 100 < 95:
            number = index - 1 if index % SHARES_USER_NO_EVERY == SHARES_USER_NO_EVERY - 1 else index
            profile["user_no"] = f"HS{number + 10_000_000}" if number % 200 else number + 10_000_000
        email = self._email(index, (mixed >> 50) % 1000)
        if email is not MISSING:
            profile["$email"] = email
        return profile

    def _email(self, index: int, place: int) -> Any:
        if place >= 60:
            who = index - 1 if index % SHARES_EMAIL_EVERY == SHARES_EMAIL_EVERY - 1 else index
            return f"guest{who}@mail{who % 9}.example"
        if place < 35:
            return MISSING
        return (
            None,
            "",
            f"guest{index}(at)mail.example",
            f"guest{index}@",
            "@mail.example",
            [f"guest{index}@mail.example", f"second{index}@mail.example"],
            f"  Guest{index}@Mail.Example ",
            f"손님{index}@메일.example",
            index,
            "없음",
        )[place % 10]

    def _anonymous(self, mixed: int) -> dict[str, Any]:
        return {
            "$last_seen": DAYS[mixed % 60] + CLOCK_TIMES[(mixed >> 9) % len(CLOCK_TIMES)],
            "$country_code": "KR",
            "$browser": "Samsung Internet",
        }

    # -- Changing people ----------------------------------------------------------------------------------------------
    def edit(self, indexes: Iterable[int], values: Mapping[str, Any], unset: Iterable[str] = ()) -> None:
        """Set properties of these people, and remove those named in `unset`. A `range` costs nothing per person."""
        change = {**values, **dict.fromkeys(unset, MISSING)}
        if isinstance(indexes, range):
            self._edited_ranges.append((indexes, change))
        else:
            for index in indexes:
                self._edited[index] = {**self._edited.get(index, {}), **change}
        self._edits += 1
        self.version = (*self.version[:4], self.version[4] + 1)

    @property
    def edited(self) -> bool:
        """Whether anybody differs from what seed and index say."""
        return self._edits > 0

    def _with_edits(self, index: int, profile: dict[str, Any]) -> dict[str, Any]:
        for indexes, change in self._edited_ranges:
            if index in indexes:
                profile.update(change)
        profile.update(self._edited.get(index, {}))
        return {name: value for name, value in profile.items() if value is not MISSING}

    # -- Many people, as bytes ----------------------------------------------------------------------------------------
    def rows(self, indexes: Iterable[int], only: frozenset[str] | None = None) -> bytes:
        """JSON objects `{"$distinct_id": …, "$properties": {…}}` of these people, with commas between.

        `only` keeps just these properties (Mixpanel's `output_properties`).
        """
        properties = self.properties
        if only is None:
            people = [{"$distinct_id": distinct_id(i), "$properties": properties(i)} for i in indexes]
        else:
            people = [
                {
                    "$distinct_id": distinct_id(i),
                    "$properties": {name: value for name, value in properties(i).items() if name in only},
                }
                for i in indexes
            ]
        return render(people)


def render(objects: list[dict[str, Any]]) -> bytes:
    """JSON of the objects with commas between, no brackets. Lone surrogates come out as `\\udXXX` escapes."""
    try:
        return orjson.dumps(objects)[1:-1]
    except TypeError:
        return b",".join(map(_render_one, objects))


def _render_one(one: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(one)
    except TypeError:  # orjson refuses lone surrogates; the standard library escapes them
        return json.dumps(one, separators=(",", ":")).encode()


def group_rows(count: int) -> bytes:
    """Rows of a group cohort: companies, not people."""
    return render(
        [
            {"$distinct_id": f"company-{n}", "$properties": {"$name": f"하루식탁 기업복지 {n}호", "seats": n * 7}}
            for n in range(1, count + 1)
        ]
    )

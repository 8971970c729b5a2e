"""Rows of a pull, read as profiles: whose row it is, and whether it says anything that we don't know yet.

Identity (product.md §3): the value of the project's identity column where the row has one, else Mixpanel's distinct
id. A value that is neither text nor a number counts as none.
"""

import hashlib
import struct
from collections.abc import Mapping as Mapping_
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Any, NamedTuple

import orjson

from integrations.connect import MixpanelConnection, MixpanelSettings
from integrations.mixpanel.schemas import Row
from integrations.models import Inlet
from notifly_console.lib import consent, email, phone

RULES = 1
"""Part of every digest. Raise it when a rule of reading changes (phones, e-mails): each profile is then read anew."""
LONGEST_ID = 255
ANONYMOUS = "$device:"
REFUSED = ("id_missing", "id_too_long")


@dataclass(frozen=True)
class Mapping:
    """What a project has set about its columns. An empty `identity_column` means the distinct id; `drop_unknown`:
    a row with an identity that we don't know is dropped and counted, rather than made a profile. Of an empty column of
    consent nobody has consented."""

    phone_column: str
    email_column: str
    identity_column: str = ""
    drop_unknown: bool = False
    marketing_consent_column: str = ""
    night_consent_column: str = ""

    @classmethod
    def of(cls, connection: MixpanelConnection | MixpanelSettings | Inlet) -> "Mapping":
        """As the project has set it."""
        return cls(**{one.name: getattr(connection, one.name) for one in fields(cls)})

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns that something is read from."""
        contacts = (self.phone_column, self.email_column, self.identity_column)
        named = (*contacts, self.marketing_consent_column, self.night_consent_column)
        return tuple(name for name in named if name)

    @property
    def seal(self) -> bytes:
        """Sixteen bytes that differ between mappings: a digest under another mapping is another digest."""
        consents = (self.marketing_consent_column, self.night_consent_column)
        columns = orjson.dumps([RULES, self.phone_column, self.email_column, self.identity_column, *consents])
        return hashlib.blake2b(columns, digest_size=16).digest()


class Person(NamedTuple):
    """A row with its identity settled. `body` is the properties as canonical JSON; `digest` stands for all of it."""

    external_id: str
    distinct_id: str
    properties: dict[str, Any]
    body: bytes
    digest: int


class Contact(NamedTuple):
    """What a person's row says about reaching them, and whether they let themselves be sent advertising."""

    phone: phone.Phone
    email: email.Email
    marketing_consent: bool
    night_consent: bool


@dataclass
class Reading:
    """The people of some pages, by external id, and what was set aside: `refused` by reason, `duplicates` (the same
    distinct id again) and `merged` (another distinct id with the same identity)."""

    people: dict[str, Person] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    merged: int = 0


def read(rows: Sequence[Row], mapping: Mapping) -> Reading:
    """Settles who each row is. Of two rows with one identity the one with the smaller distinct id counts, whatever
    the order they came in."""
    reading = Reading()
    distinct_ids = [row[0] for row in rows]
    ids = _identities(rows, mapping.identity_column) if mapping.identity_column else distinct_ids
    if max(map(len, chain(ids, distinct_ids)), default=0) > LONGEST_ID:
        fitting = [row for row, id_ in zip(rows, ids, strict=True) if len(id_) <= LONGEST_ID >= len(row.distinct_id)]
        reading = read(fitting, mapping)
        reading.refused["id_too_long"] = len(rows) - len(fitting)
        return reading
    people = _people(rows, ids, distinct_ids, mapping.seal)
    reading.people = dict(zip(ids, people, strict=True))
    if len(reading.people) < len(people):
        _settle(reading, people)
    return reading


def _people(rows: Sequence[Row], ids: Sequence[str], distinct_ids: Sequence[str], seal: bytes) -> list[Person]:
    # A hundred thousand rows come through here at a time: whole lists, and as little as possible for each row.
    dumps, blake2b, canonical = orjson.dumps, hashlib.blake2b, orjson.OPT_SORT_KEYS
    properties = [row[1] for row in rows]
    bodies = [dumps(one, option=canonical) for one in properties]
    digests = b"".join(
        [
            blake2b(body + distinct_id.encode(), digest_size=8, person=seal).digest()
            for body, distinct_id in zip(bodies, distinct_ids, strict=True)
        ]
    )
    numbers = struct.unpack(f">{len(rows)}q", digests)
    return list(map(Person._make, zip(ids, distinct_ids, properties, bodies, numbers, strict=True)))


def _identities(rows: Sequence[Row], column: str) -> list[str]:
    return [identity_of(properties.get(column)) or distinct_id for distinct_id, properties in rows]


def _settle(reading: Reading, people: Sequence[Person]) -> None:
    reading.people = {}
    for person in people:
        first = reading.people.setdefault(person.external_id, person)
        if first is person:
            continue
        if first.distinct_id == person.distinct_id:
            reading.duplicates += 1
            continue
        reading.merged += 1
        if person.distinct_id < first.distinct_id:
            reading.people[person.external_id] = person


def identity_of(value: Any) -> str:
    """The text of an identity column's value; "" where it says nothing."""
    if type(value) is str:
        return value.strip()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def added_to(known: Mapping_[str, dict[str, Any]], reading: Reading, mapping: Mapping) -> Reading:
    """The reading of rows that tell only part of a person: each with what is `known` of them (properties by external
    id) where the row says nothing, so that nothing is erased."""
    rows = [
        Row(person.distinct_id, {**known.get(external_id, {}), **person.properties})
        for external_id, person in reading.people.items()
    ]
    ids = list(reading.people)
    people = _people(rows, ids, [row.distinct_id for row in rows], mapping.seal)
    return replace(reading, people=dict(zip(ids, people, strict=True)))


def contact_of(person: Person, mapping: Mapping) -> Contact:
    """The phone and e-mail address of the mapped columns, each normalised or with the reason why not; the consents."""
    properties = person.properties
    marketing, night = mapping.marketing_consent_column, mapping.night_consent_column
    return Contact(
        phone.normalise(properties.get(mapping.phone_column)),
        email.normalise(properties.get(mapping.email_column)),
        marketing != "" and consent.is_given(properties.get(marketing)),
        night != "" and consent.is_given(properties.get(night)),
    )


def is_anonymous(external_id: str) -> bool:
    """Whether nobody has said who this is yet: a device, in Mixpanel's words."""
    return external_id.startswith(ANONYMOUS)

"""The people of one pushed page: into the table, or for those who leave only found there.

A page tells part of a person (the properties that somebody chose to export), so what it says goes on top of what is
known. Who leaves is neither made nor changed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any
from uuid import UUID

from django.utils import timezone
from pyroaring import BitMap64

from cohorts.membership import loaded
from cohorts.models import Profile, PushRoad
from cohorts.people import identity
from cohorts.people.profiles import Mapping, Reading, added_to, read
from cohorts.people.tally import Tally
from cohorts.people.upsert import find, properties_of, upsert
from cohorts.pull.forewarn import Watch
from integrations import inbox
from integrations.mixpanel.schemas import Row
from integrations.mixpanel.webhook import Unusable, members_of, parse_page
from integrations.models import InboundPage

LOOKED_THROUGH_AT_ONCE = 20_000


@dataclass(frozen=True)
class Sheet:
    """A page as it is to be taken: rows under the identities they are known by, and who can't be taken."""

    rows: list[Row]
    unusable: list[Unusable]
    received: int
    mended: int
    """How many of them held what no database takes, and are taken without it."""
    columns: frozenset[str]
    """The names of all properties that came."""


def sheet_of(page: InboundPage, mapping: Mapping) -> Sheet:
    """What a kept page says. Raises CannotOpen when its key is gone."""
    pushed = parse_page(inbox.body_of(page), is_known=True)
    rows, unusable, mended = members_of(pushed, mapping.columns)
    columns = frozenset(chain.from_iterable(row.properties for row in rows))
    rows = identity.known_as(page.project_id, rows, mapping.identity_column)
    return Sheet(rows, unusable, len(pushed.members), mended, columns)


def together(sheets: Sequence[Sheet]) -> Sheet:
    """Several pages of one session as one."""
    return Sheet(
        [row for sheet in sheets for row in sheet.rows],
        [one for sheet in sheets for one in sheet.unusable],
        sum(sheet.received for sheet in sheets),
        sum(sheet.mended for sheet in sheets),
        frozenset().union(*(sheet.columns for sheet in sheets)),
    )


def reading_of(sheet: Sheet, mapping: Mapping) -> Reading:
    """Who the rows are."""
    reading = read(sheet.rows, mapping)
    for one in sheet.unusable:
        reading.refused[one.reason] = reading.refused.get(one.reason, 0) + 1
    return reading


def settle(project_id: UUID, sheet: Sheet, mapping: Mapping) -> None:
    """Finds out whom the page's distinct ids turn out to be. Before, and outside of, the transaction of `take_in`."""
    identity.settle(project_id, sheet.rows, mapping)


def take_in(project_id: UUID, sheet: Sheet, mapping: Mapping) -> tuple[BitMap64, Tally]:
    """Brings the page's people into the table, on top of what is known: their ids, and what became of them. To be
    called in a transaction."""
    reading = reading_of(sheet, mapping)
    known = properties_of(project_id, reading.people)
    reading = added_to(known, reading, mapping) if known else reading
    ids, tally = upsert(project_id, reading, mapping, BitMap64(), timezone.now())
    tally.received = sheet.received
    return ids, tally


def phones_lost(watch: Watch, project_id: UUID, sheet: Sheet, mapping: Mapping, *, is_all: bool) -> int:
    """How many would have no phone any more, where taking these people in leaves one to none of them; else 0.
    `is_all`: they are the whole cohort."""
    if watch.need_not_look(sheet.rows):
        return 0
    reading = reading_of(sheet, mapping)
    known = properties_of(project_id, reading.people)
    people = (added_to(known, reading, mapping) if known else reading).people
    return watch.losing(people) if watch.would_lose_all(people, is_all=is_all) else 0


def find_leaving(road: PushRoad, project_id: UUID, sheet: Sheet, mapping: Mapping) -> tuple[BitMap64, Tally]:
    """Whom a page of leavers means. One who isn't known has nothing to leave."""
    reading = reading_of(sheet, mapping)
    found = find(project_id, reading.people)
    ids = BitMap64([row[1] for row in found])
    names = {row[0] for row in found}
    absent = {person.distinct_id for name, person in reading.people.items() if name not in names}
    if absent:
        ids |= _by_distinct_id(loaded(road.members), absent)
    tally = Tally(duplicates=reading.duplicates, merged=reading.merged)
    tally.refused = Counter(reading.refused)
    tally.received, tally.unchanged = sheet.received, len(ids)
    tally.dropped = len(reading.people) - len(ids)
    return ids, tally


def _by_distinct_id(members: BitMap64, distinct_ids: set[str]) -> BitMap64:
    """Those members who are known by an identity, which the page doesn't name. They are few, so that the table has no
    index for them: the members are looked through."""
    found = BitMap64()
    for start in range(0, len(members), LOOKED_THROUGH_AT_ONCE):
        some: Sequence[Any] = list(members[start : start + LOOKED_THROUGH_AT_ONCE])
        found.update(Profile.objects.filter(pk__in=some, distinct_id__in=distinct_ids).values_list("pk", flat=True))
    return found

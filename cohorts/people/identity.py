"""Who is who: somebody known by distinct id turns out to have an identity, and the two become one profile.

A row that has an identity says that its distinct id is that person. Where a profile was made for the distinct id
before, it becomes the identity's: renamed where that one is new, else the two are made one. Nothing is lost: current
and held versions of all the project's cohorts, what is believed of those that are pushed, properties, and whatever
higher rooms keep by profile (`on_merge`) go over in one transaction. Versions from before keep the old number, which
`Alias` resolves.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from pyroaring import BitMap64

from cohorts.membership import dumped, loaded
from cohorts.models import Alias, Cohort, Profile, PushRoad, Snapshot
from cohorts.people import facets, phone_moves, upsert
from cohorts.people.profiles import ANONYMOUS, Mapping, Person, contact_of, identity_of
from cohorts.people.tally import Tally
from integrations.mixpanel.schemas import Row
from notifly_console.tenancy.models import Project

log = structlog.get_logger(__name__)

Pairs = dict[int, int]
"""Old profile id → the one that it is part of now."""
MOST_TRIES = 3
VERSIONS_AT_ONCE = 100
_listeners: list[Callable[[UUID, Pairs], None]] = []


def on_merge(listener: Callable[[UUID, Pairs], None]) -> None:
    """Has `listener(project_id, {old id: id})` called in the transaction that makes profiles one, before the old ones
    are deleted. For what higher rooms keep by profile id."""
    _listeners.append(listener)


@dataclass(frozen=True)
class Settled:
    """What was found out about some rows: how many profiles were renamed, and how many made part of others."""

    renamed: int = 0
    merged: int = 0


def settle(project_id: UUID, rows: Sequence[Row], mapping: Mapping) -> Settled:
    """Gives profiles that were made for these rows' distinct ids to the identities that the rows name. Has its own
    transaction: it is true whatever becomes of the rows. With no identity column there is nothing to be found out."""
    said = _said(rows, mapping.identity_column) if mapping.identity_column else {}
    if not said or not _made_for(project_id, said):
        return Settled()
    for _ in range(MOST_TRIES):
        try:
            with transaction.atomic():
                return _settle(project_id, said, mapping)
        except IntegrityError:
            log.info("identity_inserted_elsewhere", project=project_id.hex)
    return Settled()  # The next page that names them settles it.


def _settle(project_id: UUID, said: dict[str, str], mapping: Mapping) -> Settled:
    # One at a time in a project, so that two can't give the same profile away. (No lock that a new row would wait for.)
    Project.objects.select_for_update(no_key=True).get(pk=project_id)
    made_for = _made_for(project_id, said)
    known = {row[0]: row[1] for row in upsert.find(project_id, {said[one] for one in made_for})}
    renames: dict[int, str] = {}
    pairs: dict[int, int] = {}
    for distinct_id, old_id in sorted(made_for.items()):
        identity = said[distinct_id]
        if identity in known:
            pairs[old_id] = known[identity]
        else:
            renames[old_id] = identity
            known[identity] = old_id
    if pairs:
        _lock_sets(project_id)
    changed = [*_rename(renames), *(_merge(project_id, pairs, mapping) if pairs else ())]
    numbers = {distinct_id: known[said[distinct_id]] for distinct_id in made_for}
    _remember(project_id, numbers, {name: number for name, number in made_for.items() if number in pairs})
    # Last of all, as `upsert` does: whoever holds a row of these waits for no profile any more.
    facets.forget(project_id, pairs)
    facets.keep(project_id, [_traits(one) for one in changed])
    log.info("identities_settled", project=project_id.hex, renamed=len(renames), merged=len(pairs))
    return Settled(len(renames), len(pairs))


def known_as(project_id: UUID, rows: Sequence[Row], column: str) -> list[Row]:
    """The rows, those without an identity under the one that their distinct id is known to be."""
    if not column:
        return list(rows)
    bare = [row.distinct_id for row in rows if not identity_of(row.properties.get(column))]
    aliases = dict(
        Alias.objects.filter(project_id=project_id, external_id__in=bare).values_list("external_id", "profile_id")
    )
    if not aliases:
        return list(rows)
    names = dict(Profile.objects.filter(pk__in=set(aliases.values())).values_list("pk", "external_id"))
    known = {distinct_id: names[pk] for distinct_id, pk in aliases.items() if pk in names}
    return [
        Row(row.distinct_id, {**row.properties, column: known[row.distinct_id]})
        if row.distinct_id in known and not identity_of(row.properties.get(column))
        else row
        for row in rows
    ]


def resolved(project_id: UUID, ids: BitMap64, *, since: datetime) -> BitMap64:
    """A set that was gathered from `since` on, with the profiles that have become part of others meanwhile as those."""
    gone = Alias.objects.filter(project_id=project_id, old_id__isnull=False, at__gte=since)
    return replaced(ids, {old_id: number for old_id, number in gone.values_list("old_id", "profile_id") if old_id})


def replaced(ids: BitMap64, pairs: Pairs) -> BitMap64:
    """The set with each old id as the one that it is part of now; the very same where it holds none."""
    touched = ids & BitMap64(pairs)
    return (ids - touched) | BitMap64([pairs[one] for one in touched]) if touched else ids


# -- Inside -----------------------------------------------------------------------------------------------------------
def _said(rows: Iterable[Row], column: str) -> dict[str, str]:
    """Distinct id → identity, where a row names one that is another word."""
    pairs = ((row.distinct_id, identity_of(row.properties.get(column))) for row in rows)
    return {distinct_id: identity for distinct_id, identity in pairs if identity and identity != distinct_id}


def _made_for(project_id: UUID, said: dict[str, str]) -> dict[str, int]:
    """The profiles that were made for these distinct ids themselves, rather than for an identity that reads the
    same."""
    found = {row[0]: row[1] for row in upsert.find(project_id, said.keys())}
    distinct_ids = upsert.distinct_ids(found.values())
    return {name: number for name, number in found.items() if distinct_ids.get(number) == name}


def _lock_sets(project_id: UUID) -> None:
    """Every road, then every cohort, then (in `_merge`) profiles: whoever holds one of these waits for none before."""
    roads = PushRoad.objects.select_for_update().filter(cohort__project_id=project_id).order_by("pk")
    cohorts = Cohort.objects.select_for_update().filter(project_id=project_id).order_by("pk")
    for locked in (roads, cohorts):
        list(locked.values_list("pk"))


def _rename(renames: dict[int, str]) -> list[Profile]:
    people = list(Profile.objects.select_for_update().filter(pk__in=renames).order_by("pk"))
    for one in people:
        one.external_id = renames[one.pk]
        one.is_anonymous = one.external_id.startswith(ANONYMOUS)
        one.digest = 0  # It was of another row: this one is read anew.
        one.save(update_fields=["external_id", "is_anonymous", "digest"])
    return people


def _merge(project_id: UUID, pairs: Pairs, mapping: Mapping) -> list[Profile]:
    everybody = {*pairs, *pairs.values()}
    people = {one.pk: one for one in Profile.objects.select_for_update().filter(pk__in=everybody).order_by("pk")}
    before = {number: _ways(one) for number, one in people.items()}
    numbers = {number: one.phone for number, one in people.items()}
    for old_id, number in pairs.items():
        _join(people[number], people[old_id], mapping)
    after = {number: _ways(people[number]) for number in pairs.values()}
    phone_moves.note(project_id, ((number, numbers[number], people[number].phone) for number in after))
    _rewrite_roads(project_id, pairs)
    _rewrite_versions(project_id, pairs, before, after)
    for listener in _listeners:
        listener(project_id, pairs)
    for old_id, number in pairs.items():
        Alias.objects.filter(profile_id=old_id).update(profile_id=number)
    Profile.objects.filter(pk__in=pairs).delete()
    return [people[number] for number in set(pairs.values())]


def _join(one: Profile, old: Profile, mapping: Mapping) -> None:
    """What the old one had and the other lacks goes over."""
    one.properties = {**old.properties, **one.properties}
    contact = contact_of(Person(one.external_id, one.distinct_id, one.properties, b"", 0), mapping)
    one.phone, one.phone_raw, one.phone_reason = contact.phone
    one.email, one.email_raw, one.email_reason = contact.email
    one.marketing_consent, one.night_consent = contact.marketing_consent, contact.night_consent
    one.created_at = min(one.created_at, old.created_at)
    one.digest = 0
    one.save()


def _traits(one: Profile) -> facets.Traits:
    consents = (one.marketing_consent, one.night_consent)
    return one.pk, one.phone, one.phone_reason, one.email is not None, one.is_anonymous, *consents


def _rewrite_roads(project_id: UUID, pairs: Pairs) -> None:
    for road in PushRoad.objects.filter(cohort__project_id=project_id).iterator(chunk_size=50):
        before = loaded(road.members)
        after = replaced(before, pairs)
        if after is not before:
            PushRoad.objects.filter(pk=road.pk).update(members=dumped(after), size=len(after))


Ways = tuple[str, str, bool]
"""How one can be reached: the phone's reason, the e-mail's, and whether nobody knows who it is."""


def _ways(one: Profile) -> Ways:
    return one.phone_reason, one.email_reason, one.is_anonymous


def _rewrite_versions(project_id: UUID, pairs: Pairs, before: dict[int, Ways], after: dict[int, Ways]) -> None:
    """Rewrites the versions that are read, in place: a new one would say that somebody joined and somebody left."""
    olds = BitMap64(pairs)
    cohorts = Cohort.objects.filter(project_id=project_id)
    shown = dict(cohorts.exclude(current=None).values_list("current_id", "pk"))
    held = cohorts.exclude(held=None).values_list("held_id", flat=True)
    keys = [*shown, *held]
    for start in range(0, len(keys), VERSIONS_AT_ONCE):
        for version in Snapshot.objects.filter(pk__in=keys[start : start + VERSIONS_AT_ONCE]):
            sets = {name: loaded(getattr(version, name)) for name in ("members", "joined", "left")}
            if not any(ids & olds for ids in sets.values()):
                continue
            _rewrite(version, sets, pairs, before, after)
            if version.pk in shown:
                counts = {name: getattr(version, name) for name in ("size", "joined_count", "left_count")}
                Cohort.objects.filter(pk=shown[version.pk]).update(**counts)


def _rewrite(
    version: Snapshot, sets: dict[str, BitMap64], pairs: Pairs, before: dict[int, Ways], after: dict[int, Ways]
) -> None:
    members, joined, left = (replaced(sets[name], pairs) for name in ("members", "joined", "left"))
    both = joined & left  # Under one name in, under the other one out: neither happened.
    joined, left = joined - both, left - both
    version.members, version.joined, version.left = dumped(members), dumped(joined), dumped(left)
    version.size, version.joined_count, version.left_count = len(members), len(joined), len(left)
    if version.reach:
        involved = BitMap64({*pairs, *pairs.values()})
        out = [before[number] for number in sets["members"] & involved]
        version.reach = _counted_anew(version.reach, out, [after[number] for number in members & involved])
    version.save(update_fields=["members", "joined", "left", "size", "joined_count", "left_count", "reach"])


def _counted_anew(reach: dict[str, Any], out: list[Ways], in_: list[Ways]) -> dict[str, Any]:
    tally = Tally(anonymous=reach.get("anonymous", 0))
    tally.phones.update({"": reach.get("reachable", 0)} | reach.get("phone", {}))
    tally.emails.update({"": reach.get("with_email", 0)} | reach.get("email", {}))
    for sign, ways in ((-1, out), (1, in_)):
        for phone, email, anonymous in ways:
            tally.phones[phone] += sign
            tally.emails[email] += sign
            tally.anonymous += sign * anonymous
    return tally.reach


def _remember(project_id: UUID, numbers: dict[str, int], gone: dict[str, int]) -> None:
    """Under which profile a distinct id is found from now on, and which profile number went."""
    Alias.objects.bulk_create(
        [
            Alias(project_id=project_id, external_id=one, profile_id=number, old_id=gone.get(one))
            for one, number in numbers.items()
        ],
        update_conflicts=True,
        unique_fields=["project", "external_id"],
        update_fields=["profile_id", "old_id"],
        batch_size=500,
    )

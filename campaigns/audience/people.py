"""The people of a plan: those that a step left out, those who are still there, and the first few numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from django.db.models import Exists, OuterRef
from pyroaring import BitMap64

from campaigns.audience.funnel import Plan, reason_of
from campaigns.audience.uploads import refused_of, rows_at
from campaigns.models import AudienceKind, Campaign, Recipient, Upload
from cohorts.models import Profile
from cohorts.people.facets import facets
from cohorts.people.lookup import NAME_PROPERTIES, name_of, national
from notifly_console.lib.masking import mask_contacts, mask_phone

PHONES_SHOWN = 10


@dataclass(frozen=True)
class Somebody:
    """A person of an audience, as everybody may see them unless asked for whole."""

    profile_id: int | None
    row: int | None
    """Of a file: the number of the line."""
    external_id: str
    name: str
    phone: str
    """As it is dialled, else as it was given; "" for none."""
    reason: str = ""
    """Why they were left out, in words."""
    instead: str = ""
    """Who gets the message of their number."""


def people_of(
    plan: Plan, step: str, reason: str = "", *, offset: int = 0, limit: int = 50, whole: bool = False
) -> list[Somebody]:
    """Whom `step` leaves out for `reason`; without one those who are still there after it. In the order of their ids,
    from the `offset`-th on. Contacts are masked unless `whole` (the caller has asked for the right)."""
    if plan.kind == AudienceKind.CSV:
        return _rows(plan, step, reason, offset, limit, whole=whole)
    ids = plan.left_out.get((step, reason)) if reason else plan.at_step.get(step)
    if not ids or offset >= len(ids):
        return []
    shown = list(ids[offset : offset + limit])
    words = reason_of(reason) if reason else ""
    instead = _instead(plan, shown) if reason == "same_number" and "one_per_number" in plan.at_step else {}
    profiles = Profile.objects.filter(project_id=plan.project_id).in_bulk(shown)
    return [_somebody(id_, profiles.get(id_), words, instead.get(id_, ""), whole=whole) for id_ in shown]


def first_phones(plan: Plan, count: int = PHONES_SHOWN, *, whole: bool = False) -> list[str]:
    """The numbers of the first of those who are sent to: 010-1234-5678, masked unless `whole`."""
    if plan.kind == AudienceKind.CSV:
        return [one.phone for one in people_of(plan, "sent", limit=count, whole=whole)]
    ids = list(plan.chosen[:count]) if plan.chosen else []
    found = Profile.objects.filter(pk__in=ids, project_id=plan.project_id).order_by("pk")
    phones = found.values_list("phone", flat=True)
    return [national(phone) if whole else mask_phone(phone) for phone in phones if phone]


def _rows(plan: Plan, step: str, reason: str, offset: int, limit: int, *, whole: bool) -> list[Somebody]:
    """The same of a file. Rows that couldn't be used are masked for everybody."""
    assert plan.upload_id
    upload = Upload.objects.get(pk=plan.upload_id)
    words = reason_of(reason) if reason else ""
    places = plan.left_out.get((step, reason)) if reason else plan.at_step.get(step)
    if places is None and reason:
        found = islice(refused_of(upload, reason), offset, offset + limit)
        return [Somebody(None, row, "", "", given, words) for row, _, given in found]
    if not places or offset >= len(places):
        return []
    usable = []
    for row in rows_at(upload, places[offset : offset + limit]):
        phone = national(row.phone) if whole else mask_phone(row.phone)
        name = next((row.values[key] for key in NAME_PROPERTIES if row.values.get(key)), "")
        usable.append(Somebody(None, row.number, "", mask_contacts(name[:120]), phone, words))
    return usable


def _somebody(id_: int, profile: Profile | None, reason: str, instead: str, *, whole: bool) -> Somebody:
    if profile is None:
        return Somebody(id_, None, "", "", "", reason)
    phone = national(profile.phone) if profile.phone else profile.phone_raw
    external_id = profile.external_id
    return Somebody(
        profile_id=id_,
        row=None,
        external_id=external_id if whole else mask_contacts(external_id),
        name=name_of(profile),
        phone=phone if whole or not phone else mask_phone(phone),
        reason=reason,
        instead=instead if whole else mask_contacts(instead),
    )


def _instead(plan: Plan, ids: Sequence[int]) -> dict[int, str]:
    """Whose message it is instead of each of these: the one of their number who is left after `one_per_number`."""
    now = facets(plan.project_id)
    asked = BitMap64(ids) & now.reachable
    digits = dict(zip(asked, now.digits_of(asked), strict=True))
    keepers = now.having(frozenset(digits.values())) & plan.at_step["one_per_number"]
    by_digits = dict(zip(now.digits_of(keepers), keepers, strict=True))
    names = dict(Profile.objects.filter(pk__in=list(keepers)).values_list("pk", "external_id"))
    return {id_: names.get(by_digits.get(number, 0), "") for id_, number in digits.items()}


ASKED_AT_ONCE = 20_000


def received(campaign: Campaign, ids: BitMap64) -> BitMap64:
    """Those of these people whom a run of this 이벤트 기반 발송 has written down already, or whose number it has, under
    whatever profile."""
    found = BitMap64()
    written = Recipient.objects.filter(once_of=campaign)
    for start in range(0, len(ids), ASKED_AT_ONCE):
        some = list(ids[start : start + ASKED_AT_ONCE])
        has_number = Exists(written.filter(phone=OuterRef("phone")))
        is_written = Exists(written.filter(profile_id=OuterRef("pk")))
        people = Profile.objects.filter(is_written | has_number, pk__in=some)
        found |= BitMap64(people.values_list("pk", flat=True))
    return found

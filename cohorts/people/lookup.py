"""Finding profiles: 유저 리스트 and a profile's page. Contacts leave this module masked, unless they are asked for by
name (`contacts_of`)."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import F, Func, Q, QuerySet, UUIDField
from django.utils.translation import gettext as _
from pyroaring import BitMap64

from cohorts.membership import loaded
from cohorts.models import Cohort, Profile, Snapshot
from notifly_console.lib.masking import mask_contacts, mask_email, mask_phone, mask_within
from notifly_console.tenancy.access import Access, Right

PAGE = 50
FOUND_SHOWN = 50
LOOKED_AT = 500
"""How many ids that begin alike are looked through for those that somebody may find who sees contacts masked."""
NAME_PROPERTIES = ("$name", "name", "이름", "$first_name")
LONG_VALUE = 300
"""Characters of a property's value above which it is folded."""
NAMED_AT_ONCE = 10_000
"""Up to so many people are named to the database, for it to search among; of more, a search looks through the first
LOOKED_THROUGH that fit its text."""
LOOKED_THROUGH = 5_000
BYTES_A_STEP = 24_000_000
"""How much membership one request reads at most when it looks for the cohorts of a profile."""
COHORTS_A_STEP = 2_000


def beginning(field: str, text: str) -> Q:
    """`field` begins with `text`, written so that the database can use its index."""
    if connection.vendor == "sqlite":
        # Its LIKE ignores case and therefore the index; a range says the same.
        return Q(**{f"{field}__gte": text, f"{field}__lt": text + "\U0010ffff"})
    return Q(**{f"{field}__startswith": text})


# -- The list --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class ProfileRow:
    """A profile as the list shows it: everything in it may be seen by every member."""

    key: int
    external_id: str
    name: str
    phone: str
    email: str
    is_reachable: bool
    reason: str
    """Slug of why not."""
    is_anonymous: bool
    updated_at: datetime


_SHOWN = (
    "project_id", "external_id", "is_anonymous", "phone", "phone_raw", "phone_reason", "email", "email_raw",
    "properties", "updated_at",
)  # fmt: skip


def profile_row(profile: Profile) -> ProfileRow:
    """The profile, masked."""
    return ProfileRow(
        key=profile.pk,
        external_id=mask_contacts(profile.external_id),
        name=name_of(profile),
        phone=mask_phone(profile.phone or profile.phone_raw) if profile.phone or profile.phone_raw else "",
        email=mask_email(profile.email or profile.email_raw) if profile.email or profile.email_raw else "",
        is_reachable=profile.phone is not None,
        reason=profile.phone_reason,
        is_anonymous=profile.is_anonymous,
        updated_at=profile.updated_at,
    )


def name_of(profile: Profile) -> str:
    """What the profile calls itself, "" where it doesn't say."""
    return name_in(profile.properties)


def name_in(properties: Mapping[str, Any]) -> str:
    """The same of a profile's properties."""
    for key in NAME_PROPERTIES:
        value = properties.get(key)
        if isinstance(value, str) and value.strip():
            return mask_contacts(value.strip()[:120])
    return ""


@dataclass(frozen=True)
class ProfilePage:
    """A page of all profiles, the newest first. `before` is the key that the next page begins below."""

    rows: list[ProfileRow]
    before: int | None


def profile_page(access: Access, before: int | None, among: BitMap64 | None = None) -> ProfilePage:
    """The page below the key `before`; the first without it; of those `among`, or of all. One statement, as fast at the
    end as at the beginning."""
    profiles = access.all(Profile).only(*_SHOWN).order_by("-id")
    if among is not None:
        end = len(among) if before is None else among.rank(before - 1) if before else 0
        profiles = profiles.filter(pk__in=list(among[max(0, end - PAGE - 1) : end]))
    elif before is not None:
        profiles = profiles.filter(pk__lt=before)
    rows = [profile_row(profile) for profile in profiles[: PAGE + 1]]
    return ProfilePage(rows[:PAGE], rows[PAGE - 1].key if len(rows) > PAGE else None)


# -- The search ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Search:
    """What a search found, and by what it looked (`id`, `phone`, `email`). `is_cut`: it looked only through the first
    LOOKED_THROUGH whose id begins like that."""

    rows: list[ProfileRow]
    kinds: list[str]
    more: bool
    is_cut: bool = False


def search(access: Access, text: str, among: BitMap64 | None = None) -> Search:
    """Profiles whose id begins with `text`, or whose phone or e-mail it is, `among` these or of all. At most nine
    statements.

    Only whoever may see contacts finds them by their beginning: for others each digit more would be an answer to a
    question that masking refuses. That goes for ids that are a phone number or an address, too."""
    by_beginning = access.may(Right.SEE_CONTACTS)
    asked = {"id": ("external_id", text), "phone": ("phone", e164_beginning(text))}
    asked["email"] = ("email", text.lower() if "@" in text else "")
    found: dict[int, Profile] = {}
    is_cut = False
    for kind, (field, value) in asked.items():
        profiles = _by(access, field).only(*_SHOWN)
        # Without an order: to sort all whose id begins alike would take as long as there are of them.
        exact = profiles.filter(**{field: value})[: FOUND_SHOWN + 1] if value else []
        found |= {profile.pk: profile for profile in exact if among is None or profile.pk in among}
        if value and (kind == "id" or (by_beginning and not exact)):
            most = FOUND_SHOWN + 1 if by_beginning else LOOKED_AT
            alike, was_cut = _alike(profiles.filter(beginning(field, value)), most, among)
            found |= {one.pk: one for one in alike if by_beginning or is_findable(one.external_id, text)}
            is_cut = is_cut or was_cut
    kinds = [kind for kind, (_field, value) in asked.items() if value]
    ordered = sorted(found.values(), key=lambda one: (one.external_id != text, one.external_id))
    shown = [profile_row(one) for one in ordered[:FOUND_SHOWN]]
    return Search(shown, kinds, more=len(found) > FOUND_SHOWN, is_cut=is_cut)


def _alike(profiles: QuerySet[Profile], most: int, among: BitMap64 | None) -> tuple[QuerySet[Profile], bool]:
    """So many of the profiles at most, and whether there may be more that weren't looked at."""
    if among is None:
        return profiles[:most], False
    if len(among) <= NAMED_AT_ONCE:
        return profiles.filter(pk__in=list(among))[:most], False
    keys = BitMap64(profiles.values_list("pk", flat=True)[:LOOKED_THROUGH])
    here = keys & among
    return Profile.objects.only(*_SHOWN).filter(pk__in=list(here[:most])), len(keys) == LOOKED_THROUGH


def _by(access: Access, field: str) -> QuerySet[Profile]:
    """The project's profiles, to be looked up by `field` in the index of that field."""
    if connection.vendor != "sqlite" or field == "external_id":
        return access.all(Profile)
    # Without statistics SQLite prefers the index that begins with the project, and reads all of its people. A plus
    # before the column keeps it from that (https://sqlite.org/optoverview.html, "Unary +").
    plain = Func(F("project_id"), template="+%(expressions)s", output_field=UUIDField())
    return Profile.objects.alias(own_project=plain).filter(own_project=access.project.id)


def is_findable(external_id: str, text: str) -> bool:
    """Whether somebody who sees contacts masked may find this id by its beginning `text`."""
    return external_id == text or mask_contacts(external_id) == external_id


_SPELLED_PHONE = re.compile(r"\+?[\d\s().\-]{3,30}")


def e164_beginning(text: str) -> str:
    """The beginning of an E.164 number that `text` is, in any spelling: 010-1234 → +82101234. "" for other texts."""
    if not _SPELLED_PHONE.fullmatch(text):
        return ""
    digits = "".join(str(int(digit)) for digit in re.findall(r"\d", text))
    if text.startswith("+") or (digits.startswith("82") and len(digits) > 8):
        country, rest = (digits[:2], digits[2:]) if digits.startswith("82") else ("", digits)
        return f"+{country}{rest.removeprefix('0') if country else rest}"
    return f"+82{digits.removeprefix('0')}" if digits.startswith(("01", "10")) else ""


# -- One profile -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Property:
    """A property as text. `kind` says what it is where its text doesn't."""

    name: str
    text: str
    kind: str
    """text, number, truth, nothing, list, object."""
    is_long: bool


def properties_of(profile: Profile, *, masked: bool) -> list[Property]:
    """The profile's properties by name, those of Mixpanel's own (`$…`) last."""
    pairs = sorted(profile.properties.items(), key=lambda pair: (pair[0].startswith("$"), pair[0].lower()))
    return [_property(mask_contacts(name) if masked else name, mask_within(value) if masked else value, value)
            for name, value in pairs]  # fmt: skip


def _property(name: str, value: Any, original: Any) -> Property:
    kind = _kind(original)
    if kind == "truth":
        text = _("예") if value else _("아니요")
    elif kind in ("list", "object"):
        text = json.dumps(value, ensure_ascii=False, indent=1)
    else:
        text = "" if value is None else str(value)
    return Property(name, text, kind, is_long=len(text) > LONG_VALUE or text.count("\n") > 6)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list) else "object"


@dataclass(frozen=True)
class Contacts:
    """A profile's phone and e-mail as they came, whole: only for an answer that was recorded."""

    phone: str
    email: str


def contacts_of(profile: Profile) -> Contacts:
    """The whole contacts. The caller has asked for the right and written the audit entry."""
    return Contacts(
        phone=national(profile.phone) if profile.phone else profile.phone_raw,
        email=profile.email or profile.email_raw,
    )


def national(phone: str) -> str:
    """+821012345678 as it is written in Korea: 010-1234-5678."""
    digits = "0" + phone.removeprefix("+82")
    return f"{digits[:3]}-{digits[3:-4]}-{digits[-4:]}" if phone.startswith("+82") else phone


# -- The cohorts that it is in ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Belonging:
    """Cohorts of one step of the search that hold the profile, and the key after which the next step begins."""

    cohorts: list[Cohort]
    looked_at: int
    after: int | None


def belonging(access: Access, profile: Profile, after: int = 0) -> Belonging:
    """Which current versions hold the profile. Two statements: a step reads at most BYTES_A_STEP of bitmaps, and says
    where the next goes on, so that a page never waits for ten thousand of them."""
    cohorts: QuerySet[Cohort] = access.all(Cohort).filter(pk__gt=after, current__isnull=False, size__gt=0)
    listed = list(cohorts.order_by("pk").only("project_id", "source_id", "name", "size", "current_id")[:COHORTS_A_STEP])
    step = list(_within(listed, BYTES_A_STEP))
    by_snapshot = {cohort.current_id: cohort for cohort in step if cohort.current_id}
    versions = Snapshot.objects.filter(pk__in=list(by_snapshot))
    bitmaps = versions.values_list("pk", "members").iterator(chunk_size=100)
    holding = [by_snapshot[pk] for pk, raw in bitmaps if profile.pk in loaded(raw)]
    more = len(step) < len(listed) or len(listed) == COHORTS_A_STEP
    holding.sort(key=lambda cohort: cohort.name.lower())
    return Belonging(holding, len(step), step[-1].pk if more else None)


def _within(cohorts: list[Cohort], limit: int) -> Iterator[Cohort]:
    """As many of `cohorts` as fit the limit, one at least. A member takes two bytes at most, and a bitmap no more than
    an eighth of a byte for each id of the project."""
    used = 0
    for cohort in cohorts:
        used += 64 + 2 * (cohort.size or 0)
        if used > limit and cohort is not cohorts[0]:
            return
        yield cohort

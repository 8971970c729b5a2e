"""The message as a real recipient would get it: the phone at the right of 캠페인 생성."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from pyroaring import BitMap64

from campaigns.audience.measure import measure
from campaigns.audience.plan import Plan
from campaigns.audience.uploads import rows_at
from campaigns.message.check import AlimtalkContent, Content, content_of
from campaigns.message.content import is_written
from campaigns.message.personalise import BadVariable, used_fields
from campaigns.message.render import Left, Rendered, render
from campaigns.models import AudienceKind, Campaign, Rules, Upload
from campaigns.rules import rules_of
from campaigns.sending.schedule import WEEKDAYS, Timing, When, period, timing_of, upcoming
from campaigns.sending.trial import values_of
from cohorts.models import Profile
from cohorts.people.lookup import NAME_PROPERTIES, name_of
from integrations.messaging import Channel, Kind
from integrations.senders import Listing
from notifly_console.lib.masking import mask_contacts, mask_within
from notifly_console.tenancy.access import Access, Right


@dataclass(frozen=True)
class Reader:
    """Whose values a preview is drawn with."""

    at: int
    """Place among those who are sent to, from 0."""
    of: int
    name: str
    values: dict[str, Any]

    @property
    def before(self) -> int | None:
        return self.at - 1 if self.at > 0 else None

    @property
    def after(self) -> int | None:
        return self.at + 1 if self.at + 1 < self.of else None


@dataclass(frozen=True)
class Shown:
    """What the phone shows: a message, or why this person gets none, or what can't be read of it."""

    content: Content | None = None
    rendered: Rendered | None = None
    left: str = ""
    problem: str = ""
    reader: Reader | None = None
    sender: str = ""
    """Whom it is from, as the phone names them."""
    at: datetime | None = None
    """When it arrives."""


def reader_at(plan: Plan, at: int, fields: Sequence[str], *, whole: bool) -> Reader | None:
    """The person at that place of those who are sent to, the last one for a place beyond; None where there is nobody.
    Contacts among the values are masked unless `whole`."""
    size = len(plan.chosen)
    return next(iter(readers_from(plan, min(max(at, 0), size - 1), 1, fields, whole=whole)), None) if size else None


def readers_from(plan: Plan, at: int, count: int, fields: Sequence[str], *, whole: bool) -> list[Reader]:
    """`count` of those who are sent to, from that place on. One statement."""
    ids = list(plan.chosen[at : at + count])
    found = _rows(plan, ids, fields) if plan.kind == AudienceKind.CSV else _profiles(plan, ids, fields)
    people = [(place, found[id_]) for place, id_ in enumerate(ids, at) if id_ in found]
    total = len(plan.chosen)
    return [
        Reader(place, total, mask_contacts(name), values if whole else mask_within(values))
        for place, (name, values) in people
    ]


def _profiles(plan: Plan, ids: list[int], fields: Sequence[str]) -> dict[int, tuple[str, dict[str, Any]]]:
    profiles = Profile.objects.filter(project_id=plan.project_id).in_bulk(ids)
    return {id_: (name_of(one) or one.external_id, values_of(one, fields)) for id_, one in profiles.items()}


def _rows(plan: Plan, ids: list[int], fields: Sequence[str]) -> dict[int, tuple[str, dict[str, Any]]]:
    assert plan.upload_id
    upload = Upload.objects.get(pk=plan.upload_id)
    return {
        row.place: (
            next((row.values[name] for name in NAME_PROPERTIES if row.values.get(name)), f"{row.number:,}"),
            {name: row.values.get(name) for name in fields} if fields else row.values,
        )
        for row in rows_at(upload, BitMap64(ids))
    }


def shown(campaign: Campaign, rules: Rules, listing: Listing, plan: Plan | None, at: int, *, whole: bool) -> Shown:
    """The preview of the draft for the recipient at that place; without an audience for somebody with no values."""
    if not campaign.channel:
        return Shown()
    content = content_of(campaign.channel, campaign.message)
    moment = arrival(timing_of(campaign.timing), campaign)
    reader = reader_at(plan, at, used_fields(content), whole=whole) if plan else None
    return read_by(reader, content, rules, listing, moment)


def read_by(reader: Reader | None, content: Content, rules: Rules, listing: Listing, moment: datetime) -> Shown:
    """The message as this person reads it at that moment; without one as somebody with no values."""
    common: dict[str, Any] = {
        "content": content,
        "reader": reader,
        "sender": sender_name(content, listing),
        "at": moment,
    }
    try:
        rendered = render(content, reader.values if reader else {}, rules, moment)
    except BadVariable as error:
        return Shown(problem=error.text, **common)
    if isinstance(rendered, Left):
        is_told = reader is not None and is_written(content)
        return Shown(left=str(rendered.reason.label), **common) if is_told else Shown(**common)
    return Shown(rendered=rendered, **common)


def arrival(timing: Timing, campaign: Campaign) -> datetime:
    """When the first of them arrives; now while nothing is planned."""
    now = timezone.now()
    coming = upcoming(timing, now, campaign.project.zone, 1) if timing.kind != When.NOW else []
    return coming[0] if coming else now


def sender_name(content: Content, listing: Listing) -> str:
    """Whom the phone names: the Kakao channel, or the number."""
    if hasattr(content, "profile"):
        profile = listing.profile(content.profile)
        return profile.name.removeprefix("@") if profile else ""
    return content.sender


def pieces(content: AlimtalkContent, rendered: Rendered | None) -> list[tuple[str, bool]]:
    """The text of an 알림톡 in pieces, each with whether it is a value that was put in; its bare template where there
    is none yet."""
    if not content.template_text:
        return []
    variables = rendered.variables if rendered else {}
    found = []
    for at, piece in enumerate(re.split(r"#\{([^{}]*)\}", content.template_text)):
        if at % 2 == 0:
            found.append((piece, False))
        else:
            found.append((variables[piece], True) if piece in variables else (f"#{{{piece}}}", False))
    return found


# -- What its template needs ------------------------------------------------------------------------------------------
def preview_context(
    access: Access, campaign: Campaign, plan: Plan | None, listing: Listing, params: QueryDict
) -> dict[str, Any]:
    """The phone, for the recipient and the message that `params` ask for (`at`, `as`)."""
    asked = params.get("at", "")
    at = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 12 else 0
    is_longest = params.get("who") == "longest"
    if is_longest and plan is not None:
        at = _place_of_longest(campaign, plan)
    whole = access.may(Right.SEE_CONTACTS)
    one = shown(campaign, rules_of(access.project), listing, plan, at, whole=whole)
    place = one.reader.at if one.reader else 0
    who = "who=longest" if is_longest else f"at={place}"
    has_fallback = bool(getattr(one.content, "fallback", None))
    shows_fallback = params.get("as") == "fallback" and has_fallback
    return phone(one, access.project.name, shows_fallback=shows_fallback) | {
        "has_fallback": has_fallback,
        "shows_fallback": shows_fallback,
        "is_longest": is_longest,
        "has_longest": one.content is not None and bool(used_fields(one.content)),
        "here": f"{who}{'&as=fallback' if shows_fallback else ''}",
        "message_query": who,
        "fallback_query": f"{who}&as=fallback",
        "fallback_suffix": "&as=fallback" if shows_fallback else "",
        "timing_chips": timing_chips(timing_of(campaign.timing)),
    }


def phone(one: Shown, project_name: str, *, shows_fallback: bool) -> dict[str, Any]:
    """What a phone's template needs to show a message."""
    rendered, content = one.rendered, one.content
    buttons = content.template_buttons if isinstance(content, AlimtalkContent) else getattr(content, "buttons", ())
    return {
        "preview": one,
        "letter": _letter(one, shows_fallback=shows_fallback),
        "sender_number": getattr(content, "sender", ""),
        "sender_initial": (one.sender if not one.sender.isdecimal() else project_name)[:1],
        "kakao_pieces": pieces(content, rendered) if isinstance(content, AlimtalkContent) else [],
        "kakao_buttons": [button.name for button in buttons],
    }


def _place_of_longest(campaign: Campaign, plan: Plan) -> int:
    """The place of whoever gets the longest text; the first where nothing can be told."""
    if campaign.channel not in Channel.values:
        return 0
    try:
        found = measure(content_of(campaign.channel, campaign.message), rules_of(campaign.project), plan)
    except BadVariable:
        return 0
    return plan.chosen.rank(found.longest_id) - 1 if found.longest_id is not None else 0


def _letter(one: Shown, *, shows_fallback: bool) -> dict[str, Any] | None:
    """The text message to be shown; None where there is none to show."""
    rendered = one.rendered
    if rendered is None:
        return None
    if shows_fallback:
        other = rendered.fallback
        length = rendered.fallback_length
        return {"kind": other.kind, "text": other.text, "subject": other.subject, "length": length} if other else None
    picture = getattr(one.content, "picture", "") if rendered.kind == Kind.MMS else ""
    return {
        "kind": rendered.kind,
        "text": rendered.text,
        "subject": rendered.subject,
        "length": rendered.length,
        "picture": picture,
    }


def timing_chips(timing: Timing) -> list[str]:
    """When it goes out, in a few words each; the first says how often."""
    if not timing.kind:
        return []
    chips = [str(When(timing.kind).label)]
    if timing.kind == When.NOW:
        return chips
    if timing.kind == When.WEEKLY and timing.weekdays:
        chips.append("·".join(str(WEEKDAYS[day]) for day in timing.weekdays))
        if timing.every_weeks > 1:
            chips.append(_("%(n)d주마다") % {"n": timing.every_weeks})
    if span := period(timing):
        chips.append(span)
    if timing.at:
        local = timezone.localtime()
        moment = local.replace(hour=timing.at.hour, minute=timing.at.minute)
        chips.append(f"{formats.date_format(moment, _('A g:i'))} {moment:%Z}")
    return chips

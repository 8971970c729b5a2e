"""Recipients of a run: those behind a number of its outcome, and those that a search finds. Contacts are masked; whole
ones come by an answer that was recorded.

A search asks only what masking shows anyway: the last four digits, a whole number, an id. By other parts of a number
only those may search who may see it whole: each digit more would be an answer to a question that masking refuses.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from campaigns.models import Recipient, RecipientState, Run
from cohorts.models import Profile
from cohorts.people.lookup import beginning, e164_beginning, national
from integrations.messaging import Kind
from notifly_console.lib.masking import DIGITS_SHOWN, mask_contacts, mask_phone
from notifly_console.tenancy.access import Access, Right

R = RecipientState
PAGE = 50
FOUND_SHOWN = 50
FEW = 50_000
"""A run of so many people is read through in no time."""
WHOLE_NUMBER = len("+821012345678")


class Who(NamedTuple):
    """A part of an outcome: people in one of some states, of whom something more may hold."""

    states: tuple[str, ...]
    also: Q = Q()

    @property
    def condition(self) -> Q:
        return Q(state__in=self.states) & self.also


WHO: dict[str, Who] = {
    "delivered": Who((R.DELIVERED,)),
    "replaced": Who((R.DELIVERED,), Q(was_replaced=True)),
    "failed": Who((R.FAILED, R.REFUSED)),
    "retriable": Who((R.FAILED,), Q(is_transient=True, was_replaced=False)),
    "not_handed": Who((R.CLAIMED, R.PENDING)),
    "awaited": Who((R.ACCEPTED,)),
    "unknown": Who((R.UNKNOWN,)),
    "skipped": Who((R.SKIPPED,)),
}
"""By the name that stands in an address."""
COLOURS = {R.DELIVERED: "green", R.FAILED: "red", R.REFUSED: "red", R.UNKNOWN: "yellow", R.ACCEPTED: "blue"}


@dataclass(frozen=True)
class RecipientRow:
    """A recipient as everybody may see them."""

    recipient: Recipient
    external_id: str
    phone: str

    @property
    def colour(self) -> str:
        return COLOURS.get(RecipientState(self.recipient.state), "")

    @property
    def kind(self) -> str:
        """What was handed over, in words."""
        kind = self.recipient.kind
        return str(Kind(kind).label) if kind in Kind.values else ""

    @property
    def dot(self) -> str:
        """The mark of a line of history."""
        return {"green": "ok", "red": "bad", "yellow": "unknown", "blue": "wait"}.get(self.colour, "main")

    @property
    def at(self) -> datetime | None:
        """When what their state says happened."""
        return self.recipient.settled_at or self.recipient.handed_at

    @property
    def tail(self) -> str:
        """The end of the phone, which everybody may see."""
        return self.phone[-DIGITS_SHOWN:]

    @property
    def head(self) -> str:
        return self.phone[:-DIGITS_SHOWN]

    @property
    def why(self) -> str:
        """Why they are in that state, in words; "" where it says all."""
        return {
            R.PENDING: _("아직 넘기지 않음"),
            R.CLAIMED: _("넘기는 중"),
            R.ACCEPTED: _("넘겼고 결과를 기다림"),
            R.DELIVERED: _("대체 문자로 도달") if self.recipient.was_replaced else "",
            R.UNKNOWN: _("결과가 오지 않음") if self.recipient.reason else _("발송 플랫폼의 응답이 끊김"),
        }.get(RecipientState(self.recipient.state), str(self.recipient.state_reason))


def row_of(recipient: Recipient) -> RecipientRow:
    """The masked row of a recipient."""
    return RecipientRow(recipient, mask_contacts(recipient.external_id), mask_phone(national(recipient.phone)))


# -- Behind a number --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class People:
    """A page of the people behind a number, and the key after which the next begins."""

    who: str
    reason: str
    words: str
    """The reason in words."""
    rows: list[RecipientRow]
    after: str
    """"" where this is the last page."""
    is_first: bool


def people(run: Run, who: str, reason: str = "", after: str = "") -> People:
    """A page of those of `who` (with `reason`), from the key `after` on. As fast at the end as at the beginning: each
    state is read by the index that is ordered by it. Raises KeyError for a `who` that there isn't."""
    part = WHO[who]
    found = Recipient.objects.filter(part.also, run=run).order_by("pk")
    if reason:
        found = found.filter(reason=reason)
    first, above = _key(after) or ("", 0)
    rows: list[Recipient] = []
    for state in sorted(part.states):
        if state < first or len(rows) > PAGE:
            continue
        rows += found.filter(state=state, pk__gt=above if state == first else 0)[: PAGE + 1 - len(rows)]
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    words = str(Recipient(reason=reason).state_reason) if reason else ""
    next_key = f"{last.state}-{last.pk}" if last else ""
    return People(who, reason, words, [row_of(one) for one in rows[:PAGE]], next_key, is_first=not first)


def _key(text: str) -> tuple[str, int] | None:
    state, _dash, pk = text.partition("-")
    return (state, int(pk)) if state in R.values and pk.isascii() and pk.isdecimal() and len(pk) < 19 else None


# -- The search -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Found:
    """What a search found, and by what it looked (`phone`, `last_digits`, `id`)."""

    rows: list[RecipientRow]
    kinds: list[str]
    more: bool
    text: str


def search(access: Access, run: Run, text: str) -> Found:
    """Recipients of the run by phone (whole or its last four digits; its beginning too for those who may see contacts)
    or by id (whole or its beginning)."""
    whole = access.may(Right.SEE_CONTACTS)
    kinds: list[str] = []
    found: dict[int, Recipient] = {}
    if re.fullmatch(r"[0-9]{4}", text):
        kinds.append("last_digits")
        found |= {one.pk: one for one in _by_tail(run, text)}
    number = e164_beginning(text)
    if number and (whole or len(number) >= WHOLE_NUMBER):
        kinds.append("phone")
        found |= {one.pk: one for one in _by_phone(run, number, whole=whole)}
    kinds.append("id")
    found |= {one.pk: one for one in _by_id(access, run, text, whole=whole)}
    if not found and len(kinds) == 1:
        # Whose profile is gone or was renamed: row by row, since ids have no index here.
        found = {one.pk: one for one in run.recipients.filter(external_id=text)[: FOUND_SHOWN + 1]}
    ordered = sorted(found.values(), key=lambda one: (one.external_id != text, one.pk))
    return Found([row_of(one) for one in ordered[:FOUND_SHOWN]], kinds, len(found) > FOUND_SHOWN, text)


def _by_tail(run: Run, text: str) -> list[Recipient]:
    """By the last four digits. Of a large run by the ten thousand numbers that end so: to look them all up in the index
    takes a fraction of reading through a million."""
    if (run.size or 0) > FEW:
        wanted = [f"+8210{middle:04d}{text}" for middle in range(10_000)]
        return list(run.recipients.filter(phone__in=wanted)[: FOUND_SHOWN + 1])
    return list(run.recipients.filter(phone__endswith=text)[: FOUND_SHOWN + 1])


def _by_phone(run: Run, number: str, *, whole: bool) -> list[Recipient]:
    exact = list(run.recipients.filter(phone=number))
    if exact or not whole:
        return exact
    return list(run.recipients.filter(beginning("phone", number))[: FOUND_SHOWN + 1])


def _by_id(access: Access, run: Run, text: str, *, whole: bool) -> list[Recipient]:
    """Through the profiles, whose ids have an index."""
    profiles: QuerySet[Profile] = access.all(Profile).only("pk", "external_id")
    ids = [one.pk for one in profiles.filter(external_id=text)[:1]]
    alike = profiles.filter(beginning("external_id", text))[: FOUND_SHOWN + 1]
    # An id that is itself a number or an address is found whole only, by those who may not see it.
    ids += [one.pk for one in alike if whole or mask_contacts(one.external_id) == one.external_id]
    return list(run.recipients.filter(profile_id__in=ids)[: FOUND_SHOWN + 1]) if ids else []


def is_part_of_number(text: str, *, whole: bool) -> bool:
    """Whether it is a part of a number by which this person may not search."""
    number = e164_beginning(text)
    digits = re.sub(r"\D", "", text)
    looks = bool(re.fullmatch(r"[+\d\s().\-]+", text)) and len(digits) > DIGITS_SHOWN
    return looks and not whole and 0 < len(number or digits) < WHOLE_NUMBER

"""A dry run before the first large import: what taking its people would do, tried on the first hundred.

Whether Mixpanel's people are matched with those that are known depends on the identity column, and a wrong one makes
everybody anew. So the first large series of a project waits until somebody has seen what it would do. What is asked for
is remembered with the columns: other columns are asked about again.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from cohorts.models import Profile, PushAction, PushSession, PushState
from cohorts.people.profiles import Mapping, contact_of
from cohorts.people.upsert import distinct_ids, find
from cohorts.push import intake
from integrations.models import InboundPage, Inlet
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.crypto import CannotOpen
from notifly_console.tenancy.models import Project

SAMPLE = 100
SMALL_PAGES = 10
"""An import of up to this many pages is its own rehearsal."""
EXAMPLES = 5


class NothingWaits(Exception):
    """There is no import that waits to be confirmed: somebody did, or a newer one took its place."""


@dataclass(frozen=True)
class Report:
    """What became of the sample: each count has some external ids as examples."""

    sampled: int
    matched: int
    """Known already, by identity or distinct id."""
    new: int
    dropped: int
    """Not known, and the project wants no unknown ones."""
    refused: int
    """Without a usable id."""
    anonymous: int
    reachable: int
    shared_phones: int
    """How many numbers belong to more than one person."""
    examples: dict[str, list[str]]
    columns: list[str]
    """The names of the properties that came."""
    phones_lost: int = 0
    """Of a series that waits for this: how many of its people would have no phone any more."""

    @classmethod
    def of(cls, session: PushSession) -> "Report | None":
        """As it was kept with the session; None where there was none."""
        return cls(**session.rehearsal) if session.rehearsal else None


# -- Whether to wait --------------------------------------------------------------------------------------------------
def is_due(session: PushSession, project_id: UUID, mapping: Mapping) -> bool:
    """Whether somebody has to look before this session's people are taken."""
    if session.pages <= SMALL_PAGES or session.action == PushAction.REMOVE:
        return False
    return not is_confirmed(session, project_id, mapping)


def is_confirmed(session: PushSession, project_id: UUID, mapping: Mapping) -> bool:
    """Whether somebody has looked at this session, or at another one with these columns."""
    if session.rehearsal:
        return True
    confirmed = Inlet.objects.filter(project_id=project_id).values_list("confirmed_for", flat=True).first()
    return confirmed == columns_of(mapping)


def hold(session: PushSession, page_id: int, mapping: Mapping, *, phones_lost: int = 0) -> None:
    """Lets the session wait for a person, with a report on the sample. Its pages are kept meanwhile."""
    page = InboundPage.objects.get(pk=page_id)
    try:
        report = rehearse(page, mapping)
    except CannotOpen:
        return  # Reading the page will find out, and give the session up.
    session.rehearsal = report.__dict__ | {"phones_lost": phones_lost}
    session.state = PushState.AWAITING
    session.save(update_fields=["rehearsal", "state"])


def columns_of(mapping: Mapping) -> str:
    """By what a confirmation is remembered: other columns are other words."""
    return f"{mapping.seal.hex()}.{'drop' if mapping.drop_unknown else 'make'}"


# -- The report -------------------------------------------------------------------------------------------------------
def rehearse(page: InboundPage, mapping: Mapping) -> Report:
    """What taking the first hundred people of a page would do. Writes nothing. Raises CannotOpen."""
    sheet = intake.sheet_of(page, mapping)
    people = dict(list(intake.reading_of(sheet, mapping).people.items())[:SAMPLE])
    known = {row[0] for row in find(page.project_id, people)}
    known |= _known_by_distinct_id(page.project_id, {name: one.distinct_id for name, one in people.items()})
    unknown = [name for name in people if name not in known]
    phones: dict[str, set[str]] = defaultdict(set)
    for name, person in people.items():
        if (number := contact_of(person, mapping).phone[0]) is not None:
            phones[number].add(name)
    reachable = sum(len(names) for names in phones.values())
    others = Profile.objects.filter(project_id=page.project_id, phone__in=phones)
    for number, name in others.values_list("phone", "external_id"):
        phones[number or ""].add(name)
    shared = {number: names for number, names in phones.items() if len(names) > 1}
    refused = [one.shown for one in sheet.unusable[:EXAMPLES]]
    return Report(
        sampled=len(people),
        matched=len(known & people.keys()),
        new=0 if mapping.drop_unknown else len(unknown),
        dropped=len(unknown) if mapping.drop_unknown else 0,
        refused=len(sheet.unusable),
        anonymous=sum(name.startswith("$device:") for name in people),
        reachable=reachable,
        shared_phones=len(shared),
        examples={
            "matched": [name for name in people if name in known][:EXAMPLES],
            "new": [] if mapping.drop_unknown else unknown[:EXAMPLES],
            "dropped": unknown[:EXAMPLES] if mapping.drop_unknown else [],
            "refused": refused,
            "shared_phones": [" · ".join(sorted(names)[:3]) for names in list(shared.values())[:EXAMPLES]],
        },
        columns=sorted(sheet.columns),
    )


def _known_by_distinct_id(project_id: UUID, said: dict[str, str]) -> set[str]:
    """Identities whose distinct id has a profile that was made for it: it would be renamed."""
    by_distinct_id = {distinct_id: name for name, distinct_id in said.items() if distinct_id != name}
    found = {row[0]: row[1] for row in find(project_id, by_distinct_id)}
    made_for = distinct_ids(found.values())
    return {by_distinct_id[one] for one, number in found.items() if made_for.get(number) == one}


# -- A person decides -------------------------------------------------------------------------------------------------
def waiting(project: Project) -> list[PushSession]:
    """The sessions that wait for a person, the first to come first."""
    found = PushSession.objects.filter(cohort__project=project, state=PushState.AWAITING).select_related("cohort")
    return list(found.order_by("first_seq"))


@transaction.atomic
def confirm(project: Project, mapping: Mapping, session: int, *, actor: Any, request: Any = None) -> list[PushSession]:
    """Lets a session be taken that somebody has looked at: a first import with all others that wait for these columns,
    and what comes later with them; one that takes phones by itself. Raises NothingWaits when it doesn't wait."""
    Inlet.objects.get_or_create(project=project)
    inlet = Inlet.objects.select_for_update().get(project=project)
    held = waiting(project)
    asked = next((one for one in held if one.pk == session), None)
    if asked is None:
        raise NothingWaits
    if _takes_phones(asked):
        held = [asked]  # It says nothing of what a first import would do.
    else:
        held = [one for one in held if not _takes_phones(one)]
        inlet.confirmed_for, inlet.confirmed_at = columns_of(mapping), timezone.now()
        inlet.confirmed_by = getattr(actor, "email", "")
        inlet.save(update_fields=["confirmed_for", "confirmed_at", "confirmed_by"])
    PushSession.objects.filter(pk__in=[one.pk for one in held]).update(state=PushState.GATHERING)
    names = [one.cohort.screen_id for one in held]
    record(Action.IMPORT_CONFIRMED, project_id=project.pk, actor=actor, request=request, cohorts=names[:20])
    return held


def _takes_phones(session: PushSession) -> bool:
    return bool(session.rehearsal.get("phones_lost"))

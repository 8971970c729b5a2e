"""Two roads, one truth: where what came by push and what came by pull meet.

`PushRoad.members` is what is believed by both. It begins with what the last pull brought, if there was one. A push
session changes it, a complete pull replaces it with what it found and has the sessions that began after it on top:
earlier ones are older than what Mixpanel answered, and are out of date. The current version of the cohort is the
belief, published (`membership.publish`).
"""

from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone
from pyroaring import BitMap64

from cohorts.membership import dumped, loaded
from cohorts.models import (
    OPEN_SESSIONS,
    Cohort,
    Pull,
    PullState,
    PushAction,
    PushRoad,
    PushSession,
    PushState,
    Snapshot,
    SnapshotState,
)
from cohorts.people import identity
from cohorts.people.reach import reach_of
from cohorts.versions import drift
from integrations import inbox
from integrations.models import InboundPage, InboundState


def changed(members: BitMap64, action: str, people: BitMap64) -> BitMap64:
    """A membership after a session: `members` replaces it, the other two words change it."""
    if action == PushAction.ADD:
        return members | people
    return members - people if action == PushAction.REMOVE else people


def has_begun(road: PushRoad) -> bool:
    """Whether anything has gone over the road yet: until then it believes nothing of its own."""
    return road.complete_at is not None or road.full_at is not None


def begin(road: PushRoad) -> None:
    """Lets a road that nothing has gone over yet believe, on the object, what is known by pull. To be called in a
    transaction that holds the road: no pull publishes before it ends."""
    if has_begun(road):
        return
    cohort = Cohort.objects.select_for_update().get(pk=road.pk)
    # An undoing is a person's word on what is shown. What Mixpanel has is what came before it, shown or held.
    came = Snapshot.objects.filter(cohort=cohort, undoes=None).exclude(state=SnapshotState.DISCARDED)
    last = came.order_by("-number").first()
    if last is None:
        return
    members = identity.resolved(cohort.project_id, loaded(last.members), since=last.created_at)
    pulls = Pull.objects.filter(cohort=cohort, state=PullState.DONE).order_by("-refresh__requested_at", "-pk")
    road.members, road.size = dumped(members), len(members)
    road.pulled_seq = pulls.values_list("arrivals", flat=True).first() or 0
    road.full_at = cohort.refreshed_at


def meet(project_id: UUID, pull: Pull, found: BitMap64, reach: dict[str, Any]) -> tuple[BitMap64, dict[str, Any]]:
    """What a complete pull makes of the cohort's membership, and its reach: what it found, unless the cohort also comes
    by push. Notes where the two differed. To be called in the transaction that publishes."""
    known = identity.resolved(project_id, found, since=pull.refresh.requested_at)
    road = _road_of(pull.cohort_id)
    if road is None:
        return known, reach if known == found else reach_of(known)
    members = known
    later = PushSession.objects.filter(cohort_id=pull.cohort_id, state=PushState.APPLIED, first_seq__gt=pull.arrivals)
    for session in later.order_by("first_seq"):
        people = identity.resolved(project_id, loaded(session.members), since=session.began_at)
        members = changed(members, session.action, people)
    if has_begun(road):
        drift.note(pull, road, pulled=len(known), members=members)
    supersede(pull.cohort_id, pull.arrivals)
    road.members, road.size = dumped(members), len(members)
    road.pulled_seq, road.full_at = pull.arrivals, timezone.now()
    road.wants_full_at, road.wants_full_why = None, ""
    road.save(update_fields=["members", "size", "pulled_seq", "full_at", "wants_full_at", "wants_full_why"])
    return members, reach if members == found else reach_of(members)


def _road_of(cohort_id: int) -> PushRoad | None:
    """The cohort's road, locked; None for one that is never pushed. One that comes into being meanwhile begins with
    what is being published (`begin` waits for the cohort)."""
    mine = PushRoad.objects.filter(pk=cohort_id)
    road = mine.select_for_update().first()
    if road is None:
        Cohort.objects.select_for_update().get(pk=cohort_id)
        road = mine.first()
        if road is not None:
            return mine.select_for_update().get() if has_begun(road) else None
    return road


def want_full(cohort_id: int, why: str) -> bool:
    """Notes that only a whole list can heal the cohort; False where that was known already."""
    unknown = PushRoad.objects.filter(pk=cohort_id, wants_full_at=None)
    return bool(unknown.update(wants_full_at=Now(), wants_full_why=why))


def drop(session: PushSession, state: PushState, why: str) -> None:
    """Ends a session that isn't applied: its pages are dropped, and new again should they come again."""
    pages = InboundPage.objects.filter(pk__in=session.page_rows.values("inbound_id"))
    inbox.settle(pages, InboundState.DROPPED, why)
    # Who was on its pages: should a pull find them missing, it can say why.
    session.members = dumped(BitMap64().union(*map(loaded, session.page_rows.values_list("members", flat=True))))
    session.page_rows.all().delete()
    session.state, session.why, session.finished_at = state, why, timezone.now()
    session.save(update_fields=["state", "why", "finished_at", "members"])


def supersede(cohort_id: int, until: int) -> None:
    """Ends open sessions that began with or before this arrival: a pull that began after it knows better."""
    for session in PushSession.objects.filter(cohort_id=cohort_id, state__in=OPEN_SESSIONS, first_seq__lte=until):
        drop(session, PushState.SUPERSEDED, "pulled_since")

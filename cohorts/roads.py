"""Two roads, one truth: where what came by push and what came by pull meet.

`PushRoad.members` is what is believed by both. A push session changes it, a complete pull replaces it with what it
found and has the sessions that began after it on top: earlier ones are older than what Mixpanel answered, and are out
of date. The current version of the cohort is the belief, published (`membership.publish`).
"""

from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone
from pyroaring import BitMap64

from cohorts import identity, sessions
from cohorts.membership import dumped, loaded
from cohorts.models import Drift, Pull, PushAction, PushRoad, PushSession, PushState
from cohorts.reach import reach_of


def changed(members: BitMap64, action: str, people: BitMap64) -> BitMap64:
    """A membership after a session: `members` replaces it, the other two words change it."""
    if action == PushAction.ADD:
        return members | people
    return members - people if action == PushAction.REMOVE else people


def meet(project_id: UUID, pull: Pull, found: BitMap64, reach: dict[str, Any]) -> tuple[BitMap64, dict[str, Any]]:
    """What a complete pull makes of the cohort's membership, and its reach: what it found, unless the cohort also comes
    by push. Notes where the two differed. To be called in the transaction that publishes."""
    known = identity.resolved(project_id, found, since=pull.refresh.requested_at)
    road = PushRoad.objects.select_for_update().filter(pk=pull.cohort_id).first()
    if road is None:
        return known, reach if known == found else reach_of(known)
    members = known
    later = PushSession.objects.filter(cohort_id=pull.cohort_id, state=PushState.APPLIED, first_seq__gt=pull.arrivals)
    for session in later.order_by("first_seq"):
        people = identity.resolved(project_id, loaded(session.members), since=session.began_at)
        members = changed(members, session.action, people)
    _note_drift(pull, len(known), members, loaded(road.members))
    sessions.supersede(pull.cohort_id, pull.arrivals)
    road.members, road.size = dumped(members), len(members)
    road.pulled_seq, road.full_at = pull.arrivals, timezone.now()
    road.wants_full_at, road.wants_full_why = None, ""
    road.save(update_fields=["members", "size", "pulled_seq", "full_at", "wants_full_at", "wants_full_why"])
    return members, reach if members == found else reach_of(members)


def _note_drift(pull: Pull, pulled: int, members: BitMap64, believed: BitMap64) -> None:
    """Also where nothing differs: that is what one wants to read."""
    only_pulled, only_pushed = members - believed, believed - members
    Drift.objects.create(
        cohort_id=pull.cohort_id,
        refresh_id=pull.refresh_id,
        pulled=pulled,
        pushed=len(believed),
        only_pulled=dumped(only_pulled),
        only_pushed=dumped(only_pushed),
        only_pulled_count=len(only_pulled),
        only_pushed_count=len(only_pushed),
    )


def want_full(cohort_id: int, why: str) -> bool:
    """Notes that only a whole list can heal the cohort; False where that was known already."""
    unknown = PushRoad.objects.filter(pk=cohort_id, wants_full_at=None)
    return bool(unknown.update(wants_full_at=Now(), wants_full_why=why))

"""Undoing the last version of a cohort: the one before becomes current again, as a version of its own.

Nothing is taken away: the undone version stays to be read and compared, and what a campaign has frozen from it goes
as it was frozen. Nor is Mixpanel told: what is believed of a pushed cohort (`PushRoad.members`) stays, and the next
refresh or sync may bring the same change again, which the version then says.
"""

from cohorts.membership import Conflict, loaded, restore
from cohorts.models import Cohort, Snapshot, SnapshotState
from cohorts.people import identity
from cohorts.people.reach import reach_of


class NothingBefore(Exception):
    """There is no version before the current one."""


def undo_last(cohort: Cohort, *, seen: int, by: str) -> Snapshot:
    """Brings the version before the current one back; the new version. `seen` is the version (its key) that the person
    had before them. Raises Conflict when that isn't the current one, NothingBefore, DecisionFirst."""
    if cohort.current_id is None or cohort.current_id != seen:
        raise Conflict(cohort.screen_id)
    undone, before = _last_two(cohort)
    members = identity.resolved(cohort.project_id, loaded(before.members), since=before.created_at)
    # Phones may have changed since: how people can be reached is counted anew.
    return restore(cohort, members, reach_of(members), undoes=undone.number, restores=before.number, by=by)


def _last_two(cohort: Cohort) -> tuple[Snapshot, Snapshot]:
    published = Snapshot.objects.filter(cohort=cohort, state=SnapshotState.PUBLISHED, number__lte=cohort.number)
    newest = list(published.order_by("-number")[:2])
    if len(newest) < 2:
        raise NothingBefore(cohort.screen_id)
    if newest[0].pk != cohort.current_id:
        raise Conflict(cohort.screen_id)
    return newest[0], newest[1]

"""Which versions are kept, and the forgetting of the others, by each project's rule.

Never forgotten: the current version and the one before it (undoing needs that), a held one, and one that a higher room
has asked for until some moment (`Snapshot.kept_until`).
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from cohorts.models import Cohort, CohortRules, Snapshot, SnapshotState
from notifly_console.lib.compiled import Compiled
from notifly_console.tenancy.access import OF_PROJECT
from notifly_console.tenancy.models import Project

DISCARDED_KEPT = timedelta(hours=24)
FOREVER_DAYS = 36_500
PRUNED_AT_ONCE = 1000
FREE = Q(kept_until=None) | Q(kept_until__lt=Now())


def rules_of(project_id: UUID) -> CohortRules:
    """The project's rules for cohorts; those that everybody begins with, written nowhere, until one is changed."""
    return _RULES.first(project=project_id) or CohortRules(project_id=project_id)


_RULES: Compiled[CohortRules] = Compiled(lambda: CohortRules.objects.filter(**OF_PROJECT))


def keep_until(snapshot_ids: Iterable[int], *, days: int) -> int:
    """Asks for these versions to be kept for some days more. For higher rooms; to be told again while they need them.
    Returns how many there are."""
    until = timezone.now() + timedelta(days=days)
    return Snapshot.objects.filter(pk__in=list(snapshot_ids)).update(kept_until=until)


def prune() -> int:
    """Deletes the versions that the rules don't keep, and what was discarded a day ago. Returns how many."""
    own = CohortRules.objects.filter(project=OuterRef("pk"))
    gone = _forget(Project.objects.exclude(Exists(own)).values("pk"), CohortRules())
    for rules in CohortRules.objects.all().iterator():
        gone += _forget([rules.project_id], rules)
    return gone + _forget_discarded()


def _forget(projects: Any, rules: CohortRules) -> int:
    published = Snapshot.objects.filter(FREE, state=SnapshotState.PUBLISHED, cohort__project__in=projects)
    ranked = published.annotate(rank=Window(RowNumber(), partition_by=F("cohort_id"), order_by=F("number").desc()))
    now = timezone.now()
    # Of conditions joined by "and" Django would ask those about columns before it ranks; joined by "or", after it.
    beyond = Q(rank__gt=rules.keep_versions, created_at__lt=now - timedelta(days=rules.keep_all_days))
    beyond |= Q(rank__gt=2, created_at__lt=now - timedelta(days=rules.keep_days or FOREVER_DAYS))
    going = list(ranked.filter(beyond).order_by("pk").values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    return _delete(going)


def _forget_discarded() -> int:
    old = timezone.now() - DISCARDED_KEPT
    discarded = Snapshot.objects.filter(state=SnapshotState.DISCARDED).filter(
        Q(decided_at__lt=old) | Q(decided_at=None, created_at__lt=old)
    )
    return _delete(list(discarded.values_list("pk", flat=True)[:PRUNED_AT_ONCE]))


def _delete(keys: list[int]) -> int:
    """Those of them that nobody needs, asked again in the statement that deletes."""
    used = Cohort.objects.filter(Q(current_id=OuterRef("pk")) | Q(held_id=OuterRef("pk")))
    return Snapshot.objects.filter(FREE, ~Exists(used), pk__in=keys).delete()[0]

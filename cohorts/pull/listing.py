"""Mixpanel's cohort list into rows, and the order in which their memberships are wanted. One query of the budget."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Min
from django.utils import timezone

from cohorts.models import Cohort, Pull, PullState
from cohorts.pull.pulls import reset
from integrations.mixpanel.schemas import ListedCohort

NAME_KEY_LENGTH = 100
WATCHED_LATELY = timedelta(days=1)
AT_ONCE = 500
_LISTED = ("name", "name_key", "description", "reported_size", "is_visible", "is_listed", "vanished_at")


def store(project_id: UUID, listed: Iterable[ListedCohort]) -> dict[str, int]:
    """Writes what the list says: new cohorts, renames, sizes, those that are gone (kept, and marked with the time) and
    those that are back. Group cohorts hold companies rather than people and are only counted. Returns the counts."""
    wanted = {one.id: one for one in listed if not one.is_group}
    known = Cohort.objects.filter(project_id=project_id)
    kept = {row["source_id"]: row for row in known.values("source_id", *_LISTED)}
    differing = {
        number: columns
        for number, columns in ((one.id, _columns(one)) for one in wanted.values())
        if number not in kept or any(kept[number][name] != value for name, value in columns.items())
    }
    # One statement for hundreds of rows, new and changed alike; that ids are burnt matters to profiles only.
    Cohort.objects.bulk_create(
        [Cohort(project_id=project_id, source_id=number, **columns) for number, columns in differing.items()],
        batch_size=AT_ONCE,
        update_conflicts=True,
        unique_fields=["project", "source_id"],
        update_fields=_LISTED,
    )
    there = (number for number, row in kept.items() if row["is_listed"] and row["vanished_at"] is None)
    gone = [number for number in there if number not in wanted]
    for start in range(0, len(gone), AT_ONCE):
        known.filter(source_id__in=gone[start : start + AT_ONCE]).update(vanished_at=timezone.now())
    return {
        "cohorts": len(wanted),
        "new_cohorts": len(wanted.keys() - kept.keys()),
        "hidden": sum(not one.is_visible for one in wanted.values()),
        "vanished": len(gone),
    }


def _columns(one: ListedCohort) -> dict[str, Any]:
    return {
        "name": one.name,
        "name_key": name_key(one.name),
        "description": one.description,
        "reported_size": one.count,
        "is_visible": one.is_visible,
        "is_listed": True,
        "vanished_at": None,
    }


def name_key(name: str) -> str:
    """What a cohort of this name is sorted by."""
    return name.strip().lower()[:NAME_KEY_LENGTH]


# -- What comes first -------------------------------------------------------------------------------------------------
def line_up(refresh_id: UUID, cohorts: Iterable[Cohort]) -> None:
    """Gives each of the cohorts its turn in the refresh; one that has a turn already keeps it.

    The most needed first: wanted by a campaign about to go, opened lately, never read, of another size than reported,
    the longest unread. Cohorts hidden in Mixpanel come last: a campaign may use them all the same."""
    now = timezone.now()
    ordered = sorted(cohorts, key=lambda one: need(one, now))
    Pull.objects.bulk_create(
        [Pull(refresh_id=refresh_id, cohort=one, position=place) for place, one in enumerate(ordered, 1)],
        batch_size=AT_ONCE,
        ignore_conflicts=True,
    )


def need(one: Cohort, now: datetime) -> tuple[Any, ...]:
    """What cohorts are ordered by, the smallest first."""
    read_at = one.refreshed_at
    wanted = one.needed_at is not None and (read_at is None or read_at < one.needed_at)
    watched = one.watched_at if one.watched_at and now - one.watched_at < WATCHED_LATELY else None
    return (
        not wanted,
        one.needed_at.timestamp() if wanted and one.needed_at else 0,
        not one.is_visible,
        watched is None,
        -watched.timestamp() if watched else 0,
        read_at is not None,
        one.reported_size == one.size,
        read_at.timestamp() if read_at else 0,
        one.source_id,
    )


def put_first(refresh_id: UUID, cohort: Cohort) -> None:
    """Makes this cohort the next of the refresh: its turn moves up, or comes again if it was over, or is made."""
    first = Pull.objects.filter(refresh_id=refresh_id).aggregate(first=Min("position"))["first"]
    position = 0 if first is None else min(first, 1) - 1
    pull, made = Pull.objects.get_or_create(refresh_id=refresh_id, cohort=cohort, defaults={"position": position})
    if made or pull.state == PullState.RUNNING:
        return
    if pull.state != PullState.WAITING:
        reset(pull)
    pull.position, pull.state, pull.attempts, pull.restarts, pull.failure = position, PullState.WAITING, 0, 0, ""
    pull.save()

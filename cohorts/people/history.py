"""Partner Sync: every join and leave of a cohort as an event of the person (product.md §3).

No event is written anywhere: a version holds who joined with it and who left, and what happened to somebody is read
from there. So it reaches back as far as versions are kept (`versions/retain.py`), and whoever shows it says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from pyroaring import BitMap64

from cohorts.membership import loaded
from cohorts.models import Alias, Profile, Snapshot, SnapshotState
from cohorts.people import identity

NAME = "Partner Sync"
SOURCE = "Mixpanel"
"""Of every event: `CT Source`, and `Partner Name`."""
SHOWN = 20
AT = Coalesce("decided_at", "created_at")
"""When a version became current."""
VERSIONS_A_STEP = 2_000
BYTES_A_STEP = 24_000_000
"""How much of versions one request reads at most when it looks for a person's events."""


@dataclass(frozen=True)
class Event:
    """That somebody joined or left a cohort, with the version that says so (its bitmaps aren't loaded)."""

    version: Snapshot
    joined: bool

    @property
    def at(self) -> datetime:
        """When the version became current."""
        return self.version.decided_at or self.version.created_at

    @property
    def action(self) -> str:
        return "Added" if self.joined else "Removed"

    @property
    def segment_name(self) -> str:
        """The cohort's name as it is now."""
        return self.version.cohort.name

    @property
    def segment_id(self) -> str:
        return self.version.cohort.screen_id

    @property
    def road(self) -> str:
        """What caused it: "pull", "push", "undo"; "" where that was forgotten."""
        return self.version.road


@dataclass(frozen=True)
class Events:
    """Some of a person's events, the newest first, and the version (its key) before which the next ones are."""

    rows: list[Event]
    looked_at: int
    before: int | None


# -- Of a person ------------------------------------------------------------------------------------------------------
def events_of(profile: Profile, before: int | None = None) -> Events:
    """The events of a profile in versions older than `before` (a key). Four statements, which read no more than a
    step's worth: what is left says where it goes on."""
    olds = Alias.objects.filter(profile_id=profile.pk).values_list("old_id", flat=True)
    numbers = BitMap64([profile.pk, *filter(None, olds)])
    moving = _published(profile.project_id).filter(Q(joined_count__gt=0) | Q(left_count__gt=0))
    if before is not None:
        moving = moving.filter(pk__lt=before)
    listed = list(moving.order_by("-pk").values_list("pk", "joined_count", "left_count")[:VERSIONS_A_STEP])
    step = list(_within(listed))
    hits = sorted(_hits(step, numbers), reverse=True)
    is_more = len(step) < len(listed) or len(listed) == VERSIONS_A_STEP
    next_ = hits[SHOWN - 1][0] if len(hits) > SHOWN else step[-1] if is_more else None
    return Events(_told(hits[:SHOWN]), len(step), next_)


def _within(listed: list[tuple[int, int, int]]) -> Iterator[int]:
    """As many of the versions as fit a step, one at least."""
    used = 0
    for key, joined, left in listed:
        used += 64 + 2 * (joined + left)
        if used > BYTES_A_STEP and key != listed[0][0]:
            return
        yield key


def _hits(keys: list[int], numbers: BitMap64) -> Iterator[tuple[int, bool]]:
    """(version, whether joined) for each that holds one of a person's numbers on one side. Who is on both has only
    changed the number."""
    for key, *raw in Snapshot.objects.filter(pk__in=keys).values_list("pk", "joined", "left").iterator(chunk_size=100):
        joined, left = (bool(loaded(one) & numbers) for one in raw)
        if joined != left:
            yield key, joined


def _told(hits: list[tuple[int, bool]]) -> list[Event]:
    versions = Snapshot.objects.select_related("cohort").defer("members", "joined", "left")
    found = versions.in_bulk([key for key, _joined in hits])
    return [Event(found[key], joined) for key, joined in hits if key in found]


# -- Of a cohort ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Found:
    """Whom the same event happened to. `known_from`: where versions from before that moment are forgotten, and the
    answer would need them."""

    people: BitMap64
    known_from: datetime | None


def those_who(project_id: UUID, cohort_id: int, *, joined: bool, days: int) -> Found:
    """Who joined (or left) a cohort of the project in the last days, in whichever version. Two statements and, where
    there were any, one for those who are part of others by now."""
    since = timezone.now() - timedelta(days=days)
    versions = _published(project_id).filter(cohort_id=cohort_id).annotate(at=AT)
    column = "joined" if joined else "left"
    people = BitMap64().union(*(loaded(one) for one in versions.filter(at__gte=since).values_list(column, flat=True)))
    oldest = _oldest(project_id, cohort_id)
    if people and oldest:
        people = identity.resolved(project_id, people, since=min(since, oldest[1]))
    return Found(people, _unless_all_known(oldest, since))


def known_from(project_id: UUID, cohort_id: int, *, days: int) -> datetime | None:
    """Since when it is known who joined and left a cohort; None where all of the last days is. One statement."""
    return _unless_all_known(_oldest(project_id, cohort_id), timezone.now() - timedelta(days=days))


def _oldest(project_id: UUID, cohort_id: int) -> tuple[int, datetime] | None:
    """Number and moment of the oldest version that is kept."""
    return _published(project_id).filter(cohort_id=cohort_id).order_by("number").values_list("number", AT).first()


def _unless_all_known(oldest: tuple[int, datetime] | None, since: datetime) -> datetime | None:
    return oldest[1] if oldest and oldest[0] > 1 and oldest[1] > since else None


def _published(project_id: UUID) -> QuerySet[Snapshot, Any]:
    return Snapshot.objects.filter(cohort__project_id=project_id, state=SnapshotState.PUBLISHED)

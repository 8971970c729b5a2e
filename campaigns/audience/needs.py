"""Telling the cohorts when campaigns will want them: what a lower room must know of this one is told to it."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from campaigns.models import AudienceKind, Campaign, CampaignState, Watch
from cohorts.groups.conditions import Definition, InCohort, InGroup, Synced, definition_of
from cohorts.models import Cohort, UserGroup

AHEAD = timedelta(hours=26)
"""A little more than the timetable of refreshes shows."""
WAITS = timedelta(hours=3)
"""As long as a run waits for its cohort at most (`freeze.LONGEST_REFRESH`)."""


def tell(closings: Mapping[UUID, datetime] | None = None) -> int:
    """Writes to each cohort when the next campaign goes to it, and takes back what isn't so any more. Returns how many
    cohorts are needed. `closings`: when campaigns of 이벤트 기반 발송 want to know for the last time who came in."""
    now = timezone.now()
    coming = Campaign.objects.filter(state=CampaignState.ACTIVE, next_run_at__gt=now, next_run_at__lt=now + AHEAD)
    # One of 이벤트 기반 발송 wants to know who is in when it begins; then it takes what comes, when it comes.
    coming = coming.exclude(timing__kind="live", pk__in=Watch.objects.values("campaign"))
    needed: dict[int, datetime] = {}
    moments = [(one.next_run_at, one) for one in coming.select_related("group") if one.next_run_at is not None]
    closing = Campaign.objects.select_related("group").in_bulk(list(closings or {}))
    moments += [(at, closing[key]) for key, at in (closings or {}).items() if key in closing]
    for moment, campaign in sorted(moments, key=lambda one: one[0], reverse=True):
        needed |= dict.fromkeys(cohorts_of(campaign), moment)
    for key, moment in needed.items():
        # One that a run waits for at this moment keeps the moment since which it waits.
        passed = Q(refreshed_at__gte=F("needed_at")) | Q(needed_at__lt=now - WAITS)
        changed = Q(needed_at=None) | Q(needed_at__gt=now) | passed
        Cohort.objects.filter(changed, pk=key).exclude(needed_at=moment).update(needed_at=moment)
    Cohort.objects.filter(needed_at__gt=now).exclude(pk__in=needed).update(needed_at=None)
    return len(needed)


def cohorts_of(campaign: Campaign) -> set[int]:
    """The ids of the cohorts that its audience is made of: its own, or those that its user group speaks of."""
    if campaign.audience_kind == AudienceKind.COHORT and campaign.cohort_id is not None:
        return {campaign.cohort_id}
    if campaign.audience_kind != AudienceKind.GROUP or campaign.group is None:
        return set()
    definition = definition_of(campaign.group.definition)
    return definition.cohorts.union(*(one.cohorts for one in _inner(campaign, definition.groups)))


def triggers_of(campaign: Campaign) -> set[int]:
    """The ids of the cohorts that somebody comes into when they come into its audience: its own, or those that its user
    group wants people to be in. (Nobody is added to anything by leaving a cohort that they must not be in.)"""
    if campaign.audience_kind != AudienceKind.GROUP or campaign.group is None:
        return cohorts_of(campaign)
    definition = definition_of(campaign.group.definition)
    groups = {one.group for one in definition if isinstance(one, InGroup) and one.is_in}
    return _wanted(definition).union(*map(_wanted, _inner(campaign, groups)))


def _wanted(definition: Definition) -> set[int]:
    joined = {one.cohort for one in definition if isinstance(one, Synced) and one.joined}
    return joined | {one.cohort for one in definition if isinstance(one, InCohort) and one.is_in}


def _inner(campaign: Campaign, groups: Collection[str]) -> list[Definition]:
    inner = (
        UserGroup.objects.filter(project_id=campaign.project_id, pk__in=groups) if groups else UserGroup.objects.none()
    )
    return [definition_of(stored) for stored in inner.values_list("definition", flat=True)]

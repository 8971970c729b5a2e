"""Telling the cohorts when campaigns will want them: what a lower room must know of this one is told to it."""

from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from campaigns.models import AudienceKind, Campaign, CampaignState
from cohorts.groups.conditions import definition_of
from cohorts.models import Cohort, UserGroup

AHEAD = timedelta(hours=26)
"""A little more than the timetable of refreshes shows."""
WAITS = timedelta(hours=3)
"""As long as a run waits for its cohort at most (`freeze.LONGEST_REFRESH`)."""


def tell() -> int:
    """Writes to each cohort when the next campaign goes to it, and takes back what isn't so any more. Returns how many
    cohorts are needed."""
    now = timezone.now()
    coming = Campaign.objects.filter(state=CampaignState.ACTIVE, next_run_at__gt=now, next_run_at__lt=now + AHEAD)
    # One of 이벤트 기반 발송 wants to know who is in when it begins; then it takes what comes, when it comes.
    coming = coming.exclude(timing__kind="live", watch__isnull=False)
    needed: dict[int, datetime] = {}
    for campaign in coming.select_related("group").order_by("-next_run_at"):
        assert campaign.next_run_at is not None
        needed |= dict.fromkeys(cohorts_of(campaign), campaign.next_run_at)
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
    found = set(definition.cohorts)
    inner = UserGroup.objects.filter(project_id=campaign.project_id, pk__in=definition.groups)
    for stored in inner.values_list("definition", flat=True):
        found |= definition_of(stored).cohorts
    return found

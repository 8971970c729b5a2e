"""Telling the cohorts which versions are still needed: those that a live run was frozen from, and those that a campaign
of 이벤트 기반 발송 has last looked at or hasn't looked at yet.

Told again and again while the run lives, so that nothing has to be taken back when it ends, however it ends.
"""

from django.db.models import Exists, OuterRef, Q

from campaigns.models import RUN_LIVE, CampaignState, Run, Watch
from cohorts.models import Snapshot
from cohorts.versions import retain

KEPT_DAYS = 2
"""From each telling on."""


def tell() -> int:
    """Has the versions of all live runs kept. Returns how many."""
    used = Run.objects.filter(state__in=RUN_LIVE, snapshot__isnull=False).values_list("snapshot_id", flat=True)
    going = Q(campaign__state=CampaignState.ACTIVE) | Q(campaign__state=CampaignState.INACTIVE, campaign__brake__gt="")
    watched = Watch.objects.filter(going, cohort=OuterRef("cohort"), number__lte=OuterRef("number"))
    unseen = Snapshot.objects.filter(Exists(watched)).values_list("pk", flat=True)
    return retain.keep_until({*used, *unseen}, days=KEPT_DAYS)

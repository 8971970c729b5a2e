"""A project has moved to another time zone: whatever is planned goes out at the same time of day there."""

from datetime import datetime, timedelta, tzinfo

from django.utils import timezone

from campaigns.models import Campaign, CampaignState, Run, RunKind
from campaigns.sending import brake, history
from campaigns.sending.schedule import next_run, timing_of, upcoming
from notifly_console.tenancy.models import Project
from notifly_console.tenancy.zones import on_move


def move(project: Project, before: tzinfo) -> int:
    """Plans the next run of each active campaign anew; how many moved. One whose moment has passed in the new zone
    stops and says so: nobody would notice else that it never goes out."""
    planned = Campaign.objects.filter(project=project, state=CampaignState.ACTIVE, next_run_at__isnull=False)
    return sum(_move(campaign, project, before) for campaign in planned.select_for_update().order_by("pk"))


def _move(campaign: Campaign, project: Project, before: tzinfo) -> bool:
    old = campaign.next_run_at
    assert old is not None
    timing = timing_of(campaign.timing)
    if timing.is_live and not upcoming(timing, timezone.now(), before, 1):
        return False  # It has begun: its next look is of no zone.
    coming = _next(campaign, project.zone, before)
    if coming == old:
        return False
    if coming is None:
        brake.pull(campaign, "time_passed")
        return True
    Campaign.objects.filter(pk=campaign.pk, next_run_at=old).update(next_run_at=coming)
    history.note(campaign, "rescheduled", before=_words(old, before), after=_words(coming, project.zone))
    return True


def _next(campaign: Campaign, zone: tzinfo, before: tzinfo) -> datetime | None:
    """The next moment, on a later day than the last run was planned for: a clock that is put back must not bring the
    same day's message twice."""
    timing, after = timing_of(campaign.timing), timezone.now()
    runs = Run.objects.filter(campaign=campaign, kind=RunKind.REGULAR).order_by("-due_at")
    last = runs.values_list("due_at", flat=True).first() if timing.repeats else None
    coming = next_run(timing, after, zone)
    while coming is not None and last is not None and coming.astimezone(zone).date() <= last.astimezone(before).date():
        coming = next_run(timing, max(coming, after) + timedelta(seconds=1), zone)
    return coming


def _words(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"


on_move(move)

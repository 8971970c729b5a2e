"""이벤트 기반 발송: each person once, when they come into the cohort; of a user group, when they come into one of the
cohorts that it wants people to be in, and fit the whole group then (docs/decisions/0015).

A look takes all versions since the last one together: whoever came in with any of them, and is still in, becomes a run.
Those whom an undoing brought back didn't come in. Who came in and left again between two looks isn't sent to: by the
time that anything could be sent they are out.

Who was in when the campaign began isn't sent to, unless they leave and come in again. Nor is who came in while a person
had paused it; where it had stopped by itself nobody meant that, and they are sent to once it goes on.

How "once" is held: docs/decisions/0013.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from pyroaring import BitMap64

from campaigns.audience import needs
from campaigns.audience.keep_versions import KEPT_DAYS
from campaigns.audience.needs import triggers_of
from campaigns.models import RUN_LIVE, Campaign, CampaignState, Recipient, Run, RunState, Watch
from campaigns.sending import epoch, finish
from campaigns.sending.schedule import When, closes, next_run, opens, timing_of
from cohorts.membership import loaded, on_publish
from cohorts.models import LIVE as REFRESH_LIVE
from cohorts.models import Cohort, PushSession, PushState, Refresh, Snapshot, SnapshotState
from cohorts.people import identity
from cohorts.versions import retain
from notifly_console.celery import app
from notifly_console.lib.nudge import nudge

LOOK = app.signature("campaigns.look")
APART = timedelta(seconds=10)
"""Between two runs of a campaign at least: a thousand small syncs are a few runs."""
LATEST = timedelta(hours=1)
"""So long a campaign whose time is over waits for what began before its end."""
QUIET = timedelta(seconds=60)
"""A look that nobody asked for: what a lost word left behind is found by then."""


# -- From when on -----------------------------------------------------------------------------------------------------
def begin(campaign: Campaign, now: datetime) -> None:
    """Notes who is in already, where it begins now. To be called in the transaction that starts or resumes it;
    `campaign` as it was before. One that stopped by itself goes on where it was."""
    triggers, watches = triggers_of(campaign), Watch.objects.filter(campaign=campaign)
    stopped_itself = campaign.brake not in ("", epoch.CODE)
    if stopped_itself and watches.filter(cohort__in=triggers).exists():
        return
    watches.delete()
    opening = opens(timing_of(campaign.timing), campaign.project.zone)
    if opening is None or opening <= now:
        for cohort in Cohort.objects.filter(pk__in=triggers).select_related("current"):
            _watch(campaign, cohort, now, cohort.current)


def _watches(campaign: Campaign, now: datetime) -> list[Watch]:
    """What it watches: since its opening, however late that is looked at; a cohort that its group was told of later,
    from now on."""
    triggers, watches = triggers_of(campaign), Watch.objects.filter(campaign=campaign)
    if not triggers:
        return []
    has_begun = watches.exists()
    watches.exclude(cohort__in=triggers).delete()
    found = list(watches)
    new = Cohort.objects.filter(pk__in=triggers - {one.cohort_id for one in found}).select_related("current")
    if has_begun:
        return found + [_watch(campaign, cohort, now, cohort.current) for cohort in new]
    opening = opens(timing_of(campaign.timing), campaign.project.zone) or now
    return [_watch(campaign, cohort, opening, _at(cohort, opening)) for cohort in new]


def _at(cohort: Cohort, moment: datetime) -> Snapshot | None:
    """The version that was current then, else the first."""
    published = Snapshot.objects.filter(cohort=cohort, state=SnapshotState.PUBLISHED).order_by("number")
    return published.filter(_published_by(moment)).last() or published.first()


def _watch(campaign: Campaign, cohort: Cohort, since: datetime, base: Snapshot | None) -> Watch:
    number, was_in = (base.number, base.size) if base else (0, 0)
    return Watch.objects.create(campaign=campaign, cohort=cohort, number=number, since=since, was_in=was_in)


def _published_by(moment: datetime) -> Q:
    """A held version counts from when it was accepted."""
    return Q(decided_at__lte=moment) | Q(decided_at=None, created_at__lte=moment)


def _began_before(closing: datetime) -> Q:
    """What was on its way at the end still counts, unless a person had to decide about it."""
    began = Q(session__began_at__lt=closing) | Q(refresh__requested_at__lt=closing)
    return began & Q(decided_at=None, created_at__lte=closing + LATEST)


# -- A look -----------------------------------------------------------------------------------------------------------
def is_gathering(campaign: Campaign, now: datetime) -> bool:
    """Whether those who come in gather for a while: a run was just made, or isn't through yet for another reason than
    the night; or its time is over, and a push or a refresh that began before is still to be published."""
    if _comes_late(campaign, now):
        return True
    runs = Run.objects.filter(campaign=campaign, joined__isnull=False)
    going = runs.filter(state__in=RUN_LIVE, handed_over_at=None).exclude(state=RunState.SENDING, waiting_for="night")
    return going.exists() or runs.filter(due_at__gt=now - APART).exists()


def _comes_late(campaign: Campaign, now: datetime) -> bool:
    closing = closes(timing_of(campaign.timing), campaign.project.zone)
    if closing is None or not closing <= now < closing + LATEST:
        return False
    cohorts = Watch.objects.filter(campaign=campaign).values("cohort")
    began: dict[str, Any] = {"cohort__in": cohorts, "began_at__lt": closing}
    if PushSession.objects.filter(state=PushState.GATHERING, **began).exists():
        return True
    refreshes = Refresh.objects.filter(project_id=campaign.project_id, state__in=REFRESH_LIVE)
    of_ours = Q(cohort=None) | Q(cohort__in=cohorts)
    return refreshes.filter(of_ours, requested_at__lt=closing).exists()


def closings(now: datetime) -> dict[UUID, datetime]:
    """When the time of each campaign that is going is over, of those for which that is soon."""
    live = Campaign.objects.filter(state=CampaignState.ACTIVE, timing__kind=When.LIVE, timing__end__isnull=False)
    found = {one.pk: closes(timing_of(one.timing), one.project.zone) for one in live.select_related("project")}
    return {key: at for key, at in found.items() if at is not None and now < at < now + needs.AHEAD}


def next_look(campaign: Campaign, now: datetime, *, gathers: bool) -> datetime | None:
    """When to look again if nobody comes in before; None when its time is over and nobody gathers any more."""
    if gathers:
        return now + APART
    timing, zone = timing_of(campaign.timing), campaign.project.zone
    closing = closes(timing, zone)
    later = next_run(timing, now + QUIET, zone)
    return closing if closing is not None and now < closing < now + QUIET else later


def take_in(campaign: Campaign, now: datetime) -> BitMap64:
    """Who came in since the last look and is still in: a run is to be made of them. To be called in the transaction
    that makes the run and holds the campaign's row."""
    closing = closes(timing_of(campaign.timing), campaign.project.zone)
    return BitMap64().union(*(_came_in(watch, closing) for watch in _watches(campaign, now)))


def _came_in(watch: Watch, closing: datetime | None) -> BitMap64:
    cohort = Cohort.objects.only("number", "project_id").get(pk=watch.cohort_id)
    if cohort.number <= watch.number:
        return BitMap64()
    versions = Snapshot.objects.filter(
        Q() if closing is None else _published_by(closing) | _began_before(closing),
        cohort=cohort,
        state=SnapshotState.PUBLISHED,
        number__gt=watch.number,
        number__lte=cohort.number,
    )
    joined = _joined(cohort, watch, list(versions.order_by("number")))
    Watch.objects.filter(pk=watch.pk).update(number=cohort.number)
    return joined


def _joined(cohort: Cohort, watch: Watch, versions: list[Snapshot]) -> BitMap64:
    came, left = BitMap64(), BitMap64()
    for version in versions:
        left |= _now(cohort, version, "left")
        if version.undoes is None:
            came |= _now(cohort, version, "joined")
    if not came:
        return came
    before = Snapshot.objects.filter(cohort=cohort, number=watch.number).first()
    # Under another name (`people/identity.py`) somebody may seem to come in who was there all the time.
    stayed = _now(cohort, before, "members") - left if before else BitMap64()
    return (came - stayed) & _now(cohort, versions[-1], "members")


def _now(cohort: Cohort, version: Snapshot, which: str) -> BitMap64:
    return identity.resolved(cohort.project_id, loaded(getattr(version, which)), since=version.created_at)


def let_go(runs: Sequence[Run]) -> BitMap64:
    """Who had come in for these runs, which nobody has got anything of: from now on they may be sent to by another."""
    Recipient.objects.filter(run__in=[run.pk for run in runs]).update(once_of=None)
    sets = (identity.resolved(run.project_id, loaded(run.joined or b""), since=run.created_at) for run in runs)
    return BitMap64().union(*sets)


# -- A version was published ------------------------------------------------------------------------------------------
def notice(cohort_id: int, snapshot_id: int) -> None:
    """Has the campaigns that watch the cohort look at once, and the version kept until they have. Called in the
    transaction that publishes it; the sweep finds the rows where the nudge is lost."""
    project = Cohort.objects.filter(pk=cohort_id).values("project")
    live = Campaign.objects.filter(project__in=project, timing__kind=When.LIVE, state__in=finish.GOING)
    watching = [
        one.pk for one in live.defer("message", "kept").select_related("group") if cohort_id in triggers_of(one)
    ]
    if not watching:
        return
    retain.keep_until([snapshot_id], days=KEPT_DAYS)
    # One that is still to begin has no watch, and is woken by its own clock.
    now = timezone.now()
    begun = Watch.objects.filter(campaign__in=watching).values("campaign")
    Campaign.objects.filter(pk__in=begun, state__in=finish.GOING, next_run_at__gt=now).update(next_run_at=now)
    nudge(LOOK)


on_publish(notice)

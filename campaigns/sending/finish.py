"""When a run is over, and when a campaign is."""

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.models import (
    RUN_LIVE,
    Batch,
    BatchState,
    Campaign,
    CampaignState,
    Recipient,
    RecipientState,
    Run,
    RunKind,
    RunState,
)
from campaigns.sending import arrows, history
from campaigns.sending.schedule import next_run, timing_of
from integrations.messaging import Reason
from notifly_console.celery import app
from notifly_console.lib.nudge import nudge

log = structlog.get_logger(__name__)

OPEN = (BatchState.CLAIMED, BatchState.TRIED, BatchState.UNKNOWN)
"""Batches whose people may yet have to wait again."""
GOING = (CampaignState.ACTIVE, CampaignState.INACTIVE)
CANCELLED_AT_ONCE = 5_000
SWEPT_AT_ONCE = 200
PRUNED_AT_ONCE = 50_000
TIDY = app.signature("campaigns.tidy")


def _nobody_left() -> Q:
    """The condition that nobody of a run is still to be handed over, whatever becomes of its batches. One statement
    asks it and acts on it: it sees one moment, in which a person is either waiting or in an open batch, or neither."""
    waiting = Recipient.objects.filter(run=OuterRef("pk"), state__in=[RecipientState.PENDING, RecipientState.CLAIMED])
    open_ = Batch.objects.filter(run=OuterRef("pk"), state__in=OPEN)
    return ~Exists(waiting) & ~Exists(open_)


def finish(run_id: int) -> bool:
    """Ends the run if nobody is left to be handed over; whether it did. A run that sends its fallback texts itself
    ends only when no failure can be reported any more."""
    run = Run.objects.select_related("campaign").filter(pk=run_id, state=RunState.SENDING).first()
    if run is None:
        return False
    handed = Run.objects.filter(_nobody_left(), pk=run_id, state=RunState.SENDING)
    if handed.filter(handed_over_at=None).update(handed_over_at=Now()) == 0 and run.handed_over_at is None:
        return False
    if run.sends_fallback:
        sent = Batch.objects.filter(run=OuterRef("pk"), state=BatchState.SENT)
        handed = handed.filter(~Exists(sent))
    with transaction.atomic():
        if handed.update(state=RunState.DONE, finished_at=Now(), waiting_for="") != 1:
            return False
        if run.kind != RunKind.TEST:
            history.note(run.campaign, "done", run=run)
            end_if_over(run.campaign)
    log.info("run_done", run=run_id)
    return True


def end_if_over(campaign: Campaign) -> bool:
    """Ends the campaign when nothing of it is going on and nothing is to come; whether it did. In the transaction of
    what ended last. A paused one ends, too: started again it would go out to everybody once more."""
    live = Run.objects.filter(campaign=OuterRef("pk"), state__in=RUN_LIVE).exclude(kind=RunKind.TEST)
    current = Campaign.objects.select_related("project").get(pk=campaign.pk)
    if current.state == CampaignState.INACTIVE:
        coming = next_run(timing_of(current.timing), timezone.now(), current.project.zone)
    else:
        coming = current.next_run_at
    over = Campaign.objects.filter(~Exists(live), pk=campaign.pk, state=current.state, next_run_at=None)
    if coming is not None or current.state not in GOING or over.update(state=CampaignState.ENDED, ended_at=Now()) != 1:
        return False
    history.note(campaign, "over")
    return True


def tidy(run_id: int) -> bool:
    """Leaves out everybody of a cancelled run who still waits, some thousands at a time; whether nobody is left. Those
    in a worker's hand come back or are sent, and are looked after by the next call."""
    run = Run.objects.filter(pk=run_id, state=RunState.CANCELLED, handed_over_at=None)
    if not run.exists():
        return True
    while arrows.cancel(run_id, CANCELLED_AT_ONCE):
        pass
    size = Recipient.objects.filter(run_id=run_id).count()
    return run.filter(_nobody_left()).update(handed_over_at=Now(), size=size) == 1


def fail(run: Run, code: str) -> None:
    """Ends a test that can't go out: its people are refused, and say why."""
    reason = code if code in Reason.values else Reason.OTHER
    waiting = Recipient.objects.filter(run=run, state=RecipientState.PENDING)
    waiting.update(state=RecipientState.REFUSED, reason=reason, code=code[:16], settled_at=Now())
    not_begun = Run.objects.filter(pk=run.pk, state__in=[RunState.QUEUED, RunState.FREEZING])
    if not_begun.update(state=RunState.SKIPPED, skipped_for=code[:32], finished_at=Now(), waiting_for="") == 0:
        finish(run.pk)


# -- What was left lying ----------------------------------------------------------------------------------------------
def sweep() -> int:
    """Ends what is over and wasn't noticed to be. How many runs it looked at."""
    over = Run.objects.filter(_nobody_left(), state=RunState.SENDING).values_list("pk", flat=True)
    cancelled = Run.objects.filter(state=RunState.CANCELLED, handed_over_at=None).values_list("pk", flat=True)
    found = list(over[:SWEPT_AT_ONCE])
    for pk in found:
        finish(pk)
    untidy = list(cancelled[:SWEPT_AT_ONCE])
    for pk in untidy:
        nudge(TIDY, run_id=pk)
    return len(found) + len(untidy)


def prune() -> int:
    """Deletes some thousands of rows of deleted campaigns, and each campaign after its last. How many recipients."""
    going = Campaign._base_manager.filter(deleted_at__isnull=False)
    some = Recipient.objects.filter(run__campaign__in=going).values("pk")[:PRUNED_AT_ONCE]
    gone, _by_model = Recipient.objects.filter(pk__in=list(some.values_list("pk", flat=True))).delete()
    if gone < PRUNED_AT_ONCE:
        Batch.objects.filter(run__campaign__in=going).delete()
        going.delete()
    return gone

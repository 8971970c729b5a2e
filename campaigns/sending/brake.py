"""Why a campaign stops by itself, and the stopping. What was handed over stays; nobody else is sent to until a person
has looked and starts it again."""

from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q

from campaigns.models import Batch, BatchState, Campaign, CampaignState, Recipient, RecipientState, Run, RunKind
from campaigns.rules import rules_of
from campaigns.sending import history

log = structlog.get_logger(__name__)

WINDOW_BATCHES = 5
"""The failure rate is that of so many of the last batches of which results are known."""
FEWEST = 30
"""Fewer results than this say nothing about a rate."""
_DISPATCHED = (BatchState.SENT, BatchState.CLOSED)
LOST = "lost"
"""`Batch.problem` of one whose worker died or broke off before anything was handed over."""


def pull(campaign: Campaign, code: str, *, run: Run | None = None, **details: Any) -> bool:
    """Stops the campaign for the reason `code`; whether it was going. Several workers find the same at the same time:
    one of them notes it."""
    with transaction.atomic():
        going = Campaign.objects.filter(pk=campaign.pk, state=CampaignState.ACTIVE)
        if going.update(state=CampaignState.INACTIVE, brake=code[:32], next_run_at=None) != 1:
            return False
        history.note(campaign, "braked", run=run, code=code[:32], **details)
    log.warning("campaign_braked", campaign=campaign.pk.hex, code=code)
    return True


def watch(run: Run) -> bool:
    """Stops the campaign when more of the run's last results are failures than the project allows. Whether it did."""
    if run.kind == RunKind.TEST:
        return False
    batches = Batch.objects.filter(run=run, state__in=_DISPATCHED)
    if run.watched_from is not None:
        batches = batches.filter(created_at__gte=run.watched_from)
    last = list(batches.filter(asked_times__gt=0).order_by("-sent_at").values_list("pk", flat=True)[:WINDOW_BATCHES])
    results = Recipient.objects.filter(batch__in=last).aggregate(
        known=Count(
            "pk", filter=Q(state__in=[RecipientState.DELIVERED, RecipientState.FAILED, RecipientState.REFUSED])
        ),
        bad=Count("pk", filter=Q(state__in=[RecipientState.FAILED, RecipientState.REFUSED])),
    )
    return too_many(run, results["bad"], results["known"])


def too_many(run: Run, bad: int, known: int) -> bool:
    """Stops the campaign when `bad` of `known` results are more than the project allows. Whether it did."""
    if known < FEWEST or bad * 100 <= known * rules_of(run.project).brake_percent:
        return False
    return pull(run.campaign, "failure_rate", run=run, bad=bad, known=known)


def lost(run: Run) -> bool:
    """Stops the campaign when one batch after the other takes its worker with it: then it isn't the workers that are
    at fault. Whether it did."""
    most = settings.SENDING_MOST_LOST
    batches = Batch.objects.filter(run=run)
    if run.watched_from is not None:
        batches = batches.filter(created_at__gte=run.watched_from)
    last = list(batches.order_by("-created_at").values_list("problem", flat=True)[:most])
    return len(last) == most and set(last) == {LOST} and pull(run.campaign, "crashed", run=run)

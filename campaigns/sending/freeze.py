"""From a run that is due to one that is being sent: is the cohort fresh enough, does the provider still have what the
message needs, who refused lately; then its people are written down, once and for all.

    queued ─▶ (waits for a refresh) ─▶ checked at the provider ─▶ freezing ─▶ sending
       └────────▶ skipped, with the reason             └─▶ the campaign stops, and the run waits for a person

A worker holds the run by its lease, and only while its campaign is active: a pause in the middle is noticed at the next
write. Every step may be done twice.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.audience import optouts
from campaigns.audience.needs import cohorts_of
from campaigns.audience.plan import NoAudience
from campaigns.message import picture_ids
from campaigns.message.check import check
from campaigns.message.content import AlimtalkContent, Content, FriendtalkContent, TextContent, content_of, is_ad
from campaigns.message.facts import facts_of
from campaigns.models import (
    AudienceKind,
    Campaign,
    CampaignState,
    Freshness,
    Recipient,
    Rules,
    Run,
    RunKind,
    RunState,
)
from campaigns.rules import rules_of
from campaigns.sending import delivery, history, recipients
from campaigns.sending.finish import end_if_over
from cohorts.models import LIVE, Cohort, Refresh, RefreshState
from cohorts.pull import refresh as refreshing
from integrations import senders
from integrations.messaging import Catalogue, Kind, NotTaken, SendError, Stopped
from integrations.senders import Listing
from notifly_console.celery import app
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.leases import Claim, LeaseLost, claim, expired, from_now
from notifly_console.lib.nudge import nudge

log = structlog.get_logger(__name__)

PREPARE = app.signature("campaigns.prepare")
MOST_ATTEMPTS = 5
"""Claims in a row that ended without a word. After that it isn't the worker that is at fault."""
ASKS_AGAIN_SECONDS = 20
LONGEST_REFRESH = timedelta(hours=3)
LONGEST_PAUSE_SECONDS = 300
SWEPT_AT_ONCE = 200
NOTHING_LISTED = Listing()
"""What the provider has was asked afresh already; the kept lists may lag behind it."""
BEFORE_SENDING = (RunState.QUEUED, RunState.FREEZING)


class _Waits(Exception):
    """Not now; the row will say why, and until when."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.why, self.seconds = why, seconds


class _Skipped(Exception):
    """Nobody is sent to by this run."""


def may_prepare() -> Q:
    """The condition that a run may be made ready: its campaign is active; a test is its own business."""
    # As a subquery, not a join: an UPDATE then checks the columns of its own row again after waiting for its lock.
    active = Campaign.objects.filter(state=CampaignState.ACTIVE).values("pk")
    return Q(state__in=BEFORE_SENDING) & (Q(kind=RunKind.TEST) | Q(campaign_id__in=active))


def wake(run_id: int) -> None:
    """Sets a worker on the run, after the current transaction."""
    nudge(PREPARE, run_id=run_id)


def prepare(run_id: int) -> None:
    """Makes the run ready and lets it be sent, if it is due and nobody else is at it. Raises nothing but what is a
    fault of ours or of the database; it is tried again then, a few times."""
    row = Run.objects.filter(may_prepare(), pk=run_id)
    ready = Q(lease_until=None) & (Q(not_before=None) | Q(not_before__lte=Now()))
    mine = claim(row, ready=ready, seconds=settings.SENDING_LEASE_SECONDS)
    if mine is None:
        return
    reached("after_run_claimed")
    run = Run.objects.select_related("project", "campaign__cohort", "campaign__upload").get(pk=run_id)
    with structlog.contextvars.bound_contextvars(run=run.pk, fence=mine.fence):
        try:
            with mine.beating():
                _prepare(run, mine)
        except LeaseLost:
            log.info("run_taken_over")


def _prepare(run: Run, mine: Claim) -> None:
    try:
        if run.attempts > MOST_ATTEMPTS:
            raise Stopped("crashed")
        if run.started_at is None:
            run.started_at = timezone.now()
            mine.write(started_at=run.started_at)
        _make_ready(run, mine)
    except _Waits as wait:
        _put_off(run, mine, wait)
    except _Skipped as skipped:
        _skip(run, mine, str(skipped))
    except NoAudience as error:
        if run.joined is None:
            _skip(run, mine, error.code)
            return
        # Those who came in don't come in again: they wait for a person.
        mine.release(attempts=0)
        delivery.stop(run, error.code)
    except NotTaken as error:
        _put_off(run, mine, _Waits("provider", max(_pause(run), error.retry_after or 0)), troubles=F("troubles") + 1)
    except SendError as error:
        mine.release(attempts=0)
        delivery.stop(run, error.code)


def _make_ready(run: Run, mine: Claim) -> None:
    rules = rules_of(run.project)
    content = content_of(run.channel, run.message)
    if run.kind == RunKind.REGULAR and run.state == RunState.QUEUED:
        _look_at_cohorts(run, rules)
    with senders.catalogue_of(run.project) as catalogue:
        _look_at_provider(run, content, rules, catalogue)
        if is_ad(content):
            _look_at_refusals(run, catalogue)
    if run.state == RunState.QUEUED:
        mine.write(state=RunState.FREEZING, waiting_for="", not_before=None, attempts=0, troubles=0)
        run.state = RunState.FREEZING
    if run.kind == RunKind.REGULAR:
        recipients.freeze_into(run, mine)
    size = Recipient.objects.filter(run=run).count()
    if size == 0:
        raise _Skipped("nobody")
    if run.expected_won is not None:
        with senders.catalogue_of(run.project) as catalogue:
            _look_at_money(run, catalogue)
    reached("before_sending")
    _let_go(run, mine, content, size)


def _let_go(run: Run, mine: Claim, content: Content, size: int) -> None:
    with senders.messenger_of(run.project) as messenger:
        native = messenger.capabilities.native_fallback
    kakao = {AlimtalkContent: Kind.ALIMTALK, FriendtalkContent: Kind.FRIENDTALK}.get(type(content))
    has_fallback = not isinstance(content, TextContent) and content.fallback is not None
    with transaction.atomic():
        mine.release(
            state=RunState.SENDING,
            size=size,
            sends_fallback=has_fallback and kakao not in native,
            attempts=0,
            waiting_for="",
            not_before=None,
        )
        if run.kind == RunKind.REGULAR:
            history.note(run.campaign, "frozen", run=run, size=size, version=run.snapshot_number or "")
        delivery.wake()
    log.info("run_frozen", size=size)


# -- Are the cohorts fresh enough? ------------------------------------------------------------------------------------
def _look_at_cohorts(run: Run, rules: Rules) -> None:
    """Raises _Skipped and _Waits as the project's rule says, for the cohort or those that the user group speaks of."""
    cohorts = list(Cohort.objects.select_related("held").filter(pk__in=cohorts_of(run.campaign)).order_by("pk"))
    # Who has just come in is as fresh as it gets, and did come in, whatever became of the cohort since.
    if run.joined is not None:
        return
    if run.campaign.audience_kind == AudienceKind.COHORT and any(one.vanished_at for one in cohorts):
        raise _Skipped("vanished")
    if rules.freshness == Freshness.WARN:
        return
    stale = [one for one in cohorts if not _is_fresh(run, one, rules)]
    if stale and rules.freshness == Freshness.REFUSE:
        raise _Skipped("stale" if all(one.refreshed_at for one in stale) else "cohort_unread")
    if stale:
        _await_refresh(run, stale)


def _is_fresh(run: Run, cohort: Cohort, rules: Rules) -> bool:
    if cohort.refreshed_at is None:
        return False
    waited = run.waiting_for == "refresh" and run.started_at is not None and cohort.refreshed_at >= run.started_at
    return waited or cohort.refreshed_at >= timezone.now() - timedelta(hours=rules.freshness_hours)


def _await_refresh(run: Run, cohorts: Sequence[Cohort]) -> None:
    """Asks for a refresh of the cohorts, and waits for one that began after the run did."""
    began = run.started_at or timezone.now()
    if any(one.held is not None and one.held.created_at >= began for one in cohorts):
        raise _Skipped("held")
    if any(one.failed_at is not None and one.failed_at >= began for one in cohorts):
        raise _Skipped("refresh_failed")
    if timezone.now() - began > LONGEST_REFRESH:
        raise _Skipped("refresh_late")
    if not Refresh.objects.filter(project=run.project, state__in=LIVE).exists():
        failed = Refresh.objects.filter(project=run.project, state=RefreshState.FAILED, finished_at__gte=began)
        if failed.exists():
            raise _Skipped("refresh_failed")
    Cohort.objects.filter(pk__in=[one.pk for one in cohorts]).update(needed_at=began)
    try:
        for cohort in cohorts:
            refreshing.request(run.project, by=run.campaign.name, cohort=cohort)
    except refreshing.NotConnected:
        raise _Skipped("refresh_failed") from None
    raise _Waits("refresh", ASKS_AGAIN_SECONDS)


# -- Does the provider still have what it takes? ----------------------------------------------------------------------
def _look_at_provider(run: Run, content: Content, rules: Rules, catalogue: Catalogue) -> None:
    """Asked afresh. Raises Stopped for what a person must mend, NotTaken when the provider doesn't answer."""
    numbers = {one.number for one in catalogue.numbers() if one.is_active}
    if content.sender and content.sender not in numbers:
        raise Stopped("sender_unregistered")
    if not isinstance(content, TextContent) and content.profile not in {one.id for one in catalogue.profiles()}:
        raise Stopped("profile_unusable")
    if isinstance(content, AlimtalkContent):
        template = catalogue.template(content.template)
        if template is None or not template.is_sendable or template.content != content.template_text:
            raise Stopped("template_unusable")
    run.campaign.message = run.message  # (Not saved.) What is checked is what was frozen.
    if run.kind == RunKind.REGULAR and check(content, rules, facts_of(run.campaign, NOTHING_LISTED)):
        raise Stopped("content")
    picture_ids.upload(content, run.project, catalogue)


def _look_at_money(run: Run, catalogue: Catalogue) -> None:
    """Better nobody than half of them. Raises Stopped("out_of_balance")."""
    if run.expected_won is not None and catalogue.balance().total < run.expected_won:
        raise Stopped("out_of_balance")


def _look_at_refusals(run: Run, catalogue: Catalogue) -> None:
    """The provider's own opt-out list, before any advertising."""
    try:
        optouts.take_over(run.project, catalogue)
    except NotTaken as error:
        raise _Waits("opt_outs", max(_pause(run), error.retry_after or 0)) from error


# -- Giving it back ---------------------------------------------------------------------------------------------------
def _put_off(run: Run, mine: Claim, wait: _Waits, **changes: Any) -> None:
    with transaction.atomic():
        mine.release(not_before=from_now(wait.seconds), waiting_for=wait.why, attempts=0, **changes)
        if run.waiting_for != wait.why:
            history.note(run.campaign, "waits", run=run, code=wait.why)


def _skip(run: Run, mine: Claim, code: str) -> None:
    with transaction.atomic():
        Recipient.objects.filter(run=run).delete()
        mine.release(state=RunState.SKIPPED, skipped_for=code, finished_at=Now(), size=0, waiting_for="")
        history.note(run.campaign, "skipped", run=run, code=code)
        end_if_over(run.campaign)
    log.info("run_skipped", code=code)


def _pause(run: Run) -> float:
    return float(min(settings.SENDING_PAUSE_SECONDS * 2 ** min(run.troubles, 10), LONGEST_PAUSE_SECONDS))


# -- What was left lying ----------------------------------------------------------------------------------------------
def sweep() -> int:
    """Wakes a worker for every run that is due, or whose worker died. How many."""
    due = Q(lease_until=None) & (Q(not_before=None) | Q(not_before__lte=Now()))
    found = list(Run.objects.filter(may_prepare() & (due | expired())).values_list("pk", flat=True)[:SWEPT_AT_ONCE])
    for pk in found:
        wake(pk)
    return len(found)

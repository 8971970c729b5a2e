"""Unknown made known: leases that ran out, batches whose dispatch is unclear, and reports of what became of everybody.

    claimed, lease over ─▶ its people wait again
    tried, lease over ───▶ unknown ─▶ the provider is asked ─┬─ has gone ───▶ sent
                                                             └─ never goes ─▶ its people wait again
    sent ─▶ reports, asked for at growing intervals (a call from the provider only makes the next one sooner)
         ─▶ closed when every result is known, or after four days, which leaves the others unknown

All of it may be done twice, late, by two at once or in another order: people move forward only.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from campaigns.audience import optouts
from campaigns.models import Batch, BatchState, Recipient, RecipientState, Run, RunKind, RunState
from campaigns.sending import arrows, brake, delivery, finish, tally
from campaigns.sending.arrows import Known
from integrations import inbox, senders
from integrations.messaging import Messenger, Outcome, Reason, Recalled, Report, SendError
from notifly_console.celery import app
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.leases import Claim, LeaseLost, claim, expired, from_now
from notifly_console.lib.nudge import nudge

log = structlog.get_logger(__name__)

ASK = app.signature("campaigns.ask", options={"expires": 30})
HANDS = 4
"""Workers woken at once."""
TURN_SECONDS = 30.0
ASKED_OF = (BatchState.UNKNOWN, BatchState.SENT, BatchState.RETURNED)
HINTED = (BatchState.UNKNOWN, BatchState.SENT)
GROWTH = 1.6
LONGEST_INTERVAL_SECONDS = 1_800
LAST_QUESTION_SECONDS = 4 * 86_400
"""Providers keep trying for three days (channels-kr.md §4.5); a day more, and no report comes."""
MOST_DISCARDS = 5
AT_ONCE = 500
SWEPT_AT_ONCE = 200


# -- Leases that ran out ----------------------------------------------------------------------------------------------
def reap() -> int:
    """Takes batches from workers that died or stalled. How many."""
    held = Batch.objects.filter(expired(), state__in=[BatchState.CLAIMED, BatchState.TRIED])
    found = list(held.order_by("lease_until").values_list("pk", "run_id")[:SWEPT_AT_ONCE])
    for pk, run_id in found:
        if _reap(pk):
            brake.lost(Run.objects.select_related("campaign").get(pk=run_id))
    return len(found)


def _reap(batch_id: UUID) -> bool:
    """Whether the batch was one that nothing had been done with. The fence goes up: its worker, should it wake, can
    neither dispatch nor write."""
    mine = Batch.objects.filter(expired(), pk=batch_id)
    taken: dict[str, Any] = {"fence": F("fence") + 1, "lease_until": None, "problem": brake.LOST}
    with transaction.atomic():
        if mine.filter(state=BatchState.CLAIMED).update(state=BatchState.RETURNED, ask_at=Now(), **taken) == 1:
            arrows.give_back(batch_id)
            return True
        ask_at = from_now(settings.SENDING_SETTLE_SECONDS)
        if mine.filter(state=BatchState.TRIED).update(state=BatchState.UNKNOWN, ask_at=ask_at, **taken) == 1:
            arrows.lose(batch_id)
    return False


# -- Asking the provider ----------------------------------------------------------------------------------------------
def due() -> Q:
    """The condition that a batch is to be asked about now; one that somebody asks about is theirs until their lease
    ends."""
    return Q(ask_at__lte=Now(), lease_until=None) | Q(state__in=ASKED_OF) & expired()


@inbox.on_report("solapi")
def hint(project_id: UUID, handles: Sequence[str]) -> None:
    """The provider says that something became of these groups: they are asked about soon. What it said isn't believed,
    only the answer to our own question is."""
    named = [one for one in handles if one][:SWEPT_AT_ONCE]
    mine = Run.objects.filter(project_id=project_id).values("pk")
    if Batch.objects.filter(handle__in=named, run_id__in=mine, state__in=HINTED).update(ask_at=Now()):
        wake(1)


def wake(hands: int = HANDS) -> None:
    """Sets workers on whatever is due, after the current transaction. Too many of these do no harm: they name no batch,
    and go stale."""
    for _ in range(min(hands, HANDS)):
        nudge(ASK)


def work(*, seconds: float = TURN_SECONDS) -> None:
    """One worker's turn: asks about whatever has been due for longest, for about `seconds`."""
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        found = list(Batch.objects.filter(due()).order_by("ask_at").values_list("pk", flat=True)[:HANDS])
        if not found:
            return
        # Not always the first: others look for one at the same time.
        ask(secrets.choice(found))
    nudge(ASK)


def ask(batch_id: UUID | str) -> None:
    """Asks the provider about the batch, if it is due and nobody else does. Raises nothing but what is a fault of ours
    or of the database."""
    row = Batch.objects.filter(pk=batch_id, state__in=ASKED_OF)
    mine = claim(row, ready=Q(ask_at__lte=Now(), lease_until=None), seconds=settings.SENDING_LEASE_SECONDS)
    if mine is None:
        return
    reached("after_asking_claimed")
    batch = Batch.objects.select_related("run__project", "run__campaign").get(pk=batch_id)
    with structlog.contextvars.bound_contextvars(batch=batch.pk.hex, run=batch.run_id):
        try:
            with mine.beating():
                _ask(mine, batch)
        except LeaseLost:
            log.info("batch_taken_over")


def _ask(mine: Claim, batch: Batch) -> None:
    try:
        with senders.messenger_of(batch.run.project) as messenger:
            if not batch.handle:
                mine.release(ask_at=None)
            elif batch.state == BatchState.UNKNOWN:
                _recall(mine, batch, messenger)
            elif batch.state == BatchState.RETURNED:
                _discard(mine, batch, messenger)
            else:
                _collect(mine, batch, messenger)
    except SendError as error:
        log.info("batch_not_answered", code=error.code)
        _later(mine, batch, error.retry_after)


def _recall(mine: Claim, batch: Batch, messenger: Messenger) -> None:
    """Settles an unclear dispatch. Only the provider's word that the group never goes lets its people wait again."""
    if not messenger.capabilities.can_recall:
        _close(mine, batch)
        return
    answer = messenger.recall(batch.handle)
    reached("after_recall")
    if answer == Recalled.HAS_GONE:
        with mine.transaction(
            state=BatchState.SENT,
            sent_at=F("tried_at"),
            lease_until=None,
            ask_at=from_now(settings.SENDING_ASK_SECONDS),
        ):
            arrows.find(batch.pk)
    else:
        with mine.transaction(state=BatchState.RETURNED, problem="never_went", lease_until=None, ask_at=None):
            arrows.give_back(batch.pk)
        delivery.wake()
    log.info("batch_settled", answer=answer.value)
    _look_after(batch.run_id)


def _discard(mine: Claim, batch: Batch, messenger: Messenger) -> None:
    """Clears a group away that was loaded and given up. Nothing depends on it: nobody dispatches it any more."""
    if messenger.recall(batch.handle) == Recalled.HAS_GONE:
        # The provider had said that it didn't take it. Its people may have it twice, which must not go unseen.
        log.error("returned_batch_has_gone", handle=batch.handle)
    mine.release(ask_at=None)


def _collect(mine: Claim, batch: Batch, messenger: Messenger) -> None:
    reports = messenger.reports(batch.handle)
    for some in _some(reports):
        _apply(mine, batch, some)
    reached("after_reports")
    waiting = Recipient.objects.filter(batch=batch, state__in=[RecipientState.ACCEPTED, RecipientState.UNKNOWN])
    if not waiting.filter(settled_at=None).exists():
        mine.release(state=BatchState.CLOSED, ask_at=None, asked_times=F("asked_times") + 1)
    else:
        _later(mine, batch)
    _judge(batch.run_id)
    _look_after(batch.run_id)


def _some(reports: Iterator[Report]) -> Iterator[Sequence[Report]]:
    while some := list(islice(reports, AT_ONCE)):
        yield some


def _later(mine: Claim, batch: Batch, retry_after: float | None = None) -> None:
    """Asks again after a while, longer each time, until it makes no sense any more."""
    if batch.state == BatchState.RETURNED and batch.asked_times + 1 >= MOST_DISCARDS:
        mine.release(ask_at=None)
        return
    too_late = Q(tried_at__lt=from_now(-LAST_QUESTION_SECONDS))
    if batch.state != BatchState.RETURNED and mine.row.filter(too_late).exists():
        _close(mine, batch)
        return
    pause = min(settings.SENDING_ASK_SECONDS * GROWTH ** min(batch.asked_times, 30), LONGEST_INTERVAL_SECONDS)
    mine.release(ask_at=from_now(max(pause, retry_after or 0)), asked_times=F("asked_times") + 1)


def _close(mine: Claim, batch: Batch) -> None:
    with mine.transaction(state=BatchState.CLOSED, lease_until=None, ask_at=None):
        silent = arrows.give_up(batch.pk)
    log.warning("batch_closed_unknown", people=silent)
    _look_after(batch.run_id)


def _look_after(run_id: int) -> None:
    finish.finish(run_id)
    if Run.objects.filter(pk=run_id, state=RunState.CANCELLED, handed_over_at=None).exists():
        finish.tidy(run_id)
    tally.keep(run_id)


# -- What reports say -------------------------------------------------------------------------------------------------
def _apply(mine: Claim, batch: Batch, reports: Sequence[Report]) -> None:
    """Writes some reports. Those who refused advertising get onto our own list; a fault of the set-up stops the rest;
    who is to get the fallback text from us waits again."""
    ids = _ids(batch, reports)
    known = [
        Known(
            *(id_, one.verdict.outcome, (one.verdict.reason or Reason.OTHER).value, one.code, one.message_id),
            is_transient=one.verdict.is_transient,
            was_replaced=one.was_replaced,
            replaced_by=one.replaced_by or "",
        )
        for id_, one in ids.items()
    ]
    with mine.transaction():
        arrows.report(batch.pk, known)
        if batch.run.sends_fallback:
            failed = [one.id for one in known if one.outcome == Outcome.FAILED and not one.was_replaced]
            if arrows.replace(batch.pk, failed):
                delivery.wake()
    opted_out = [id_ for id_, one in ids.items() if one.verdict.is_opt_out]
    for phone in Recipient.objects.filter(pk__in=opted_out, batch=batch).values_list("phone", flat=True):
        optouts.record_refusal(batch.run.project, phone)
    for one in reports:
        if one.verdict.stops_campaign and one.verdict.outcome == Outcome.FAILED and batch.run.kind != RunKind.TEST:
            brake.pull(batch.run.campaign, (one.verdict.reason or Reason.OTHER).value, run=batch.run)
            break


def _ids(batch: Batch, reports: Sequence[Report]) -> dict[int, Report]:
    """The reports by recipient: by our reference, or by the provider's id where it lost that."""
    by_message = {one.message_id for one in reports if not delivery.id_of(one.reference) and one.message_id}
    named: dict[str, int] = {}
    if by_message:
        held = Recipient.objects.filter(batch=batch, message_id__in=by_message)
        named = dict(held.values_list("message_id", "pk"))
    ids = {delivery.id_of(one.reference) or named.get(one.message_id, 0): one for one in reports}
    ids.pop(0, None)
    return ids


def _judge(run_id: int) -> None:
    """Stops a run whose results are bad; lets a large one go on once its first few are known to be good."""
    run = Run.objects.select_related("project", "campaign").get(pk=run_id)
    if run.state != RunState.SENDING or brake.watch(run) or run.waiting_for != "canary":
        return
    first = Recipient.objects.filter(run=run).exclude(state=RecipientState.PENDING)
    if first.filter(state__in=[RecipientState.ACCEPTED, RecipientState.UNKNOWN, RecipientState.CLAIMED]).exists():
        return
    waiting = Run.objects.filter(pk=run_id, waiting_for="canary", canary_until__gt=Now())
    if waiting.update(canary_until=Now(), waiting_for="") == 1:
        delivery.wake()


# -- What was left lying ----------------------------------------------------------------------------------------------
def sweep() -> int:
    """Reaps, and wakes workers where batches are due. How many batches that was."""
    count = reap() + tally.sweep()
    waiting = Batch.objects.filter(due()).count()
    wake(waiting)
    return count + waiting

"""THE send: a run's waiting people into the provider's hands, a batch at a time.

    claim ─▶ recheck ─▶ open ─▶ handle committed ─▶ load ─▶ recheck ─▶ intent committed ─▶ dispatch ─▶ recorded
      └── nothing can have been sent: the people wait again ──┘         └── from here on only the provider knows ──┘

A batch is a row with a lease and a fence. Its people belong to it and to nobody else until it is recorded or given
back. The intent to dispatch is one UPDATE, guarded by the fence, by "not tried before", and by the campaign still
being active; it is committed before the request leaves. When no answer comes the batch is `unknown`, and `reconcile.py`
settles it by asking; nobody in it is sent to again before the provider has said that it never goes. No transaction is
open while the provider is talked to.

What is promised: nobody gets the same run twice, and everybody ends in a state that somebody can see.

NOT PROTECTED, and nothing here can:
* A provider that sends one message twice, or sends a group that it said it had deleted. Its answers are believed.
* A pause, an opt-out or a withdrawn consent between the intent and the provider's taking it: at most one batch for each
  worker, for as long as the provider's pace makes its last request wait. After that there is no calling back.
* A person who has two numbers, or is in two campaigns: "once" is once for each number and run.
* The provider's own delay: a group taken at 20:49 that reaches phones after 21:00. `schedule.py` keeps a margin.
* A database put back to an earlier time: `epoch.py` stops everything and marks who may have been sent to, but
  only where the broker (or `VAR_DIR`) was not put back with it.
* Money: the balance is looked at before a run, not before each batch; the provider refuses when it is used up.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from uuid import UUID, uuid4

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, Count, Exists, F, Max, OuterRef, Q, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from campaigns.audience import optouts
from campaigns.message import picture_ids
from campaigns.message.content import content_of
from campaigns.message.personalise import BadVariable
from campaigns.message.render import Left, message_for, renderer
from campaigns.models import (
    Batch,
    BatchState,
    Campaign,
    CampaignState,
    Recipient,
    RecipientState,
    Run,
    RunKind,
    RunState,
    SkipReason,
)
from campaigns.rules import rules_of
from campaigns.sending import arrows, brake, epoch, finish
from campaigns.sending.arrows import Taken
from campaigns.sending.recheck import Recheck
from integrations import senders
from integrations.messaging import (
    Loaded,
    Message,
    Messenger,
    NotTaken,
    Outcome,
    Reason,
    Refusal,
    Stopped,
    Unclear,
    Verdict,
)
from notifly_console.celery import app
from notifly_console.lib.checkpoints import reached
from notifly_console.lib.leases import Claim, LeaseLost, from_now
from notifly_console.lib.nudge import nudge

log = structlog.get_logger(__name__)

SEND = app.signature("campaigns.send", options={"expires": 30})
HANDS = 4
"""Workers at one run at the same time, at most: they share the provider's pace, and other runs want their turn."""
SLICE_SECONDS = 5.0
"""How long a worker stays with a run before it looks again whose turn it is: what makes runs share."""
CANARY = 100
CANARY_FROM = 5_000
CANARY_SECONDS = 60
"""Of a run of 5,000 people and more 100 go first; the rest waits a minute at most for what becomes of them."""
LONGEST_PAUSE_SECONDS = 300
HELD = (BatchState.CLAIMED, BatchState.TRIED)
"""Batches in a worker's hand."""
PASSING = Verdict(Outcome.FAILED, Reason.OTHER)


class Step(Enum):
    """How a step of a slice ended."""

    ON = auto()
    """There may be more to do."""
    NOBODY = auto()
    """Nobody waits who could be claimed."""
    RESTS = auto()
    """The run stops for a while or for good; the row says why."""


# -- Whose turn it is -------------------------------------------------------------------------------------------------
def wake() -> None:
    """Sets workers on whatever there is to send, after the current transaction. Too many of these do no harm: they say
    nothing of which run, so nobody waits behind them, and they go stale."""
    for _ in range(HANDS if connection.vendor == "postgresql" else 1):
        nudge(SEND)


def work(*, seconds: float = SLICE_SECONDS) -> None:
    """One worker's turn: about `seconds` with the run that is most in need of hands, or with several one after the
    other where each has little to do. Then others have their turn."""
    if not epoch.is_sound():
        return
    ends_at = time.monotonic() + seconds
    seen: list[int] = []
    while time.monotonic() < ends_at:
        run = _next(seen)
        if run is None:
            return
        seen.append(run.pk)
        send(run, ends_at=ends_at)
    nudge(SEND)


def _next(seen: Sequence[int]) -> Run | None:
    """A run that has somebody to send to and not hands enough: tests first, then whichever has the fewest, then
    whichever waited longest."""
    return _in_need().exclude(pk__in=seen).select_related("project", "campaign").first()


def _in_need() -> QuerySet[Run]:
    waiting = Recipient.objects.filter(run=OuterRef("pk"), state=RecipientState.PENDING)
    resting = Q(not_before__gt=Now()) | Q(waiting_for="canary", canary_until__gt=Now())
    return (
        Run.objects.filter(may_send(), Exists(waiting))
        .exclude(resting)
        .annotate(
            hands=Count("batches", filter=Q(batches__state__in=HELD, batches__lease_until__gt=Now())),
            served_at=Max("batches__created_at"),
            is_real=Case(When(kind=RunKind.TEST, then=0), default=1),
        )
        .filter(hands__lt=HANDS)
        .order_by("is_real", "hands", F("served_at").asc(nulls_first=True), "pk")
    )


def may_send() -> Q:
    """The condition that a run may be sent: its campaign is active; a test is its own business."""
    # As a subquery, not a join: an UPDATE then checks the columns of its own row again after waiting for its lock.
    active = Campaign.objects.filter(state=CampaignState.ACTIVE).values("pk")
    return Q(state=RunState.SENDING) & (Q(kind=RunKind.TEST) | Q(campaign_id__in=active))


def send(run: Run, *, ends_at: float | None = None) -> None:
    """Sends the run, batch after batch, until there is nobody left, it has to rest, or the time (by the monotonic
    clock) is up. Raises nothing but what is a fault of ours or of the database: and nobody is lost or sent to twice by
    that either."""
    with structlog.contextvars.bound_contextvars(run=run.pk):
        if _slice(run, time.monotonic() + SLICE_SECONDS if ends_at is None else ends_at) is Step.NOBODY:
            finish.finish(run.pk)


def _slice(run: Run, ends_at: float) -> Step:
    try:
        with senders.messenger_of(run.project) as messenger:
            sender = Sender(run, messenger)
            step = Step.ON
            while step is Step.ON and time.monotonic() < ends_at:
                step = sender.step()
            return step
    except Stopped as error:
        stop(run, error.code)
    except BadVariable:
        stop(run, "content")
    return Step.RESTS


def stop(run: Run, code: str) -> None:
    """The set-up is at fault: the campaign stops until a person mends it; a test just ends."""
    if run.kind == RunKind.TEST:
        finish.fail(run, code)
    else:
        brake.pull(run.campaign, code, run=run)


# -- One batch --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Hand:
    """A batch in a worker's hand."""

    id: UUID
    claim: Claim
    people: Sequence[Taken]


class _Rest(Exception):
    """What is in hand was given back, and nothing more is claimed for now."""


class Sender:
    """A worker with one run and an open messenger. Raises BadVariable when the message can't be read."""

    def __init__(self, run: Run, messenger: Messenger) -> None:
        self._run = run
        self._messenger = messenger
        self._rules = rules_of(run.project)
        self._content = content_of(run.channel, run.message)
        renderer(self._content, self._rules)
        self._pictures = picture_ids.uploaded(self._content, run.project)
        self._recheck = Recheck(run, self._content, self._rules)
        self._most = min(settings.SENDING_BATCH, messenger.capabilities.most_at_once)
        self._after = 0

    def step(self) -> Step:
        """Claims a batch and hands it over."""
        now = timezone.now()
        may_go, most = self._allowance()
        if not may_go:
            return Step.RESTS
        if until := self._recheck.closed_until(now):
            return self._wait(until, "night")
        others_wait_until = self._recheck.takes_only_night(now)
        hand = self._claim(most, only_night=others_wait_until is not None)
        if hand is None:
            return self._wait(others_wait_until, "night") if others_wait_until else Step.NOBODY
        reached("after_people_claimed")
        try:
            with hand.claim.beating():
                self._hand_over(hand, now)
        except LeaseLost:
            log.info("batch_taken_over", batch=hand.id.hex)
        except _Rest:
            return Step.RESTS
        except Exception:
            self._drop(hand)
            raise
        return Step.ON

    def _allowance(self) -> tuple[bool, int]:
        """Whether somebody may be claimed now, and how many."""
        found = Run.objects.filter(may_send(), pk=self._run.pk).annotate(now=Now())
        row = found.values("not_before", "canary_until", "now").first()
        if row is None or (row["not_before"] and row["not_before"] > row["now"]):
            return False, 0
        if self._run.kind != RunKind.REGULAR or (self._run.size or 0) < CANARY_FROM:
            return True, self._most
        if row["canary_until"] is None:
            first = Run.objects.filter(pk=self._run.pk, canary_until=None)
            return first.update(canary_until=from_now(CANARY_SECONDS), waiting_for="canary") == 1, CANARY
        return row["canary_until"] <= row["now"], self._most

    def _claim(self, most: int, *, only_night: bool) -> Hand | None:
        batch_id, lease = uuid4(), settings.SENDING_LEASE_SECONDS
        with transaction.atomic():
            people = arrows.claim(batch_id, self._run.pk, most=most, after=self._after, only_night=only_night)
            if not people and self._after:
                people = arrows.claim(batch_id, self._run.pk, most=most, only_night=only_night)
            if not people:
                return None
            Batch.objects.create(
                pk=batch_id, run=self._run, size=len(people), fence=1, attempts=1, lease_until=from_now(lease)
            )
        # Further down only: those before it are taken, and stepping over what they left behind takes time.
        self._after = people[-1].id
        return Hand(batch_id, Claim(Batch.objects.filter(pk=batch_id), 1, lease), people)

    def _hand_over(self, hand: Hand, now: datetime) -> None:
        """From the claim to the record. Raises LeaseLost, and _Rest when the run is not to go on now."""
        messages = self._prepare(hand, now)
        if not messages:
            hand.claim.release(state=BatchState.RETURNED, problem="nobody")
            return
        try:
            handle, loaded = self._load(hand, messages)
            refused = self._checked(hand, messages, loaded)
            if self._recheck.is_ad and self._overtaken(hand, messages):
                return
            reached("before_intent")
            self._intend(hand, refused)
            reached("after_intent")
            self._dispatch(hand, handle, messages, refused)
        except Unclear as error:
            self._lose(hand, messages, error.code)
        except NotTaken as error:
            self._give_back(hand, error.code)
            self._pause(error.retry_after)
        except Stopped as error:
            self._give_back(hand, error.code)
            stop(self._run, error.code)
            raise _Rest from error
        else:
            reached("after_dispatch")
            self._record(hand, messages, loaded, refused)
            reached("after_record")

    # -- Before anything can have been sent --
    def _prepare(self, hand: Hand, now: datetime) -> dict[int, Message]:
        """The messages of those who may still get one; the others are left out, with the reason."""
        left = self._recheck.left_out(hand.people, now)
        messages: dict[int, Message] = {}
        broken: dict[int, Refusal] = {}
        for person in hand.people:
            if person.id in left:
                continue
            try:
                made = self._message(person, now)
            except Exception as error:
                # A fault of ours with one person's values: the others must not wait for its being mended.
                # (What the error says may hold what the person is called.)
                log.error("message_not_made", recipient=person.id, error=type(error).__name__)
                broken[person.id] = Refusal(str(person.id), "console", PASSING)
                continue
            if isinstance(made, Left):
                left[person.id] = made.reason
            else:
                messages[person.id] = made
        if left or broken:
            with hand.claim.transaction():
                arrows.skip(hand.id, left)
                arrows.refuse(hand.id, broken)
        return messages

    def _message(self, person: Taken, now: datetime) -> Message | Left:
        made = message_for(person, self._content, self._rules, reference_of(person.id), self._pictures, now)
        if isinstance(made, Left):
            return made
        text = made.fallback
        if person.was_replaced and text is None:
            return Left(SkipReason.NO_VALUE)
        if person.was_replaced and text is not None:
            return Message(
                *(made.reference, made.to, text.kind, made.sender, text.text, text.subject), is_ad=made.is_ad
            )
        is_native = made.kind in self._messenger.capabilities.native_fallback
        return made if is_native else replace(made, fallback=None)

    def _load(self, hand: Hand, messages: Mapping[int, Message]) -> tuple[str, Loaded]:
        handle = self._messenger.open(hand.id.hex)
        reached("after_open")
        hand.claim.write(handle=handle[:64])
        reached("before_load")
        loaded = self._messenger.load(handle, list(messages.values()))
        reached("after_load")
        return handle, loaded

    def _checked(self, hand: Hand, messages: Mapping[int, Message], loaded: Loaded) -> dict[int, Refusal]:
        """Whom the provider refused, by id. Raises NotTaken when it didn't account for everybody, Stopped when it is
        the set-up that it refused, _Rest when it refused too many."""
        refused = {id_of(one.reference): one for one in loaded.refused}
        taken = {id_of(reference) for reference in loaded.message_ids}
        if refused.keys() | taken != messages.keys() or refused.keys() & taken:
            raise NotTaken("bad_answer")
        for one in refused.values():
            if one.verdict.stops_campaign:
                raise Stopped((one.verdict.reason or Reason.OTHER).value)
        if self._run.kind != RunKind.TEST and brake.too_many(self._run, len(refused), len(messages)):
            self._give_back(hand, "failure_rate", refused)
            raise _Rest
        return refused

    def _overtaken(self, hand: Hand, messages: Mapping[int, Message]) -> bool:
        """Whether somebody in the batch must not be sent to any more: then it is given back whole, and the next claim
        leaves them out."""
        chosen = [person for person in hand.people if person.id in messages]
        if not self._recheck.left_out(chosen, timezone.now(), at_last=True):
            return False
        self._give_back(hand, "overtaken")
        return True

    def _intend(self, hand: Hand, refused: Mapping[int, Refusal]) -> None:
        """Commits that the group is about to be dispatched. Raises LeaseLost when it is no longer ours, and _Rest when
        the campaign was stopped: then nothing is dispatched."""
        going = Run.objects.filter(may_send()).values("pk")
        untried = Claim(hand.claim.row.filter(tried_at=None, run_id__in=going), hand.claim.fence, hand.claim.seconds)
        try:
            with untried.transaction(state=BatchState.TRIED, tried_at=Now()):
                arrows.refuse(hand.id, refused)
                counted = epoch.intend()
        except LeaseLost:
            self._give_back(hand, "halted")  # Raises LeaseLost if it is that.
            raise _Rest from None
        epoch.note(counted)
        for id_, one in refused.items():
            if one.verdict.is_opt_out:
                phone = next(person.phone for person in hand.people if person.id == id_)
                optouts.record_refusal(self._run.project, phone)

    def _give_back(self, hand: Hand, problem: str, refused: Mapping[int, Refusal] | None = None) -> None:
        """The batch's people wait again. What the provider holds of it is thrown away later (`reconcile.py`)."""
        with hand.claim.transaction(state=BatchState.RETURNED, problem=problem[:32], lease_until=None, ask_at=Now()):
            arrows.refuse(hand.id, refused or {})
            arrows.give_back(hand.id)

    def _drop(self, hand: Hand) -> None:
        """Something broke. What was not tried goes back at once; what was is left to whoever finds the lease over."""
        untried = Claim(hand.claim.row.filter(tried_at=None), hand.claim.fence, hand.claim.seconds)
        try:
            with untried.transaction(state=BatchState.RETURNED, problem="lost", lease_until=None, ask_at=Now()):
                arrows.give_back(hand.id)
        except LeaseLost:
            return
        brake.lost(self._run)

    # -- From here on only the provider knows --
    def _dispatch(
        self, hand: Hand, handle: str, messages: Mapping[int, Message], refused: Mapping[int, Refusal]
    ) -> None:
        if len(refused) < len(messages):
            self._messenger.dispatch(handle)

    def _record(
        self, hand: Hand, messages: Mapping[int, Message], loaded: Loaded, refused: Mapping[int, Refusal]
    ) -> None:
        accepted = {
            id_: (loaded.message_ids[message.reference], message.kind.value)
            for id_, message in messages.items()
            if id_ not in refused
        }
        if not accepted:
            hand.claim.release(state=BatchState.RETURNED, problem="all_refused", ask_at=Now())
            return
        sent = {"state": BatchState.SENT, "sent_at": Now(), "lease_until": None, "size": len(accepted)}
        with hand.claim.transaction(ask_at=from_now(settings.SENDING_ASK_SECONDS), **sent):
            changed = arrows.accept(hand.id, accepted)
        if changed != len(accepted):
            log.error("batch_miscounted", batch=hand.id.hex, accepted=len(accepted), changed=changed)
        if self._run.troubles:
            self._run.troubles = 0
            Run.objects.filter(pk=self._run.pk, troubles__gt=0).update(troubles=0, waiting_for="")

    def _lose(self, hand: Hand, messages: Mapping[int, Message], code: str) -> None:
        """No telling what became of it. Its people are not sent to again unless the provider says that it never
        goes. And the next ones wait a little: a provider that doesn't answer now rarely does a second later."""
        kinds = {id_: message.kind.value for id_, message in messages.items()}
        with hand.claim.transaction(
            state=BatchState.UNKNOWN,
            problem=code[:32],
            lease_until=None,
            ask_at=from_now(settings.SENDING_SETTLE_SECONDS),
        ):
            arrows.lose(hand.id, kinds)
        log.warning("batch_unknown", batch=hand.id.hex, code=code)
        self._pause(None)

    # -- Waiting --
    def _pause(self, retry_after: float | None) -> None:
        """Nobody is claimed for a while, longer each time. Raises _Rest."""
        troubles = self._run.troubles
        pause = min(settings.SENDING_PAUSE_SECONDS * 2 ** min(troubles, 10), LONGEST_PAUSE_SECONDS)
        Run.objects.filter(pk=self._run.pk, state=RunState.SENDING).update(
            troubles=F("troubles") + 1, not_before=from_now(max(pause, retry_after or 0)), waiting_for="provider"
        )
        raise _Rest

    def _wait(self, until: datetime, why: str) -> Step:
        """The run goes on at `until`."""
        waiting = Run.objects.filter(pk=self._run.pk, state=RunState.SENDING)
        waiting.exclude(not_before=until, waiting_for=why).update(not_before=until, waiting_for=why)
        return Step.RESTS


# -- What was left lying ----------------------------------------------------------------------------------------------
def sweep() -> int:
    """Wakes workers where somebody waits and there aren't hands enough. How many runs that is."""
    rested = Q(not_before__lte=Now()) | Q(waiting_for="canary", canary_until__lte=Now())
    Run.objects.filter(rested, state=RunState.SENDING).update(not_before=None, waiting_for="")
    count = _in_need().count()
    if count:
        wake()
    return count


def reference_of(recipient_id: int) -> str:
    """How a provider knows a recipient's message."""
    return f"r{recipient_id}"


def id_of(reference: str) -> int:
    """The recipient of a reference of ours; 0 for anything else."""
    digits = reference[1:]
    return int(digits) if reference.startswith("r") and digits.isdecimal() and len(digits) < 19 else 0

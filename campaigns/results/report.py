"""What became of a run, as its campaign's page tells it: the parts of the outcome, how fast it goes, and what keeps it
from going on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Min, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.audience.funnel import Funnel
from campaigns.builder.reach import Band, bands
from campaigns.message.content import TextContent, content_of
from campaigns.models import (
    RUN_LIVE,
    Batch,
    BatchState,
    Campaign,
    CampaignEvent,
    CampaignState,
    RecipientState,
    Run,
    RunKind,
    RunState,
    SkipReason,
)
from campaigns.sending import history, tally
from campaigns.sending.tally import Spent, Tally, spent
from cohorts.models import Snapshot
from integrations.failures import Failure
from integrations.messaging import Reason

R = RecipientState
WIDTH = 1_000
"""Of the bar, in its own units: everybody."""
LEAST = 4
"""Somebody is always seen."""
WINDOW = timedelta(seconds=60)
"""The pace is that of so long."""
EVENTS_SHOWN = 30
BY_EDITING = frozenset({"content", "image", "template_unusable", "profile_unusable", "sender_unregistered"})
BY_SETTINGS = frozenset(
    {
        "not_connected", "cannot_open", "wrong_key", "not_permitted", "out_of_balance", "profile_unusable",
        "sender_unregistered", "sender_blocked", "template_unusable",
    }
)  # fmt: skip
BY_RULES = frozenset({"failure_rate", "ceiling"})


# -- The outcome ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sub:
    """A line beneath a part: why, how many, and where its people are found."""

    label: str
    count: int
    who: str
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class Part:
    """A part of the outcome. The parts add up to everybody."""

    who: str
    label: str
    dot: str
    count: int
    of: int
    subs: tuple[Sub, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def percent(self) -> str:
        if not self.of:
            return "–"
        share = 100 * self.count / self.of
        return f"{share:.1f}%" if share >= 0.05 or not share else "<0.1%"  # A few are not none.


def parts_of(counted: Tally, unknown: "Unknown") -> list[Part]:
    """The outcome of a run. Nobody is in two parts, and nobody in none."""
    size = counted.size
    replaced = counted.count(R.DELIVERED, where=lambda line: line.was_replaced)
    delivered = [Sub(_("대체 문자로 도달"), replaced, "replaced")] if replaced else []
    found = [
        Part("delivered", _("도달"), "ok", counted.delivered, size, tuple(delivered)),
        Part("failed", _("실패"), "bad", counted.failed, size, tuple(_failures(counted))),
        Part("waiting", _("대기"), "wait", counted.waiting, size, tuple(_waiting(counted))),
        Part("unknown", _("결과 모름"), "unknown", counted.unknown, size, _unknown(counted), tuple(unknown.words())),
    ]
    if counted.skipped:
        left = [Sub(_skip_words(reason), n, "skipped", reason) for reason, n in counted.by_reason(R.SKIPPED)]
        found.append(Part("skipped", _("제외"), "rest", counted.skipped, size, tuple(left)))
    return found


def _failures(counted: Tally) -> Iterator[Sub]:
    passing = {
        line.reason for line in counted.lines if line.state == R.FAILED and line.is_transient and not line.was_replaced
    }
    for reason, number in counted.by_reason(R.FAILED, R.REFUSED):
        note = _("다시 보낼 수 있음") if reason in passing else ""
        yield Sub(reason_words(reason), number, "failed", reason, note)


def _waiting(counted: Tally) -> Iterator[Sub]:
    if counted.not_handed:
        yield Sub(_("아직 넘기지 않음"), counted.not_handed, "not_handed")
    if counted.awaited:
        yield Sub(_("넘겼고 결과를 기다림"), counted.awaited, "awaited")


def _unknown(counted: Tally) -> tuple[Sub, ...]:
    return (Sub(_("누구인지 보기"), counted.unknown, "unknown"),) if counted.unknown else ()


def reason_words(reason: str) -> str:
    """Why somebody didn't get it, in the reader's language."""
    return str(Reason(reason).label) if reason in Reason.values else reason or _("이유 없음")


def _skip_words(reason: str) -> str:
    return str(SkipReason(reason).label) if reason in SkipReason.values else reason or _("이유 없음")


@dataclass(frozen=True)
class Segment:
    """A piece of the bar."""

    dot: str
    x: int
    width: int


def segments(parts: Sequence[Part]) -> list[Segment]:
    """The bar: those whose result is known first, those who wait last."""
    order = {"delivered": 0, "failed": 1, "unknown": 2, "skipped": 3, "waiting": 4}
    shown = sorted((part for part in parts if part.count), key=lambda part: order[part.who])
    widths = [max(round(WIDTH * part.count / part.of), LEAST) for part in shown]
    if widths:
        widths[widths.index(max(widths))] += WIDTH - sum(widths)
    drawn, x = [], 0
    for part, width in zip(shown, widths, strict=True):
        drawn.append(Segment(part.dot, x, width))
        x += width
    return drawn


@dataclass(frozen=True)
class Unknown:
    """What is being done about those of whom nobody knows."""

    asked_next: datetime | None = None
    """When the provider is asked next."""
    is_asked: bool = False
    given_up: bool = False
    """Of some no report came for as long as a provider keeps them."""
    restored: bool = False

    def words(self) -> Iterator[str]:
        """Sentences for the page."""
        if self.is_asked and self.asked_next is not None and self.asked_next > timezone.now():
            at = f"{timezone.localtime(self.asked_next):%H:%M:%S %Z}"
            yield _("발송 플랫폼의 응답이 끊겼습니다. 다시 보내지 않고 %(at)s에 결과를 조회합니다.") % {"at": at}
        elif self.is_asked:
            yield _("발송 플랫폼의 응답이 끊겼습니다. 다시 보내지 않고 곧 결과를 조회합니다.")
        if self.given_up:
            yield _("나흘 동안 결과가 오지 않았습니다. 두 번 받는 일이 없도록 다시 보내지 않습니다.")
        if self.restored:
            yield _("받았는지 알 수 없습니다. 두 번 받는 일이 없도록 다시 보내지 않습니다.")


def unknown_of(run: Run, counted: Tally) -> Unknown:
    """One statement where somebody is unknown, else none."""
    if not counted.unknown:
        return Unknown()
    asked = Batch.objects.filter(run=run, state=BatchState.UNKNOWN).aggregate(next=Min("ask_at"), all=Sum("size"))
    silent = counted.count(R.UNKNOWN, where=lambda line: line.reason == Reason.NO_REPORT)
    is_asked = bool(asked["all"])
    return Unknown(asked["next"], is_asked, given_up=bool(silent), restored=not is_asked and silent < counted.unknown)


# -- How fast it goes -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Pace:
    """How many were handed over a second lately, and when the last will be."""

    per_second: float
    seconds_left: int | None

    @property
    def shown(self) -> str:
        return f"{self.per_second:,.0f}" if self.per_second >= 10 else f"{self.per_second:.1f}"

    @property
    def minutes_left(self) -> int | None:
        """Rounded up; 0 for less than a minute."""
        return None if self.seconds_left is None else 0 if self.seconds_left < 60 else -(-self.seconds_left // 60)

    @property
    def ends_at(self) -> datetime | None:
        return None if self.seconds_left is None else timezone.now() + timedelta(seconds=self.seconds_left)


def pace_of(run: Run, left: int) -> Pace | None:
    """From the batches of the last minute; None where nothing was handed over in it."""
    now = timezone.now()
    sent = Batch.objects.filter(run=run, sent_at__gt=now - WINDOW).aggregate(
        people=Sum("size"), first=Min("created_at")
    )
    if not sent["people"]:
        return None
    seconds = min(max((now - sent["first"]).total_seconds(), 1.0), WINDOW.total_seconds())
    rate = sent["people"] / seconds
    return Pace(rate, round(left / rate))


# -- All of it --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Report:
    """A run as its campaign's page shows it."""

    campaign: Campaign
    run: Run
    tally: Tally
    parts: list[Part]
    pace: Pace | None
    spent: Spent
    unknown: Unknown
    was_retried: bool = False
    read_before: timedelta | None = None
    """How long before the run the frozen version of the cohort was read."""
    written: int | None = None
    """While its people are written down: how many are."""
    funnel: Funnel = field(default_factory=lambda: Funnel(()))

    @property
    def segments(self) -> list[Segment]:
        return segments(self.parts)

    @property
    def bands(self) -> list[Band]:
        return list(bands(self.funnel))

    @property
    def is_live(self) -> bool:
        return self.run.state in RUN_LIVE

    @property
    def is_frozen(self) -> bool:
        """Whether it is known who gets it."""
        return self.run.state not in (RunState.QUEUED, RunState.FREEZING, RunState.SKIPPED) and bool(self.run.size)

    @property
    def is_stopped(self) -> bool:
        """It is going, but its campaign isn't: nobody else is handed over."""
        return self.is_live and self.campaign.state != CampaignState.ACTIVE and self.run.kind != RunKind.TEST

    @property
    def awaits_fallback(self) -> bool:
        """Everybody was handed over; it goes on only because whoever fails gets the text from us."""
        run = self.run
        return run.state == RunState.SENDING and run.handed_over_at is not None and not self.tally.not_handed

    @property
    def done(self) -> int:
        """How many are no longer to be handed over, for the progress."""
        return self.tally.size - self.tally.not_handed

    @property
    def is_moving(self) -> bool:
        """Whether something may change by itself soon."""
        return (self.is_live and not self.is_stopped) or (self.run.settled_at is None and not self.is_quiet)

    @property
    def is_quiet(self) -> bool:
        """Nothing more is expected."""
        return self.run.state == RunState.SKIPPED or (not self.is_live and not self.tally.waiting)

    @property
    def waits_for(self) -> str:
        """Why it doesn't go on now, in words."""
        return history.reason_of("waits", self.run.waiting_for) if self.is_live and self.run.waiting_for else ""

    @property
    def waits_until(self) -> datetime | None:
        until = self.run.canary_until if self.run.waiting_for == "canary" else self.run.not_before
        return until if until is not None and until > timezone.now() else None

    @property
    def skipped_for(self) -> str:
        return history.reason_of("skipped", self.run.skipped_for) if self.run.state == RunState.SKIPPED else ""

    @property
    def is_asked_about(self) -> bool:
        """Everybody was handed over, and results are still to come."""
        return not self.is_live and self.run.state != RunState.SKIPPED and not self.is_quiet

    @property
    def sentence(self) -> str:
        """How the run stands, in a few words."""
        run = self.run
        if self.is_stopped:
            return _("멈췄습니다")
        if self.awaits_fallback:
            return _("모두 넘겼고 결과를 기다립니다")
        if run.state == RunState.SENDING:
            return self.waits_for or _("보내고 있습니다")
        if self.is_live:
            return self.waits_for or _("발송 대상을 확정하고 있습니다")
        if run.state == RunState.SKIPPED:
            return _("보내지 않았습니다")
        if run.state == RunState.CANCELLED:
            return _("발송을 취소했습니다")
        return _("모두 넘겼고 결과를 기다립니다") if self.is_asked_about else _("발송이 끝났습니다")

    @property
    def expected(self) -> Decimal | None:
        return self.run.expected_won

    @property
    def may_retry(self) -> bool:
        """Whether those who failed for a passing fault can be sent to again."""
        return can_be_retried(self.run, self.tally) and not self.was_retried


def can_be_retried(run: Run, counted: Tally) -> bool:
    """Whether somebody of the run could be sent to again, had nobody done it yet."""
    return run.state in (RunState.DONE, RunState.CANCELLED) and run.kind != RunKind.TEST and bool(counted.retriable)


def report_of(campaign: Campaign, run: Run) -> Report:
    """At most five statements."""
    counted = tally.tally_of(run)
    is_going = run.state == RunState.SENDING and campaign.state == CampaignState.ACTIVE
    unknown = unknown_of(run, counted)
    content = content_of(run.channel, run.message)
    fallback = None if isinstance(content, TextContent) else content.fallback
    return Report(
        campaign=campaign,
        run=run,
        tally=counted,
        parts=parts_of(counted, unknown),
        pace=pace_of(run, counted.not_handed) if is_going and counted.not_handed else None,
        spent=spent(counted, run.unit_prices, fallback.kind if fallback else ""),
        unknown=unknown,
        was_retried=can_be_retried(run, counted) and Run.objects.filter(retry_of=run).exists(),
        read_before=_read_before(run),
        written=run.recipients.count() if run.state == RunState.FREEZING and run.funnel else None,
        funnel=Funnel.from_json(run.funnel),
    )


def _read_before(run: Run) -> timedelta | None:
    if run.snapshot_id is None:
        return None
    read_at = Snapshot.objects.filter(pk=run.snapshot_id).values_list("created_at", flat=True).first()
    began = run.started_at or run.created_at
    return None if read_at is None else max(began - read_at, timedelta(0))


# -- Why it stopped ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Stop:
    """Why a campaign stopped by itself, and where that is mended."""

    failure: Failure
    facts: dict[str, Any]
    by_editing: bool
    by_settings: bool
    by_rules: bool


def stop_of(campaign: Campaign, events: Sequence[CampaignEvent]) -> Stop | None:
    """What to tell of a campaign that stopped by itself; None for one that didn't."""
    code = campaign.brake
    if not code:
        return None
    event = next((one for one in events if one.what == "braked"), None)
    return Stop(
        failure=history.why_stopped(code),
        facts=event.details if event is not None else {},
        by_editing=code in BY_EDITING,
        by_settings=code in BY_SETTINGS,
        by_rules=code in BY_RULES,
    )


# -- What happened ----------------------------------------------------------------------------------------------------
DOTS = {
    "launched": "main", "resumed": "main", "frozen": "main", "retried": "main", "done": "ok", "braked": "bad",
    "restored": "bad", "skipped": "unknown", "waits": "unknown", "paused": "unknown", "cancelled": "bad",
}  # fmt: skip


@dataclass(frozen=True)
class Happening:
    """A line of the history."""

    event: CampaignEvent
    words: str
    dot: str


def happenings(campaign: Campaign) -> list[Happening]:
    """The last things that happened, the newest first."""
    events = campaign.events.order_by("-pk")[:EVENTS_SHOWN]
    return [Happening(one, history.words_of(one), DOTS.get(one.what, "")) for one in events]

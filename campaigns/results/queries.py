"""What 캠페인 리스트 shows. The number of statements doesn't grow with the campaigns, their runs or their people."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet, Sum
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import RUN_LIVE, Campaign, CampaignState, Run, RunKind, RunState
from campaigns.sending.schedule import Timing, When, period, timing_of
from campaigns.sending.tally import Tally, tallies
from integrations.messaging import Channel
from notifly_console.lib.paging import Pages, page_of
from notifly_console.tenancy.access import Access

PAGE = 30
MANY_FAILED_PERCENT = 10
FEWEST = 30
"""Fewer results than this say nothing about a rate."""
STATE_COLOURS = {CampaignState.ACTIVE: "green", CampaignState.INACTIVE: "yellow"}
CHANNEL_ICONS = {
    Channel.ALIMTALK: "message-square-text",
    Channel.FRIENDTALK: "message-circle",
    Channel.TEXT: "smartphone",
}
# Texts of messages stay in the database.
_SHOWN = (
    "project_id", "name", "author_name", "state", "channel", "timing", "brake", "next_run_at", "launched_at",
    "ended_at", "created_at", "updated_at", "version", "audience_kind",
)  # fmt: skip


# -- What was asked for -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class CampaignQuery:
    """A search, filters and a page of the list; made from an address, and written back into one."""

    text: str = ""
    state: str = ""
    channel: str = ""
    page: int = 1

    @classmethod
    def of(cls, params: QueryDict) -> "CampaignQuery":
        """Whatever of `params` makes sense."""
        state, channel = params.get("state", ""), params.get("channel", "")
        return cls(
            text=params.get("q", "").replace("\0", "").strip()[:120],
            state=state if state in CampaignState.values else "",
            channel=channel if channel in Channel.values else "",
            page=page_of(params.get("page", "")),
        )

    def address(self, page: int = 1) -> str:
        """The query string of another page of the same."""
        pairs = {"q": self.text, "state": self.state, "channel": self.channel, "page": str(page) if page > 1 else ""}
        return urlencode({name: value for name, value in pairs.items() if value})

    @property
    def here(self) -> str:
        return self.address(self.page)

    @property
    def is_narrow(self) -> bool:
        """Whether something is looked for."""
        return bool(self.text or self.state or self.channel)


# -- A row ------------------------------------------------------------------------------------------------------------
@dataclass
class Totals:
    """What became of a campaign's people, over its runs; whoever is sent to again counts once."""

    runs: int = 0
    size: int = 0
    delivered: int = 0
    failed: int = 0
    waiting: int = 0
    unknown: int = 0
    not_handed: int = 0

    def add(self, tally: Tally) -> None:
        """A run of which results may still come."""
        self.runs += bool(tally.size)
        self.size += tally.size
        self.delivered += tally.delivered
        self.failed += tally.failed
        self.waiting += tally.waiting
        self.unknown += tally.unknown
        self.not_handed += tally.not_handed

    @property
    def failed_percent(self) -> int:
        """The share of failures, where it is worth a word; else 0."""
        known = self.delivered + self.failed
        percent = round(100 * self.failed / known) if known >= FEWEST else 0
        return percent if percent >= MANY_FAILED_PERCENT else 0


@dataclass(frozen=True)
class CampaignRow:
    """A campaign as the list shows it."""

    campaign: Campaign
    timing: Timing
    totals: Totals
    live: Run | None
    """The run that is going, if one is."""

    @property
    def colour(self) -> str:
        return STATE_COLOURS.get(CampaignState(self.campaign.state), "")

    @property
    def icon(self) -> str:
        return CHANNEL_ICONS[Channel(self.campaign.channel)] if self.campaign.channel else ""

    @property
    def is_sending(self) -> bool:
        return self.live is not None and self.campaign.state == CampaignState.ACTIVE

    @property
    def waits(self) -> bool:
        """Whether the run that is going hands nobody over now."""
        live = self.live
        return live is not None and bool(live.waiting_for or (live.handed_over_at and not self.totals.not_handed))

    @property
    def doing(self) -> str:
        """What the run that is going does, in a word."""
        if self.live is None:
            return ""
        if self.live.handed_over_at is not None and not self.totals.not_handed:
            return _("결과 대기")
        if self.live.waiting_for and self.live.waiting_for != "canary":
            return _("대기 중")
        return _("발송 중") if self.live.state == RunState.SENDING else _("준비 중")

    @property
    def when(self) -> str:
        """How often it goes out, in words."""
        return str(When(self.timing.kind).label) if self.timing.kind else ""

    @property
    def _launched(self) -> datetime | None:
        return timezone.localtime(self.campaign.launched_at) if self.campaign.launched_at else None

    @property
    def period(self) -> str:
        """From when until when, in the project's zone; "" while nothing is planned."""
        if self.timing.kind == When.NOW:
            return (
                f"{timezone.localtime(self.campaign.launched_at):%Y-%m-%d %H:%M}" if self.campaign.launched_at else ""
            )
        at = f" {self.timing.at:%H:%M}" if self.timing.kind == When.ONCE and self.timing.at else ""
        return f"{found}{at}" if (found := period(self.timing, self._launched)) else ""


# -- The list ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class CampaignPage:
    """One page of the list."""

    query: CampaignQuery
    rows: list[CampaignRow]
    pages: Pages
    all: int
    """How many campaigns the project has."""

    @property
    def is_moving(self) -> bool:
        """Whether something on it is being sent."""
        return any(row.is_sending for row in self.rows)


def campaign_page(access: Access, query: CampaignQuery) -> CampaignPage:
    """The page that `query` asks for, the newest campaigns first. Five statements, one more while something on the page
    isn't settled."""
    found = access.all(Campaign).filter(_matching(query))
    numbers = access.all(Campaign).aggregate(all=Count("pk"), matched=Count("pk", filter=_matching(query)))
    pages = Pages(numbers["matched"], PAGE, query.page, query.address)
    campaigns = list(found.only(*_SHOWN).order_by("-created_at", "-pk")[pages.slice])
    totals, live = totals_of(campaigns)
    rows = [CampaignRow(one, timing_of(one.timing), totals[one.pk], live.get(one.pk)) for one in campaigns]
    return CampaignPage(query, rows, pages, numbers["all"])


def _matching(query: CampaignQuery) -> Q:
    found = Q(name__icontains=query.text) if query.text else Q(pk__isnull=False)
    if query.state:
        found &= Q(state=query.state)
    if query.channel:
        found &= Q(channel=query.channel)
    return found


def totals_of(campaigns: list[Campaign]) -> tuple[dict[Any, Totals], dict[Any, Run]]:
    """What became of each campaign's people, and the run of each that is going. Tests don't count."""
    totals: dict[Any, Totals] = defaultdict(Totals)
    live: dict[Any, Run] = {}
    if not campaigns:
        return totals, live
    runs: QuerySet[Run] = Run.objects.filter(campaign__in=[one.pk for one in campaigns]).exclude(kind=RunKind.TEST)
    settled = runs.filter(settled_at__isnull=False).order_by().values("campaign")
    sums = (Sum("size"), Sum("delivered_count"), Sum("failed_count"), Sum("unknown_count"))
    for key, number, *people in settled.annotate(number=Count("pk")).values_list("campaign", "number", *sums):
        size, delivered, failed, unknown = (n or 0 for n in people)
        totals[key] = Totals(number, size, delivered, failed, unknown=unknown)
    going = list(
        runs.filter(settled_at=None)
        .exclude(state=RunState.SKIPPED)
        .only(
            "campaign_id",
            "number",
            "kind",
            "state",
            "size",
            "settled_at",
            "waiting_for",
            "not_before",
            "handed_over_at",
        )
    )
    counted = tallies(going)
    for run in going:
        totals[run.campaign_id].add(counted[run.pk])
        if run.state in RUN_LIVE:
            live[run.campaign_id] = run
    again = runs.filter(kind=RunKind.RETRY).exclude(state=RunState.SKIPPED).order_by()
    for key, people in again.values_list("campaign").annotate(people=Sum("size")):
        # They failed before: what became of them now is what counts.
        totals[key].failed -= people or 0
        totals[key].size -= people or 0
    return totals, live

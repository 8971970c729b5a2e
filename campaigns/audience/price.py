"""What a run will cost, before the button: people × the price of what each gets, and the worst case of the fallback.

A Kakao message that isn't delivered isn't charged, but the text message that goes out instead is: the worst case is the
dearer of the two for each person. Prices and balance are the provider's own, as last listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from campaigns.audience.funnel import Plan
from campaigns.audience.measure import measure
from campaigns.message.check import Content, content_of
from campaigns.message.render import Worst
from campaigns.models import Campaign, Run
from campaigns.rules import rules_of
from integrations import senders
from integrations.messaging import Balance, Kind
from notifly_console.tenancy.models import Project


@dataclass(frozen=True)
class Line:
    """So many messages of a kind, at a price."""

    kind: Kind
    count: int
    unit_won: Decimal | None
    """None where the provider names no price for it."""

    @property
    def won(self) -> Decimal:
        """All of them; 0 where the price isn't known."""
        return self.count * (self.unit_won or Decimal(0))


@dataclass(frozen=True)
class Estimate:
    """The price of a run. `lines`: what goes out if every message arrives as meant; `fallback`: text messages if no
    Kakao message does. Whoever gets nothing (a text too long) costs nothing."""

    lines: tuple[Line, ...]
    fallback: tuple[Line, ...]
    worst_won: Decimal
    """The most that it can cost."""
    balance: Balance | None
    """None where it isn't known."""
    ceiling_won: int | None
    measured: Worst

    @property
    def won(self) -> Decimal:
        """What it costs if every message arrives as meant."""
        return sum((line.won for line in self.lines), Decimal(0))

    @property
    def size(self) -> int:
        """How many messages."""
        return sum(line.count for line in self.lines)

    @property
    def each_won(self) -> tuple[Decimal, Decimal]:
        """The least and the most that one person costs: what a live campaign is told by. A fallback goes out instead,
        so it counts where it is dearer. Of any use only if `is_known`."""
        units = [line.unit_won or Decimal(0) for line in self.lines]
        instead = [line.unit_won or Decimal(0) for line in self.fallback]
        return min(units, default=Decimal(0)), max(units + instead, default=Decimal(0))

    @property
    def hundred_won(self) -> Decimal:
        """The most that a hundred people cost."""
        return 100 * self.each_won[1]

    @property
    def is_known(self) -> bool:
        """Whether the provider names a price for everything that may go out."""
        return all(line.unit_won is not None for line in (*self.lines, *self.fallback))

    @property
    def unit_prices(self) -> dict[str, str]:
        """Won by kind, as text: what a run keeps."""
        return {line.kind.value: str(line.unit_won) for line in (*self.lines, *self.fallback) if line.unit_won}

    @property
    def exceeds_balance(self) -> bool:
        """Whether the money at the provider may not be enough; no where it isn't known how much there is."""
        return self.balance is not None and self.worst_won > self.balance.total

    @property
    def exceeds_ceiling(self) -> bool:
        """Whether it may cost more than the project allows a run to."""
        return self.ceiling_won is not None and self.worst_won > self.ceiling_won


def estimate(campaign: Campaign, plan: Plan) -> Estimate:
    """The price of sending the campaign's message to everybody whom `plan` chose. Asks the database for the lengths of
    their values where these make a difference, never the provider. Raises BadVariable."""
    return _estimate(campaign.project, content_of(campaign.channel, campaign.message), plan)


def estimate_run(run: Run, plan: Plan) -> Estimate:
    """The same of a run, which has a message of its own. Raises BadVariable."""
    return _estimate(run.project, content_of(run.channel, run.message), plan)


def _estimate(project: Project, content: Content, plan: Plan) -> Estimate:
    listing, rules = senders.listing(project), rules_of(project)
    measured = measure(content, rules, plan)
    lines = _lines(measured.by_kind, listing.prices)
    fallback = _lines(measured.fallback.by_kind, listing.prices) if measured.fallback else ()
    return Estimate(lines, fallback, _worst(lines, fallback), listing.balance, rules.ceiling_won, measured)


def _lines(counts: Mapping[Kind, int], prices: Mapping[Kind, Decimal]) -> tuple[Line, ...]:
    order = list(Kind)
    return tuple(Line(kind, counts[kind], prices.get(kind)) for kind in sorted(counts, key=order.index))


def _worst(lines: tuple[Line, ...], fallback: tuple[Line, ...]) -> Decimal:
    """Each person costs one message: the Kakao one, or instead of it their fallback where that is dearer. All Kakao
    messages of a campaign are of one kind."""
    whole = sum((line.won for line in lines), Decimal(0))
    if not fallback:
        return whole
    kakao = max((line.unit_won or Decimal(0) for line in lines), default=Decimal(0))
    return whole + sum(line.count * max(Decimal(0), (line.unit_won or Decimal(0)) - kakao) for line in fallback)

"""발송 대상 (N) and the funnel, as 캠페인 생성 and the review page draw them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from campaigns.audience import plan as audience
from campaigns.audience.needs import triggers_of
from campaigns.audience.plan import Drop, Funnel, NoAudience, Plan, Step
from campaigns.models import AudienceKind, Campaign, Freshness, Rules
from campaigns.rules import rules_of
from campaigns.sending.readiness import never_live
from campaigns.sending.schedule import timing_of
from cohorts.models import Cohort
from notifly_console.tenancy.access import Access, Right

WIDTH = 1_000
"""Of the funnel's drawing, in its own units: the whole audience."""
PHONES = 7
DROPS = 3
"""Reasons named between two steps; the dialog has all."""


@dataclass(frozen=True)
class Band:
    """A step of the funnel as it is drawn: its bar, and the way down to the next one's."""

    step: Step
    width: int
    next_width: int
    drops: tuple[Drop, ...]
    """Whom the next step leaves out."""
    next_key: str
    is_last: bool

    @property
    def more(self) -> int:
        """How many of them have a reason that isn't named."""
        return sum(drop.count for drop in self.drops[DROPS:])

    @property
    def named(self) -> tuple[Drop, ...]:
        return self.drops[:DROPS]

    @property
    def lost(self) -> int:
        return sum(drop.count for drop in self.drops)


def bands(funnel: Funnel) -> Iterator[Band]:
    """A funnel as it is drawn."""
    steps = funnel.steps
    for at, step in enumerate(steps):
        after = steps[at + 1] if at + 1 < len(steps) else None
        yield Band(
            step=step,
            width=_width(step.count, funnel.audience),
            next_width=_width(after.count if after else step.count, funnel.audience),
            drops=after.drops if after else (),
            next_key=after.key if after else "",
            is_last=after is None,
        )


def _width(count: int, of: int) -> int:
    """Somebody is always seen, and somebody who is missing too."""
    if not of or not count:
        return 0
    return min(max(round(WIDTH * count / of), 4), WIDTH if count == of else WIDTH - 4)


@dataclass(frozen=True)
class Age:
    """A cohort that is older than the project wants, and what the rule makes of it."""

    cohort: Cohort
    hours: int
    """How old it is; 0 for one that was never read."""
    limit: int
    rule: str
    """A `Freshness`."""


def age_of(campaign: Campaign, rules: Rules) -> Age | None:
    """Whether the freshness guard has something to say; None while the cohort is young enough."""
    cohort = campaign.cohort
    if campaign.audience_kind != AudienceKind.COHORT or cohort is None:
        return None
    limit = timedelta(hours=rules.freshness_hours)
    age = timezone.now() - cohort.refreshed_at if cohort.refreshed_at else None
    if age is not None and age <= limit:
        return None
    hours = int(age.total_seconds() // 3600) if age else 0
    return Age(cohort, hours, rules.freshness_hours, Freshness(rules.freshness))


def triggers_named(campaign: Campaign) -> list[Cohort]:
    """Of a user group: the cohorts that somebody has to come into to be sent to, by name."""
    if campaign.audience_kind != AudienceKind.GROUP:
        return []
    return list(Cohort.objects.filter(pk__in=triggers_of(campaign)).only("name").order_by("name"))


def plan_of(campaign: Campaign) -> Plan | None:
    """The plan of a draft; None while there is no audience to plan with."""
    try:
        return audience.plan(campaign)
    except NoAudience:
        return None


def reach_context(access: Access, campaign: Campaign) -> dict[str, Any]:
    """What the fragment of reach shows: the plan, or why there is none."""
    context: dict[str, Any] = {"campaign": campaign, "age": age_of(campaign, rules_of(access.project))}
    if not campaign.audience_kind:
        return context
    is_live = timing_of(campaign.timing).is_live
    if is_live and (never := never_live(campaign)):
        return context | {"not_live": never}
    try:
        plan = audience.plan(campaign)
    except NoAudience as error:
        return context | {"no_audience": error}
    if is_live:
        return context | {"plan": plan, "is_live": True, "triggers": triggers_named(campaign)}
    whole = access.may(Right.SEE_CONTACTS)
    size = plan.funnel.size
    return context | {
        "plan": plan,
        "bands": list(bands(plan.funnel)),
        "phones": audience.first_phones(plan, PHONES, whole=whole),
        "is_masked": not whole,
        "others": max(size - PHONES, 0),
        "percent": 100 * size / plan.funnel.audience if plan.funnel.audience else 0,
    }

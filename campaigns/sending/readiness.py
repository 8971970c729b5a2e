"""What keeps a campaign from being launched. The builder's review shows it, and the launch asks it again: whatever a
browser sent, nothing is launched that isn't ready."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.audience.funnel import Plan
from campaigns.audience.measure import is_known
from campaigns.audience.needs import cohorts_of, triggers_of
from campaigns.audience.plan import NoAudience, plan
from campaigns.audience.price import Estimate, estimate
from campaigns.message.check import check
from campaigns.message.content import content_of
from campaigns.message.facts import facts_of
from campaigns.message.validate import Problem
from campaigns.models import (
    RUN_LIVE,
    AudienceKind,
    Batch,
    BatchState,
    Campaign,
    CampaignState,
    Freshness,
    Run,
    RunKind,
)
from campaigns.rules import rules_of
from campaigns.sending import schedule
from campaigns.sending.schedule import Timing, When, timing_of
from cohorts.models import Cohort
from integrations import failures, senders
from integrations.messaging import Channel

COHORT_CHANNELS = frozenset(Channel)
"""A cohort of Mixpanel's can be chosen for these channels only (product.md §2.4)."""
AUDIENCES: dict[str, frozenset[Channel]] = {
    AudienceKind.COHORT: COHORT_CHANNELS,
    AudienceKind.GROUP: frozenset(Channel),
    AudienceKind.CSV: frozenset(Channel),
}

NOT_LIVE = gettext_lazy(
    "이벤트 기반 발송은 CSV 파일에는 쓸 수 없습니다. 발송 대상에서 코호트나 유저 그룹을 골라 주세요."
)
NOT_LIVE_GROUP = gettext_lazy(
    "이 유저 그룹에는 ‘코호트에 속함’ 조건이 없어, 누가 언제 들어왔는지 알 수 없습니다. 코호트 조건을 넣거나 "
    "다른 그룹을 골라 주세요."
)
"""Properties change without a version."""


class Readiness(NamedTuple):
    """What keeps a campaign from being launched, and what it was judged by."""

    problems: list[Problem]
    """In the order of the builder."""
    plan: Plan | None = None
    """None where there can't be one."""
    estimate: Estimate | None = None
    """None where the price wasn't asked for, or can't be told while something is wrong with the text."""


def readiness_of(
    campaign: Campaign, *, expected_size: int | None = None, now: datetime | None = None, hurries: bool = False
) -> Readiness:
    """Everything that keeps the campaign from being launched. `expected_size`: how many people the person was shown.
    `hurries`: leaves out the price where it takes a while to work out."""
    now = now or timezone.now()
    found = [*_basics(campaign)]
    timing = timing_of(campaign.timing)
    stopped = _stopped_runs(campaign)
    # One that was stopped goes on now, though its moment has passed.
    late = {"past"} if stopped else set()
    found += [one for one in schedule.check(timing, now, campaign.project.zone) if one.code not in late]
    found += _gone_out(campaign)
    if campaign.channel not in Channel.values:
        return Readiness(found)
    found += _sender(campaign)
    if timing.is_live and (never := never_live(campaign)):
        return Readiness([*found, Problem("audience", "not_live", never)])
    made, troubles = _audience(campaign, expected_size, timing, now)
    found += troubles
    content = content_of(campaign.channel, campaign.message)
    wrong = check(content, rules_of(campaign.project), facts_of(campaign))
    found += wrong
    if made is None or wrong or timing.is_live or (hurries and not is_known(content, made)):
        return Readiness(found, made)
    price = estimate(campaign, made)
    return Readiness([*found, *_price(price, timing.kind == When.NOW)], made, price)


def never_live(campaign: Campaign) -> str:
    """Why nobody can be said to come into its audience; "" where somebody can."""
    if campaign.audience_kind == AudienceKind.CSV:
        return str(NOT_LIVE)
    is_group = campaign.audience_kind == AudienceKind.GROUP and campaign.group is not None
    return str(NOT_LIVE_GROUP) if is_group and not triggers_of(campaign) else ""


def _stopped_runs(campaign: Campaign) -> list[Run]:
    """Runs that go on when the inactive campaign is started again."""
    if campaign.state != CampaignState.INACTIVE:
        return []
    live = Run.objects.filter(campaign=campaign, kind=RunKind.REGULAR, state__in=RUN_LIVE)
    return list(live.defer("chosen"))


def outdated_runs(campaign: Campaign) -> list[Run]:
    """Those of them that were stopped with another message than the campaign has by now."""
    return [
        one for one in _stopped_runs(campaign) if (one.channel, one.message) != (campaign.channel, campaign.message)
    ]


def _gone_out(campaign: Campaign) -> list[Problem]:
    """A run that somebody has got already keeps its message: they have read it."""
    gone = (BatchState.TRIED, BatchState.SENT, BatchState.UNKNOWN, BatchState.CLOSED)
    if not Batch.objects.filter(run__in=outdated_runs(campaign), state__in=gone).exists():
        return []
    text = _(
        "이미 일부에게 보낸 회차가 남아 있어 메시지를 바꿀 수 없습니다. 메시지를 되돌려 이어서 보내거나, 그 회차의 "
        "남은 발송을 취소한 뒤 복제해서 새로 보내 주세요."
    )
    return [Problem("template" if campaign.channel == Channel.ALIMTALK else "text", "run_has_gone_out", text)]


def _basics(campaign: Campaign) -> list[Problem]:
    found = []
    if not campaign.name.strip():
        found.append(Problem("name", "required", _("캠페인 이름을 써 주세요.")))
    if campaign.channel not in Channel.values:
        found.append(Problem("channel", "required", _("발송 채널을 골라 주세요.")))
    return found


def _sender(campaign: Campaign) -> list[Problem]:
    listing = senders.listing(campaign.project)
    if not senders.is_connected(campaign.project):
        return [Problem("channel", "not_connected", failures.sending("not_connected").title)]
    if listing.fetched_at is not None and Channel(campaign.channel) not in senders.channels_of(listing):
        return [Problem("channel", "not_registered", _("이 채널로 보낼 발신 정보가 등록되어 있지 않습니다."))]
    return []


def _audience(
    campaign: Campaign, expected_size: int | None, timing: Timing, now: datetime
) -> tuple[Plan | None, list[Problem]]:
    if campaign.audience_kind and Channel(campaign.channel) not in AUDIENCES.get(campaign.audience_kind, frozenset()):
        return None, [Problem("audience", "not_supported", _("이 채널에서는 이 발송 대상을 쓸 수 없습니다."))]
    try:
        made = plan(campaign)
    except NoAudience as error:
        return None, [Problem("audience", error.code, str(error))]
    if timing.is_live:
        return made, []  # Who will come in isn't known yet; those who are in already aren't sent to.
    found = []
    size = made.funnel.size
    if size == 0:
        found.append(Problem("audience", "nobody", _("보낼 수 있는 수신자가 없습니다. 어디에서 빠졌는지 확인하세요.")))
    elif expected_size is not None and expected_size != size:
        text = _("확인하신 뒤로 발송 대상이 %(before)s명에서 %(now)s명으로 바뀌었습니다. 다시 확인한 뒤 시작하세요.")
        words = {"before": f"{expected_size:,}", "now": f"{size:,}"}
        found.append(Problem("audience", "size_changed", text % words))
    if timing.kind == When.NOW:
        found += _freshness(campaign, now)
    return made, found


def _freshness(campaign: Campaign, now: datetime) -> list[Problem]:
    rules = rules_of(campaign.project)
    if rules.freshness != Freshness.REFUSE:
        return []
    oldest = now - timedelta(hours=rules.freshness_hours)
    fresh = Cohort.objects.filter(pk__in=cohorts_of(campaign), refreshed_at__gte=oldest).values_list("pk", flat=True)
    if not cohorts_of(campaign) - set(fresh):
        return []
    text = _("코호트가 프로젝트 규칙(%(hours)s시간)보다 오래되었습니다. 리프레시한 뒤 시작하세요.")
    return [Problem("cohort", "stale", text % {"hours": rules.freshness_hours})]


def _price(price: Estimate, is_now: bool) -> list[Problem]:
    """By the provider's lists as they were last read; a run asks again before it begins."""
    worst = f"{price.worst_won:,.0f}"
    if price.exceeds_ceiling:
        text = _("최대 예상 비용 %(won)s원이 프로젝트 한도 %(ceiling)s원을 넘습니다.")
        return [Problem("audience", "ceiling", text % {"won": worst, "ceiling": f"{price.ceiling_won:,}"})]
    if is_now and price.exceeds_balance and price.balance is not None:
        text = _("최대 예상 비용 %(won)s원보다 잔액 %(balance)s원이 적습니다. 충전하거나 발송 대상을 줄여 주세요.")
        words = {"won": worst, "balance": f"{price.balance.total:,.0f}"}
        return [Problem("audience", "out_of_balance", text % words)]
    return []

"""When a campaign will go out, and what the night does to it: in dates, before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.audience.plan import Plan
from campaigns.message.check import content_of, is_ad
from campaigns.models import Campaign
from campaigns.models import Night as NightRule
from campaigns.rules import rules_of
from campaigns.sending.schedule import SEOUL, Night, Timing, When, closed_until, closes, night_of, timing_of, upcoming
from integrations.messaging import Channel, Kind

RUNS_SHOWN = 3


@dataclass(frozen=True)
class Forecast:
    """The next runs, and what is to be said of the night."""

    timing: Timing
    coming: Sequence[datetime]
    """The next runs; of 즉시 발송 none: it begins with the launch."""
    ends_by: datetime | None
    """When the first run is over, at the pace of the provider; of 이벤트 기반 발송 from when on nobody is sent to who
    comes in, if it has an end."""
    night: str
    is_held: bool
    """Whether the first run would begin in the night, and wait."""


def forecast_of(campaign: Campaign, plan: Plan | None, now: datetime) -> Forecast:
    """What is to come of a draft as it stands."""
    timing = timing_of(campaign.timing)
    coming = upcoming(timing, now, campaign.project.zone, RUNS_SHOWN)
    begins = now if timing.kind == When.NOW else coming[0] if coming else None
    if timing.is_live:
        last = closes(timing, campaign.project.zone)
        return Forecast(timing, coming, last, _night_of_each(campaign), is_held=False)
    ends = begins + sending_time(plan.funnel.size) if begins and plan and plan.funnel.size else None
    night, is_held = _night(campaign, begins, ends, plan)
    return Forecast(timing, coming, None if is_held else ends, night, is_held)


REQUESTS_A_BATCH = 4
"""Open, load, send, and a look at what became of it."""


def sending_time(people: int) -> timedelta:
    """About how long it takes to hand so many over to the provider, at the pace that its account is asked."""
    requests = -(-people // settings.SENDING_BATCH) * REQUESTS_A_BATCH
    return timedelta(seconds=max(requests / settings.SOLAPI_REQUESTS_PER_SECOND, 60))


def _night(campaign: Campaign, begins: datetime | None, ends: datetime | None, plan: Plan | None) -> tuple[str, bool]:
    """What the night means to it, and whether it begins in one."""
    night = _hours(campaign)
    if night is None:
        return "", False
    kind = _kind(campaign)
    hours = f"{night.begins:%H:%M}–{night.ends:%H:%M}"
    until = closed_until(kind, True, False, begins) if begins else None
    overtaken = closed_until(kind, True, False, ends) if ends and until is None else None
    if until is None and overtaken is None:
        return _("광고는 %(hours)s(한국 시간)에 보내지 않습니다.") % {"hours": hours}, False
    if until is not None:
        said = _("이 시각은 광고를 보낼 수 없는 밤(%(hours)s, 한국 시간)입니다.") % {"hours": hours}
    else:
        said = _("다 보내기 전에 밤(%(hours)s, 한국 시간)이 됩니다.") % {"hours": hours}
    consenting = plan.funnel.size - plan.without_night_consent if plan and kind != Kind.FRIENDTALK else 0
    return f"{said} {_those_held(campaign, until or overtaken)}", until is not None and consenting == 0


def _kind(campaign: Campaign) -> Kind:
    return Kind.FRIENDTALK if campaign.channel == Channel.FRIENDTALK else Kind.SMS


def _hours(campaign: Campaign) -> Night | None:
    """The night that holds for its message; None where there is none."""
    if campaign.channel not in Channel.values or not is_ad(content_of(campaign.channel, campaign.message)):
        return None
    return night_of(_kind(campaign), is_ad=True, night_consent=False)


def _night_of_each(campaign: Campaign) -> str:
    """What the night means to those who come in then."""
    night = _hours(campaign)
    if night is None:
        return ""
    said = _("광고는 %(hours)s(한국 시간)에 보내지 않습니다.") % {"hours": f"{night.begins:%H:%M}–{night.ends:%H:%M}"}
    if rules_of(campaign.project).night == NightRule.DROP:
        return f"{said} {_('그때 들어온 사람에게는 보내지 않습니다. 야간 수신에 동의한 사람은 받습니다.')}"
    return f"{said} {_('그때 들어온 사람은 08:00까지 기다렸다 받습니다.')}"


def _those_held(campaign: Campaign, until: datetime | None) -> str:
    """What becomes of those whom the night holds, by the project's rule."""
    if rules_of(campaign.project).night == NightRule.DROP:
        return _("그때 남은 사람에게는 보내지 않습니다. 야간 수신에 동의한 사람은 받습니다.")
    opens = timezone.localtime(until, SEOUL).strftime("%m-%d %H:%M %Z")
    return _("야간 수신에 동의하지 않은 사람은 %(opens)s까지 기다렸다 받습니다.") % {"opens": opens}

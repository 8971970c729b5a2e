"""What 캠페인 생성 shows of a draft."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models import Campaign
from campaigns.rules import rules_of
from cohorts.models import LIVE, Cohort, Pull, PullState, Refresh
from integrations.messaging import Channel
from notifly_console.tenancy.access import Access, Right

TIMINGS = (
    ("now", _("즉시 발송")),
    ("once", _("1회 예약 발송")),
    ("daily", _("1일 1회 발송")),
    ("weekly", _("매주 정해진 요일에 발송")),
)
WEEKDAYS = (
    (0, pgettext_lazy("weekday", "월"), _("월요일")),
    (1, pgettext_lazy("weekday", "화"), _("화요일")),
    (2, pgettext_lazy("weekday", "수"), _("수요일")),
    (3, pgettext_lazy("weekday", "목"), _("목요일")),
    (4, pgettext_lazy("weekday", "금"), _("금요일")),
    (5, pgettext_lazy("weekday", "토"), _("토요일")),
    (6, pgettext_lazy("weekday", "일"), _("일요일")),
)


@dataclass(frozen=True)
class Pill:
    """A channel as its button."""

    value: str
    label: str | Promise
    icon: str
    is_registered: bool = True


ICONS = {Channel.ALIMTALK: "message-square-text", Channel.FRIENDTALK: "message-circle", Channel.TEXT: "smartphone"}
OTHER_CHANNELS = (
    Pill("app_push", _("앱 푸시"), "bell"),
    Pill("web_push", _("웹 푸시"), "globe"),
    Pill("email", _("이메일"), "mail"),
    Pill("in_app", _("인앱 팝업"), "monitor"),
)


def channel_pills(registered: set[Channel]) -> list[Pill]:
    """The channels that the console sends over, and whether the project has a sender for each."""
    return [Pill(one.value, one.label, ICONS[one], one in registered) for one in Channel]


@dataclass(frozen=True)
class Problem:
    """What has to be mended before a campaign can go out. `field` is that of the form."""

    field: str
    text: str

    @property
    def label(self) -> str:
        """What the field is called on screen."""
        return str(LABELS.get(self.field, self.field))


LABELS: dict[str, Any] = {
    "name": _("캠페인 이름"),
    "description": _("캠페인 설명"),
    "channel": _("발송 채널"),
    "timing": _("발송 주기"),
    "date": _("발송일"),
    "start": _("시작일"),
    "end": _("종료일"),
    "time": _("발송 시간"),
    "weekday": _("발송 요일"),
    "every": _("주기 설정"),
    "audience": _("발송 대상"),
    "cohort": _("코호트 선택"),
    "upload": _("CSV 파일"),
}


FIELDS = tuple(LABELS)
"""Fields of the form that a problem may stand at."""
COLUMN_LABELS: dict[str, Any] = {
    "name": _("캠페인 이름"),
    "description": _("캠페인 설명"),
    "channel": _("발송 채널"),
    "timing": _("발송 시점"),
    "audience_kind": _("발송 대상"),
    "cohort_id": _("코호트"),
    "upload_id": _("CSV 파일"),
    "message": _("메시지"),
    "kept": _("다른 채널의 메시지"),
}


@dataclass(frozen=True)
class Fresh:
    """How old the chosen cohort is, and whether it is being read right now."""

    cohort: Cohort
    is_running: bool
    received: int
    may_refresh: bool


def fresh_of(access: Access, campaign: Campaign) -> Fresh | None:
    """The freshness of the draft's cohort; None where none is chosen."""
    cohort = campaign.cohort
    if cohort is None:
        return None
    pull = (
        Pull.objects.filter(cohort=cohort, refresh__state__in=LIVE)
        .exclude(state__in=[PullState.DONE, PullState.FAILED])
        .first()
    )
    asked_for = Refresh.objects.filter(project_id=access.project.pk, state__in=LIVE, cohort=cohort).exists()
    return Fresh(
        cohort=cohort,
        is_running=pull is not None or (asked_for and pull is None),
        received=pull.received if pull else 0,
        may_refresh=access.may(Right.REFRESH) and cohort.vanished_at is None,
    )


def page_context(access: Access, campaign: Campaign, *, is_new: bool) -> dict[str, Any]:
    """All that the page shows, whatever is unfinished about the draft."""
    registered: set[Channel] = set()
    pills = channel_pills(registered)
    return {
        "nav": "campaign_new" if is_new or campaign.state == "draft" else "campaigns",
        "heading": _("캠페인 생성") if campaign.launched_at is None else _("캠페인 수정"),
        "me": str(access.user),
        "senders_address": reverse("integrations:settings", args=[access.project.id]),
        "campaign": campaign,
        "is_new": is_new,
        "address": address_of(access, campaign, is_new=is_new),
        "parts": parts_of(access, campaign.pk),
        "channels": pills,
        "unregistered": ", ".join(str(pill.label) for pill in pills if not pill.is_registered),
        "other_channels": OTHER_CHANNELS,
        "timings": TIMINGS,
        "weekdays": WEEKDAYS,
        "zone_label": zone_label(access),
        "has_cohorts": access.all(Cohort).exists(),
        "rules": rules_of(access.project),
        "fresh": fresh_of(access, campaign),
    } | timing_context(campaign)


def timing_context(campaign: Campaign) -> dict[str, Any]:
    """What the part about time shows."""
    coming: Sequence[Any] = ()
    return {"timing": campaign.timing if isinstance(campaign.timing, dict) else {}, "coming": coming}


def address_of(access: Access, campaign: Campaign, *, is_new: bool) -> str:
    """Where the form is sent."""
    if is_new:
        return reverse("campaigns:new", args=[access.project.id])
    return reverse("campaigns:edit", args=[access.project.id, campaign.pk])


def parts_of(access: Access, key: UUID) -> dict[str, str]:
    """Addresses of the page's moving parts."""
    return {name: reverse(f"campaigns:{name}", args=[access.project.id, key]) for name in ("freshness",)}


def zone_label(access: Access) -> str:
    """`Asia/Seoul (KST)`"""
    zone = access.project.zone
    return f"{zone.key} ({timezone.localtime(timezone=zone):%Z})"

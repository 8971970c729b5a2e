"""What 캠페인 생성 shows of a draft."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.audience.funnel import reason_of
from campaigns.audience.plan import Plan
from campaigns.message import limits
from campaigns.message.check import content_of
from campaigns.message.content import TEXT_KINDS
from campaigns.models import Campaign
from campaigns.sending.forecast import forecast_of
from campaigns.sending.schedule import PLANNED
from cohorts.models import LIVE, Cohort, Pull, PullState, Refresh, UserGroup
from integrations import senders
from integrations.messaging import Channel, Kind
from notifly_console.tenancy.access import Access, Right

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
    Pill("email", pgettext_lazy("channel", "이메일"), "mail"),
    Pill("in_app", _("인앱 팝업"), "monitor"),
)


def channel_pills(registered: set[Channel]) -> list[Pill]:
    """The channels that the console sends over, and whether the project has a sender for each."""
    return [Pill(one.value, one.label, ICONS[one], one in registered) for one in Channel]


COLUMN_LABELS: dict[str, Any] = {
    "name": _("캠페인 이름"),
    "description": _("캠페인 설명"),
    "channel": _("발송 채널"),
    "timing": _("발송 시점"),
    "audience_kind": _("발송 대상"),
    "cohort_id": _("코호트"),
    "group_id": _("유저 그룹"),
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


GROUPS_SHOWN = 300


def groups_of(access: Access, campaign: Campaign) -> list[UserGroup]:
    """The user groups to choose from, by name, the chosen one in any case."""
    found = list(access.all(UserGroup).select_related("partner_cohort").order_by("name_key", "pk")[:GROUPS_SHOWN])
    if campaign.group is not None and campaign.group not in found:
        found.append(campaign.group)
    return found


def page_context(access: Access, campaign: Campaign, listing: senders.Listing, *, is_new: bool) -> dict[str, Any]:
    """All that the page shows, whatever is unfinished about the draft, but for its reach and the phone."""
    pills = channel_pills(senders.channels_of(listing))
    context = {
        "nav": "campaign_new" if campaign.launched_at is None else "campaigns",
        "heading": _("캠페인 생성") if campaign.launched_at is None else _("캠페인 수정"),
        "me": str(access.user),
        "is_new": is_new,
        "channels": pills,
        "all_unregistered": not any(pill.is_registered for pill in pills),
        "unregistered": ", ".join(str(pill.label) for pill in pills if not pill.is_registered),
        "senders_address": reverse("integrations:settings", args=[access.project.id]) + "#senders",
        "other_channels": OTHER_CHANNELS,
        "timings": PLANNED,
        "weekdays": WEEKDAYS,
        "zone_label": zone_label(access),
        "has_cohorts": access.all(Cohort).exists(),
        "fresh": fresh_of(access, campaign),
        "groups": groups_of(access, campaign),
    }
    context |= part_context(access, campaign, is_new=is_new)
    return context | timing_context(campaign) | message_context(campaign, listing) | upload_context(campaign)


def part_context(access: Access, campaign: Campaign, *, is_new: bool = False) -> dict[str, Any]:
    """What every fragment needs: the draft, and where the page's parts are to be had."""
    return {
        "campaign": campaign,
        "address": address_of(access, campaign, is_new=is_new),
        "parts": parts_of(access, campaign.pk),
    }


def timing_context(campaign: Campaign, plan: Plan | None = None) -> dict[str, Any]:
    """What the part about time shows."""
    found = forecast_of(campaign, plan, timezone.now())
    return {"timing": found.timing.as_json(), "forecast": found}


REFUSED_SHOWN = 5


def upload_context(campaign: Campaign) -> dict[str, Any]:
    """What the part about the file shows: the first rows that can't be used, each with its reason."""
    refused = campaign.upload.refused if campaign.upload else {}
    total = sum(refused.get("counts", {}).values())
    if not total:
        return {"upload_refused": None}
    examples = [(row, reason_of(reason), given) for row, reason, given in refused.get("examples", [])[:REFUSED_SHOWN]]
    return {"upload_refused": {"total": total, "examples": examples, "more": total - len(examples)}}


def message_context(campaign: Campaign, listing: senders.Listing) -> dict[str, Any]:
    """What the part about the message shows: the chosen channel's, and what there is to choose from."""
    message = kept_of(campaign, campaign.channel) if campaign.channel else {}
    template = listing.template(message.get("template", ""))
    return {
        "message": message,
        "text_kinds": [(kind.value, kind.label) for kind in TEXT_KINDS],
        "numbers": [number for number in listing.numbers if number.is_active],
        "profiles": listing.profiles,
        "templates": [
            template
            for template in listing.templates
            if template.is_sendable and message.get("profile", "") in ("", template.profile_id)
        ],
        "template": template,
        "template_buttons": len(template.buttons) + len(template.other_buttons) if template else 0,
        "variable_example": '{{ user["name"] }}',
        "most_buttons": limits.BUTTONS,
        "mms_hint": _("JPG, 200KB, 1,000픽셀까지. 통신사가 받지 않는 사진은 보내기 전에 알려 드립니다."),
        "friendtalk_picture_hint": _("JPG나 PNG, 5MB까지, 가로 500픽셀 이상, 가로세로 2:1에서 3:4 사이."),
    }


def kept_of(campaign: Campaign, channel: str) -> dict[str, Any]:
    """A channel's message as its part of the form shows it, whatever is kept of it."""
    kept = campaign.kept.get(channel) if isinstance(campaign.kept, dict) else None
    if kept is None and channel == campaign.channel:
        kept = campaign.message
    kept = kept if isinstance(kept, dict) else {}
    shown = content_of(channel, kept).as_json()
    if channel == Channel.TEXT:
        shown["kind"] = shown["kind"] or Kind.SMS
    else:
        shown["has_fallback"] = kept.get("has_fallback", bool(kept.get("fallback"))) is True
        shown["fallback"] = shown["fallback"] or {"kind": "sms", "text": "", "subject": ""}
    return shown


def address_of(access: Access, campaign: Campaign, *, is_new: bool) -> str:
    """Where the form is sent."""
    if is_new:
        return reverse("campaigns:new", args=[access.project.id])
    return reverse("campaigns:edit", args=[access.project.id, campaign.pk])


PARTS = ("freshness", "reach", "people", "preview", "measure", "price", "variable", "test")


def parts_of(access: Access, key: UUID) -> dict[str, str]:
    """Addresses of the page's moving parts."""
    return {name: reverse(f"campaigns:{name}", args=[access.project.id, key]) for name in PARTS}


def zone_label(access: Access) -> str:
    """`Asia/Seoul (KST)`"""
    zone = access.project.zone
    return f"{zone.key} ({timezone.localtime(timezone=zone):%Z})"

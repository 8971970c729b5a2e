"""최종 확인: everything that will happen, on one page; and the button that makes it so."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from campaigns.audience.funnel import Plan
from campaigns.builder.counters import Measured, is_quick, measured_of
from campaigns.builder.page import part_context, zone_label
from campaigns.builder.preview import preview_context
from campaigns.builder.reach import age_of, bands, triggers_named
from campaigns.builder.views import fetch
from campaigns.message.problems import Shown, at_fields
from campaigns.models import Campaign
from campaigns.rules import rules_of
from campaigns.sending import launch as launching
from campaigns.sending import schedule
from campaigns.sending.forecast import forecast_of
from campaigns.sending.readiness import Readiness, readiness_of
from campaigns.templatetags.campaign_tags import won
from integrations import senders
from notifly_console.tenancy.access import Access, Right, project_view


@require_safe
@project_view(Right.EDIT_CAMPAIGNS)
def review(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """The draft as it will go out, as it stands now."""
    campaign = fetch(access, campaign_id)
    if not campaign.is_editable:
        return redirect("campaigns:campaign", access.project.id, campaign.pk)
    return _page(request, access, campaign)


@require_POST
@project_view(Right.LAUNCH)
def launch(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """캠페인 생성하기. Asked twice it launches once; what changed since the page was shown stops it."""
    campaign = fetch(access, campaign_id)
    try:
        launching.launch(
            campaign,
            by=access.user,
            seen_version=_number(request.POST.get("version", "")),
            expected_size=_number(request.POST.get("size", "")),
            request=request,
        )
    except launching.CannotLaunch as error:
        campaign.refresh_from_db()
        return _page(request, access, campaign, refused=at_fields(campaign, error.problems))
    messages.success(request, _("캠페인을 시작했습니다."))
    return redirect("campaigns:campaign", access.project.id, campaign.pk)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else -1


def _launch_words(plan: Plan | None, measured: Measured, *, is_live: bool) -> str:
    """What stands on the button: how many, and for how much."""
    if plan is None or not plan.funnel.size or is_live:
        return ""
    estimate = measured.estimate
    going = _going(plan, measured)
    people = ngettext("%(n)s명", "%(n)s명", going) % {"n": f"{going:,}"}
    if estimate is None or not estimate.is_known:
        return people
    price = won(estimate.worst_won)
    return f"{people} · {_('최대 %(won)s') % {'won': price} if estimate.fallback else price}"


def _going(plan: Plan | None, measured: Measured) -> int:
    """How many get it; whoever can't, since it is too long for them, is not among these once that is known."""
    if measured.estimate is not None:
        return measured.estimate.size
    return plan.funnel.size if plan else 0


def _page(request: Any, access: Access, campaign: Campaign, refused: list[Shown] | None = None) -> HttpResponse:
    now = timezone.now()
    hurries = refused is None and request.GET.get("price") != "1"
    ready = readiness_of(campaign, now=now, hurries=hurries)
    plan = ready.plan
    listing = senders.listing(access.project)
    rules = rules_of(access.project)
    timing = schedule.timing_of(campaign.timing)
    context = part_context(access, campaign) | {
        "nav": "campaign_new" if campaign.launched_at is None else "campaigns",
        "plan": plan,
        "bands": list(bands(plan.funnel)) if plan else [],
        "age": age_of(campaign, rules),
        "triggers": triggers_named(campaign) if timing.is_live else [],
        "rules": rules,
        "forecast": forecast_of(campaign, plan, now),
        "listing": listing,
        "zone_label": zone_label(access),
        "timing_kind": schedule.When(timing.kind).label if timing.kind else "",
        "timing_words": schedule.words(timing, access.project.zone.key) if timing.repeats or timing.is_live else "",
        "timing_period": schedule.period(timing) if timing.repeats else "",
    }
    context |= preview_context(access, campaign, plan, listing, request.GET)
    context |= {"problems": refused if refused is not None else at_fields(campaign, ready.problems)}
    if hurries and plan is not None and not is_quick(campaign, plan):
        context |= {"measures_later": True, "going": plan.funnel.size, "is_live": timing.is_live}
    else:
        context |= _priced(campaign, ready, context["preview"])
    return render(request, "campaigns/builder/review.html", context, status=422 if refused else 200)


@require_safe
@project_view(Right.EDIT_CAMPAIGNS)
def priced(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """What the review page asks for once it stands, where it takes a while: the price, what it forbids, the button."""
    campaign = fetch(access, campaign_id)
    ready, listing = readiness_of(campaign), senders.listing(access.project)
    shown = preview_context(access, campaign, ready.plan, listing, request.GET)["preview"]
    context = part_context(access, campaign) | {"plan": ready.plan, "oob": True, "is_review": True}
    context |= {"problems": at_fields(campaign, ready.problems)} | _priced(campaign, ready, shown)
    return render(request, "campaigns/builder/_review_priced.html", context)


def _priced(campaign: Campaign, ready: Readiness, shown: Any) -> dict[str, Any]:
    """The price, and what stands on the button."""
    is_live = schedule.timing_of(campaign.timing).is_live
    too_long = [one for one in at_fields(campaign, ready.problems) if one.code == "too_long"]
    measured = measured_of(campaign, ready.plan, shown, too_long, ready.estimate)
    words = _launch_words(ready.plan, measured, is_live=is_live)
    return {"measured": measured, "launch_words": words, "going": _going(ready.plan, measured), "is_live": is_live}

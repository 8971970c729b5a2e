"""The parts of 캠페인 생성 that ask for themselves: the list of cohorts, freshness, reach, people behind a number."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from campaigns.audience import plan as audience
from campaigns.audience import price
from campaigns.audience.plan import Drop, NoAudience, Plan
from campaigns.audience.uploads import refused_known
from campaigns.builder.counters import measured_of
from campaigns.builder.page import fresh_of, part_context
from campaigns.builder.preview import preview_context
from campaigns.builder.reach import plan_of, reach_context
from campaigns.builder.views import fetch
from campaigns.message.personalise import BadVariable
from campaigns.message.problems import live
from campaigns.message.render import ALTERED
from campaigns.models import AudienceKind, Campaign, Picture, SkipReason
from cohorts.pages import choosing
from integrations import senders
from integrations.messaging import Channel, Kind
from notifly_console.tenancy.access import Access, ProjectRequest, Right, project_view

PEOPLE = 20


@require_safe
@project_view(Right.EDIT_CAMPAIGNS)
def cohorts(request: ProjectRequest, access: Access) -> HttpResponse:
    """The list of the combobox for the text typed so far."""
    choice = choosing.choice(access, request.GET.get("cohort-q", ""))
    return render(request, "campaigns/audience/_cohort_list.html", {"choice": choice})


@require_safe
@project_view(Right.EDIT_CAMPAIGNS)
def freshness(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """How old the chosen cohort is; while it is read, how far."""
    campaign = fetch(access, campaign_id)
    fresh = fresh_of(access, campaign)
    response = render(request, "campaigns/audience/_freshness.html", part_context(access, campaign) | {"fresh": fresh})
    if request.GET.get("running") == "1" and not (fresh and fresh.is_running):
        trigger_client_event(response, "audience-changed", {}, after="settle")
        trigger_client_event(response, "draft-saved", {}, after="settle")
    return response


@require_safe
@project_view(Right.EDIT_CAMPAIGNS)
def reach(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """발송 대상 (N) and the funnel of the draft as it is saved."""
    campaign = fetch(access, campaign_id)
    return render(
        request, "campaigns/audience/_reach.html", part_context(access, campaign) | reach_context(access, campaign)
    )


@require_safe
@project_view(Right.EDIT_CAMPAIGNS)
def preview(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """The phone, for another recipient or after a save."""
    campaign = fetch(access, campaign_id)
    plan = plan_of(campaign)
    context = part_context(access, campaign) | preview_context(
        access, campaign, plan, senders.listing(access.project), request.GET
    )
    return render(request, "campaigns/message/_preview.html", context)


@require_safe
@project_view(Right.EDIT_CAMPAIGNS)
def measure(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """How long the texts are for real recipients, what becomes of them, and the price."""
    campaign = fetch(access, campaign_id)
    listing, plan = senders.listing(access.project), plan_of(campaign)
    shown = preview_context(access, campaign, plan, listing, request.GET)["preview"]
    measured = measured_of(campaign, plan, shown, live(campaign, listing))
    context = part_context(access, campaign) | {"measured": measured, "plan": plan, "oob": True}
    return render(request, "campaigns/message/_measured.html", context)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def people(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """Whom a step of the funnel left out for a reason, or who is still there after it."""
    campaign = fetch(access, campaign_id)
    step, reason = request.GET.get("step", "sent"), request.GET.get("reason", "")
    try:
        plan = audience.plan(campaign)
    except NoAudience:
        raise Http404 from None
    if becomes := request.GET.get("becomes", ""):
        return _changed(request, access, campaign, plan, becomes)
    found = plan.funnel.step(step)
    drop = next((one for one in found.drops if one.reason == reason), None) if found else None
    if found is None or (reason and drop is None):
        raise Http404
    total = known(plan, step, drop)
    context = paged(request, plan, step, reason, total) | {
        "campaign": campaign,
        "step": step,
        "reason": reason,
        "title": _("%(what)s %(n)s명") % {"what": (drop or found).label, "n": f"{(drop or found).count:,}"},
        "unseen": (drop or found).count - total,
        "other_reasons": found.drops if reason and len(found.drops) > 1 else (),
    }
    context |= _addresses(access, campaign, {"step": step, "reason": reason})
    return people_answer(request, context)


def people_answer(request: Any, context: dict[str, Any]) -> HttpResponse:
    target = (request.htmx.target or "") if request.htmx else ""
    template = {"dialogs": "_people", "funnel-people": "_people_page"}.get(target, "people")
    return render(request, f"campaigns/audience/{template}.html", context)


def _changed(request: Any, access: Access, campaign: Campaign, plan: Plan, becomes: str) -> HttpResponse:
    """The first of those who get another kind of message than was meant, or none because of its text."""
    if campaign.channel not in Channel.values:
        raise Http404
    try:
        worst = price.estimate(campaign, plan).measured
    except BadVariable:
        raise Http404 from None
    is_fallback = becomes.startswith("fallback-")
    kept = worst.fallback if is_fallback else worst
    key = becomes.removeprefix("fallback-")
    if kept is None or key not in kept.ids:
        raise Http404
    ids = kept.ids[key]
    labels = {Kind.LMS: _("LMS로 바뀌는 수신자"), ALTERED: _("값의 글자를 바꿔 보내는 수신자")}
    label = labels.get(key) or dict(SkipReason.choices).get(key)
    if label is None:
        raise Http404
    some = replace(plan, at_step={"some": ids})
    context = paged(request, some, "some", "", len(ids)) | {
        "campaign": campaign,
        "title": _("%(what)s %(n)s명") % {"what": label, "n": f"{len(ids):,}"},
    }
    return people_answer(request, context | _addresses(access, campaign, {"becomes": becomes}))


def paged(request: Any, plan: Plan, step: str, reason: str, total: int) -> dict[str, Any]:
    """A page of the people behind a number, and where the others are."""
    asked = request.GET.get("offset", "")
    offset = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 12 else 0
    offset = min(offset, max(total - 1, 0)) // PEOPLE * PEOPLE
    return {
        "people": audience.people_of(plan, step, reason, offset=offset, limit=PEOPLE),
        "is_file": plan.kind == AudienceKind.CSV,
        "total": total,
        "page_size": PEOPLE,
        "first": offset + 1 if total else 0,
        "last": min(offset + PEOPLE, total),
        "before": offset - PEOPLE if offset else None,
        "after": offset + PEOPLE if offset + PEOPLE < total else None,
    }


def _addresses(access: Access, campaign: Campaign, asked: dict[str, str]) -> dict[str, str]:
    base = reverse("campaigns:people", args=[access.project.id, campaign.pk])
    return {"base": base, "here": f"{base}?{urlencode(asked)}"}


def known(plan: Plan, step: str, drop: Drop | None) -> int:
    """How many of them can be shown."""
    if drop is None:
        return len(plan.at_step.get(step, ()))
    ids = plan.left_out.get((step, drop.reason))
    if ids is not None:
        return len(ids)
    return refused_known(plan.upload_id, drop.count) if plan.upload_id else drop.count


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def picture(request: Any, access: Access, picture_id: UUID) -> HttpResponse:
    """A picture of a message."""
    kept = access.fetch(Picture, pk=picture_id)
    response = HttpResponse(bytes(kept.content), content_type=kept.media_type)
    response.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return response

"""캠페인 리스트, and one campaign after its launch. Each address answers htmx with its fragment, everybody
else with a page."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from campaigns.builder.reach import plan_of
from campaigns.models import Campaign, CampaignState, Run
from campaigns.results import detail
from campaigns.results.queries import CampaignQuery, campaign_page
from campaigns.sending.launch import GOING
from cohorts.pages.forms import FindForm
from integrations.messaging import Channel
from notifly_console.tenancy.access import Access, Right, project_view


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def campaign_list(request: Any, access: Access) -> HttpResponse:
    """The campaigns of a project; for a search, another page or a look at what moves, the list alone."""
    query = CampaignQuery.of(request.GET)
    context = {
        "nav": "campaigns",
        "query": query,
        "page": campaign_page(access, query),
        "states": CampaignState.choices,
        "channels": Channel.choices,
    }
    is_part = request.htmx and request.htmx.target == "campaigns"
    return render(request, f"campaigns/results/{'_list' if is_part else 'list'}.html", context)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def campaign(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """One campaign; a draft opens where it is written."""
    one = detail.fetch(access, campaign_id)
    if one.state == CampaignState.DRAFT and access.may(Right.EDIT_CAMPAIGNS):
        return redirect("campaigns:edit", access.project.id, one.pk)
    return show(request, access, one)


def show(
    request: Any, access: Access, one: Campaign, run: Run | None = None, *, status: int = 200, **more: Any
) -> HttpResponse:
    """The page of a campaign, with `run` looked at. `more`: what an act has to say."""
    context = detail.context_of(request, access, one, run)
    run = context["run"]
    asked = request.GET
    context |= detail.who_context(run, asked.get("who", ""), asked.get("reason", ""), asked.get("after", ""))
    context |= detail.phone_context(run, one) | {"find_form": FindForm()} | more
    return render(request, "campaigns/results/campaign.html", context, status=status)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def live(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """What an open page asks by itself: 204 while nothing has changed since the token `v`."""
    one = detail.fetch(access, campaign_id)
    if not request.htmx:
        return redirect("campaigns:campaign", access.project.id, one.pk)
    context = detail.context_of(request, access, one)
    if request.GET.get("v", "") == context["token"]:
        return HttpResponse(status=204)
    announces = request.GET.get("s", "") != context["standing"]
    run = context["run"]
    if "nobody" in request.GET and run is not None and run.size is not None:
        context |= detail.phone_context(run, one)  # It was drawn before there was anybody.
    return render(request, "campaigns/results/_live.html", context | {"is_fragment": True, "announces": announces})


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def run_list(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """All runs of a campaign, page by page; for another page or a day the list alone."""
    one = detail.fetch(access, campaign_id)
    query = detail.RunQuery.of(request.GET)
    context = {"nav": "campaigns", "campaign": one, "query": query, "page": detail.run_page(access, one, query)}
    is_part = request.htmx and request.htmx.target == "run-page"
    return render(request, f"campaigns/results/{'_run_page' if is_part else 'runs'}.html", context)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def planned(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """How many a campaign that hasn't been sent yet would reach now."""
    one = detail.fetch(access, campaign_id)
    if not request.htmx:
        return redirect("campaigns:campaign", access.project.id, one.pk)
    return render(request, "campaigns/results/_planned.html", {"campaign": one, "plan": plan_of(one)})


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def menu(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """What can be done with a campaign: a menu, or without scripts a page."""
    one = access.fetch(Campaign, pk=campaign_id)
    context = {
        "nav": "campaigns",
        "campaign": one,
        "seen": detail.seen(one),
        "on_list": request.GET.get("on") != "page",
        "is_going": one.state in GOING,
    }
    return render(request, f"campaigns/results/{'_menu' if request.htmx else 'menu'}.html", context)

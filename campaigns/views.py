"""캠페인 리스트, and one campaign after its launch. Each address answers htmx with its fragment, everybody
else with a page."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from campaigns.models import Campaign, CampaignState
from campaigns.queries import CampaignQuery, campaign_page
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
    return render(request, f"campaigns/{'_list' if is_part else 'list'}.html", context)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def campaign(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """One campaign; a draft opens where it is written."""
    one = access.fetch(Campaign, pk=campaign_id)
    if one.state == CampaignState.DRAFT and access.may(Right.EDIT_CAMPAIGNS):
        return redirect("campaigns:edit", access.project.id, one.pk)
    return render(request, "campaigns/campaign.html", {"nav": "campaigns", "campaign": one})


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def menu(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """What can be done with a campaign of the list; without scripts, its page."""
    one = access.fetch(Campaign, pk=campaign_id)
    if not request.htmx:
        return redirect("campaigns:campaign", access.project.id, one.pk)
    return render(request, "campaigns/_menu.html", {"campaign": one})

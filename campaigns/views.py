"""The list of campaigns, and one of them."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from campaigns.models import Campaign
from notifly_console.tenancy.access import Access, Right, project_view


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def campaign_list(request: Any, access: Access) -> HttpResponse:
    """The newest campaigns."""
    found = access.all(Campaign).order_by("-created_at")[:50]
    return render(request, "campaigns/list.html", {"nav": "campaigns", "campaigns": found})


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def campaign(request: Any, access: Access, campaign_id: UUID) -> HttpResponse:
    """One campaign; a draft opens where it is written."""
    one = access.fetch(Campaign, pk=campaign_id)
    if one.is_editable and access.may(Right.EDIT_CAMPAIGNS):
        return redirect("campaigns:edit", access.project.id, one.pk)
    return render(request, "campaigns/campaign.html", {"nav": "campaigns", "campaign": one})

"""Fragments on pages of other rooms: what a person was sent, and what campaigns use a cohort or a user group. Those
pages know only the address."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from campaigns.audience.left_out import exclusions_of
from campaigns.results import lens
from cohorts.models import Cohort, Profile, UserGroup
from cohorts.people.lookup import profile_row
from notifly_console.tenancy.access import Access, Right, project_view


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def messages(request: Any, access: Access, profile_id: int) -> HttpResponse:
    """What a person was sent: a part of their page, or without scripts a page of its own."""
    profile = access.fetch(Profile, pk=profile_id)
    before = request.GET.get("before", "")
    key = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    context = {
        "nav": "profiles",
        "profile": profile,
        "shown": profile_row(profile),
        "messages_of": lens.messages_of(access, profile, key),
        "is_next": key is not None,
        "is_fragment": bool(request.htmx),
        "exclusions": exclusions_of(profile) if key is None else None,
    }
    return render(request, f"campaigns/results/{'_messages' if request.htmx else 'messages'}.html", context)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def left_out(request: Any, access: Access, profile_id: int) -> HttpResponse:
    """The runs that left a person out, and why: a part of their page."""
    profile = access.fetch(Profile, pk=profile_id)
    if not request.htmx:
        return redirect("campaigns:messages", access.project.id, profile_id)
    before = request.GET.get("before", "")
    key = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    context = {"profile": profile, "exclusions": exclusions_of(profile, key), "is_next": key is not None}
    return render(request, "campaigns/results/_exclusions.html", context)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def using_cohort(request: Any, access: Access, source_id: int) -> HttpResponse:
    """사용 중인 캠페인, in the dialog of a cohort."""
    cohort = access.fetch(Cohort, source_id=source_id)
    if not request.htmx:
        return redirect("cohorts:cohort", access.project.id, source_id)
    users, count = lens.using_cohort(access, cohort)
    return render(request, "campaigns/results/_using.html", {"users": users, "count": count})


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def using_group(request: Any, access: Access, group_id: UUID) -> HttpResponse:
    """The same, on the page of a user group."""
    group = access.fetch(UserGroup, pk=group_id)
    if not request.htmx:
        return redirect("cohorts:group", access.project.id, group_id)
    users, count = lens.using_group(access, group)
    return render(request, "campaigns/results/_using.html", {"users": users, "count": count})

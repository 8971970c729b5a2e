"""알림톡 템플릿 → 템플릿 조회: templates as the provider lists them. They are written and submitted to Kakao there."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from integrations import senders
from integrations.failures import sending
from integrations.find_templates import TemplateQuery, found_in
from integrations.messaging import TemplateStatus
from notifly_console.lib.paging import Pages, page_of
from notifly_console.tenancy.access import Access, Right, project_view

PAGE = 30
FRAGMENT = "templates"
FOUND = "templates-found"


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def list_templates(request: HttpRequest, access: Access) -> HttpResponse:
    """The templates, by channel, status and words."""
    return _show(request, access)


@require_safe
@project_view(Right.SEE_CAMPAIGNS)
def show_template(request: HttpRequest, access: Access, template_id: str) -> HttpResponse:
    """One template as its reader sees it."""
    listing = senders.listing(access.project)
    template = listing.template(template_id)
    if template is None:
        raise Http404
    context = {
        "nav": "templates",
        "template": template,
        "profile": listing.profile(template.profile_id),
        "listing": listing,
        "was_refused": template.status == TemplateStatus.REJECTED,
    }
    return render(request, "integrations/template.html", context)


@require_POST
@project_view(Right.REFRESH)
def refresh_templates(request: Any, access: Access) -> HttpResponse:
    """새로 고침: asks the provider anew."""
    listing = senders.refresh_listing(access.project)
    if request.htmx:
        return _show(request, access)
    if listing.problem:
        messages.error(request, sending(listing.problem).title)
    else:
        messages.success(request, _("템플릿을 새로 가져왔습니다."))
    return redirect("integrations:templates", access.project.id)


def _show(request: Any, access: Access) -> HttpResponse:
    """The page, or the list alone where htmx asks for it."""
    listing = senders.listing(access.project)
    query = TemplateQuery.of(request.GET)
    found = found_in(listing, query)
    pages = Pages(
        len(found), PAGE, page_of(request.GET.get("page", "")), lambda number: f"{query.address}&page={number}"
    )
    context = {
        "nav": "templates",
        "listing": listing,
        "problem": sending(listing.problem) if listing.problem else None,
        "query": query,
        "pages": pages,
        "found": found[pages.slice],
        "names": {profile.id: profile.name for profile in listing.profiles},
        "statuses": TemplateStatus,
    }
    fragment = request.htmx and request.htmx.target in (FRAGMENT, FOUND)
    response = render(request, f"integrations/{'_templates' if fragment else 'templates'}.html", context)
    response["Vary"] = "HX-Request, HX-Target"
    return response

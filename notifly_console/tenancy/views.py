"""Pages of people and projects."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from notifly_console.tenancy.access import Access, Right, project_view
from notifly_console.tenancy.language import CODES
from notifly_console.tenancy.models import Member, User


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """The projects that one may choose from."""
    members = Member.objects.select_related("project").filter(user=request.user.pk).order_by("project__name")
    return render(request, "tenancy/projects.html", {"members": members, "nav": "projects"})


@require_safe
@project_view(Right.SEE_MEMBERS)
def members(request: HttpRequest, access: Access) -> HttpResponse:
    """The people of a project."""
    rows = Member.objects.select_related("user").filter(project=access.project).order_by("created_at")
    return render(request, "tenancy/members.html", {"members": rows, "nav": "members"})


@require_safe
def mypage(request: HttpRequest) -> HttpResponse:
    """One's own account."""
    return render(request, "tenancy/mypage.html", {"nav": "mypage"})


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keeps the chosen language in a cookie, and for a signed-in person in their account."""
    language = request.POST.get("language", "")
    onward = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        onward, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        onward = "/"
    response = redirect(onward)
    if language in CODES:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=365 * 86400,
            httponly=True,
            samesite="Lax",
            secure=settings.HTTPS,
        )
        if request.user.is_authenticated:
            User.objects.filter(pk=request.user.pk).update(language=language)
    return response

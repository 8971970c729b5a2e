"""Pages of one person: their projects, 마이페이지, the language."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from notifly_console.tenancy import members
from notifly_console.tenancy.access import factors_of, projects_that_require_a_factor
from notifly_console.tenancy.forms import PersonForm, ProjectForm
from notifly_console.tenancy.language import CODES
from notifly_console.tenancy.models import Member, User
from notifly_console.tenancy.sessions import end_other_sessions, end_session, sessions_of


@require_safe
def projects(request: Any) -> HttpResponse:
    """The projects that one may choose from."""
    context = {
        "members": _memberships(request.user),
        "may_create": members.may_create_projects(request.user),
        "nav": "projects",
        "frame_access": None,
    }
    return render(request, "tenancy/projects.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_project(request: Any) -> HttpResponse:
    """Opens another project. Raises PermissionDenied for whoever runs none."""
    if not members.may_create_projects(request.user):
        raise PermissionDenied
    form = ProjectForm(request.POST or None)
    if form.is_valid():
        project = members.create_project(request.user, form.cleaned_data["name"], request)
        return redirect("cohorts:list", project.id)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "nav": "projects", "frame_access": None}
    return render(request, "tenancy/new_project.html", context, status=status)


@require_safe
def mypage(request: Any) -> HttpResponse:
    """One's own account."""
    return _mypage(request, PersonForm(initial={"name": request.user.name}))


@require_POST
def change_name(request: Any) -> HttpResponse:
    """Keeps one's own name."""
    form = PersonForm(request.POST)
    if not form.is_valid():
        return _mypage(request, form, status=422)
    User.objects.filter(pk=request.user.pk).update(name=form.cleaned_data["name"])
    messages.success(request, _("이름을 저장했습니다."))
    return redirect("tenancy:mypage")


@require_POST
def end_sessions(request: Any) -> HttpResponse:
    """Ends one of one's own sessions elsewhere (`session`), or all of them (`session=others`)."""
    wanted = request.POST.get("session", "")
    current = request.session.session_key
    if wanted == "others":
        end_other_sessions(request.user, current)
        messages.success(request, _("다른 기기에서 모두 로그아웃했습니다."))
    elif any(place.id == wanted and place.is_current for place in sessions_of(request.user, current)):
        messages.info(request, _("지금 쓰는 세션은 로그아웃으로 끝낼 수 있습니다."))
    elif end_session(request.user, wanted):
        messages.success(request, _("그 기기에서 로그아웃했습니다."))
    else:
        messages.info(request, _("이미 끝난 세션입니다."))
    return redirect("tenancy:mypage")


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keeps the chosen language in a cookie, and for a signed-in person in their account."""
    language = request.POST.get("language", "")
    onward = request.POST.get("next", "")
    if not onward.startswith("/") or not url_has_allowed_host_and_scheme(onward, allowed_hosts=None):
        onward = "/"
    response = HttpResponseRedirect(onward)  # `redirect` would take a bare word for the name of a view
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


def _mypage(request: Any, form: PersonForm, status: int = 200) -> HttpResponse:
    user = request.user
    kinds = [factor.type for factor in factors_of(user.pk)]
    context = {
        "form": form,
        "has_app": "totp" in kinds,
        "passkeys": kinds.count("webauthn"),
        "must_add_factor": not kinds and projects_that_require_a_factor(user.pk).exists(),
        "places": sessions_of(user, request.session.session_key),
        "members": _memberships(user),
        "nav": "mypage",
    }
    return render(request, "tenancy/mypage.html", context, status=status)


def _memberships(user: User) -> Any:
    return Member.objects.select_related("project").filter(user=user).order_by("project__name", "pk")

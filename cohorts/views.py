"""유저 코호트 관리 and 유저 리스트."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cohorts.models import Cohort
from notifly_console.tenancy.access import Access, Right, project_view


@require_safe
@project_view(Right.SEE_COHORTS)
def cohort_list(request: HttpRequest, access: Access) -> HttpResponse:
    """The cohorts of a project."""
    return render(request, "cohorts/list.html", {"nav": "cohorts", "cohorts": access.all(Cohort)[:50]})


@require_safe
@project_view(Right.SEE_PROFILES)
def profile_list(request: HttpRequest, access: Access) -> HttpResponse:
    """The profiles of a project."""
    return render(request, "cohorts/profiles.html", {"nav": "profiles"})

"""설정 → 프로젝트 정보: the project's name and its time zone."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from notifly_console.tenancy import members, zones
from notifly_console.tenancy.access import Access, Right, project_view
from notifly_console.tenancy.forms import ProjectSettingsForm


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_PROJECT)
def edit_project(request: HttpRequest, access: Access) -> HttpResponse:
    """Changes name and time zone."""
    now = {"name": access.project.name, "time_zone": access.project.time_zone}
    form = ProjectSettingsForm(request.POST or None, initial=now)
    if form.is_valid():
        if members.change_project(access, **form.cleaned_data, request=request):
            messages.success(request, _("프로젝트 정보를 저장했습니다."))
        return redirect(f"{reverse('integrations:settings', args=[access.project.id])}#project")
    context = {"nav": "settings", "form": form, "zones": zones.offered()}
    return render(request, "tenancy/project.html", context, status=422 if request.method == "POST" else 200)

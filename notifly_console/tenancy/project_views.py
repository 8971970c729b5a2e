"""설정 → 프로젝트 정보: the project's name and its time zone."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
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
        moved = members.change_project(access, **form.cleaned_data, request=request)
        if moved is not None:
            messages.success(request, " ".join([_("프로젝트 정보를 저장했습니다."), *_moved_words(moved)]))
        return redirect(f"{reverse('integrations:settings', args=[access.project.id])}#project")
    context = {"nav": "settings", "form": form, "zones": zones.offered()}
    return render(request, "tenancy/project.html", context, status=422 if request.method == "POST" else 200)


def _moved_words(moved: int) -> list[str]:
    """What became of appointments, where there were any."""
    words = ngettext(
        "캠페인 %(n)s개의 다음 발송 시각을 새 시간대로 다시 정했습니다. 캠페인마다 기록에서 확인할 수 있습니다.",
        "캠페인 %(n)s개의 다음 발송 시각을 새 시간대로 다시 정했습니다. 캠페인마다 기록에서 확인할 수 있습니다.",
        moved,
    )
    return [words % {"n": f"{moved:,}"}] if moved else []

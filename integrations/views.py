"""설정: the connections of a project."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from notifly_console.tenancy.access import Access, Right, project_view


@require_safe
@project_view(Right.SEE_SETTINGS)
def settings_page(request: HttpRequest, access: Access) -> HttpResponse:
    """The settings of a project."""
    return render(request, "integrations/settings.html", {"nav": "settings"})

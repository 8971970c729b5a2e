"""설정 → Mixpanel 푸시: the guide that waits for the first call, what came, and what waits for a person."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cohorts.pages import push_queries
from cohorts.people.profiles import Mapping
from cohorts.push import push, rehearse
from integrations import connect, inlets
from integrations.forms import MixpanelForm, as_entered
from notifly_console.audit.actions import Action
from notifly_console.audit.record import record
from notifly_console.lib.nudge import nudge
from notifly_console.tenancy.access import Access, Right, project_view

UNCHANGED = 204
COLUMNS = (
    "phone_number_column",
    "email_column",
    "identity_column",
    "unknown_members",
    "marketing_consent_column",
    "night_consent_column",
)
"""Rows of 연동 정보 that are kept with the webhook while there is no connection."""


@require_safe
@project_view(Right.SEE_SETTINGS)
def push_page(request: HttpRequest, access: Access) -> HttpResponse:
    """The guide and the state of the push."""
    return _page(request, access)


@require_safe
@project_view(Right.SEE_SETTINGS)
def push_live(request: Any, access: Access) -> HttpResponse:
    """What the open page asks by itself: 204 while nothing has changed since the token `v`."""
    setup = push_queries.setup_of(access)
    if request.GET.get("v", "") == setup.token:
        return HttpResponse(status=UNCHANGED)
    if not request.htmx:
        return redirect("cohorts:push", access.project.id)
    return render(request, "cohorts/push/_live.html", _context(access, setup))


@require_POST
@project_view(Right.EDIT_CONNECTIONS)
def push_confirm(request: Any, access: Access) -> HttpResponse:
    """Lets the import go on that somebody has looked at."""
    mapping = Mapping.of(inlets.mixpanel_settings(access.project))
    session = request.POST.get("session", "")
    number = int(session) if session.isascii() and session.isdecimal() and len(session) < 19 else 0
    try:
        going = rehearse.confirm(access.project, mapping, number, actor=access.user, request=request)
    except rehearse.NothingWaits:
        going = []
    for session in going:
        nudge(push.TAKE, project_id=access.project.hex, subject=session.cohort.source_id)
    said = (
        ngettext("가져오기를 시작합니다.", "가져오기 %(n)d개를 시작합니다.", len(going)) % {"n": len(going)}
        if going
        else _("확인을 기다리는 가져오기가 없습니다.")
    )
    if request.htmx:
        setup = push_queries.setup_of(access)
        return render(request, "cohorts/push/_live.html", _context(access, setup) | {"told": said})
    messages.success(request, said)
    return redirect("cohorts:push", access.project.id)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Right.EDIT_CONNECTIONS)
def push_columns(request: HttpRequest, access: Access) -> HttpResponse:
    """By which columns pushed people are read, while no service account is connected (whose settings hold for both)."""
    if connect.row_of(access.project) is not None:
        return redirect("integrations:settings", access.project.id)
    inlet = inlets.of(access.project)
    if request.method != "POST":
        return _page(request, access, columns_form=MixpanelForm(only=COLUMNS, initial=as_entered(inlet, COLUMNS)))
    form = MixpanelForm(request.POST, only=COLUMNS)
    if not form.is_valid():
        return _page(request, access, status=422, columns_form=form)
    inlets.change_columns(access.project, **form.settings())
    record(
        Action.CONNECTION_CHANGED,
        project_id=access.project.id,
        actor=access.user,
        request=request,
        target="webhook",
        settings=form.settings(),
    )
    messages.success(request, _("저장했습니다. 다음에 오는 페이지부터 이 열로 읽습니다."))
    return redirect("cohorts:push", access.project.id)


def _page(request: HttpRequest, access: Access, *, status: int = 200, **more: Any) -> HttpResponse:
    context = _context(access, push_queries.setup_of(access)) | {"guide": push_queries.guide_of(request, access)} | more
    return render(request, "cohorts/push/push.html", context, status=status)


def _context(access: Access, setup: push_queries.Setup) -> dict[str, Any]:
    return {
        "nav": "settings",
        "setup": setup,
        "most_recurring": push_queries.MOST_RECURRING,
        "may_edit": access.may(Right.EDIT_CONNECTIONS),
    }
